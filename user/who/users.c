/* SPDX-License-Identifier: Apache-2.0 */
#include "who/users.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/thread.h"
#include "who/who.h"

#define NAME_LEN  sizeof(((struct who_process *)NULL)->user)
#define ENTRY_LEN 4096 /* one line of passwd */

struct user {
	uid_t uid;
	bool is_final;
	char name[NAME_LEN];
	UT_hash_handle hh;
};

/* What the thread and its owner share; the last of the two frees it: the thread may hang in a service. */
struct desk {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_left;
	size_t n_asked, n_answered;
	uid_t asked[USERS_ASKED];
	struct {
		uid_t uid;
		char name[NAME_LEN];
	} answered[USERS_ASKED];
};

struct users {
	struct user *users;
	struct desk *desk; /* NULL: no name had to be asked for yet */
};

struct users *users_new(void)
{
	return calloc(1, sizeof(struct users));
}

static void forget(struct users *users)
{
	struct user *user, *next;

	HASH_ITER(hh, users->users, user, next) {
		HASH_DEL(users->users, user);
		free(user);
	}
}

static void desk_free(struct desk *desk)
{
	pthread_mutex_destroy(&desk->lock);
	pthread_cond_destroy(&desk->wake);
	free(desk);
}

struct users *users_free(struct users *users)
{
	if (!users)
		return NULL;
	if (users->desk) {
		pthread_mutex_lock(&users->desk->lock);
		users->desk->is_left = true;
		pthread_cond_signal(&users->desk->wake);
		pthread_mutex_unlock(&users->desk->lock);
	}
	forget(users);
	free(users);
	return NULL;
}

/* ---- the thread ---- */

static void ask(uid_t uid, char name[NAME_LEN])
{
	struct passwd entry, *found = NULL;
	char buf[ENTRY_LEN];

	if (getpwuid_r(uid, &entry, buf, sizeof(buf), &found) || !found)
		snprintf(name, NAME_LEN, "%u", uid);
	else
		snprintf(name, NAME_LEN, "%s", found->pw_name);
}

static void *run(void *arg)
{
	struct desk *desk = arg;
	char name[NAME_LEN];

	pthread_mutex_lock(&desk->lock);
	while (!desk->is_left) {
		uid_t uid;

		if (!desk->n_asked || desk->n_answered == USERS_ASKED) {
			pthread_cond_wait(&desk->wake, &desk->lock);
			continue;
		}
		uid = desk->asked[--desk->n_asked];
		pthread_mutex_unlock(&desk->lock);
		ask(uid, name);
		pthread_mutex_lock(&desk->lock);
		desk->answered[desk->n_answered].uid = uid;
		memcpy(desk->answered[desk->n_answered++].name, name, NAME_LEN);
	}
	pthread_mutex_unlock(&desk->lock);
	desk_free(desk);
	return NULL;
}

static struct desk *desk_new(void)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	if (!desk)
		return NULL;
	pthread_mutex_init(&desk->lock, NULL);
	pthread_cond_init(&desk->wake, NULL);
	if (thread_start(NULL, run, desk)) {
		desk_free(desk);
		return NULL;
	}
	return desk;
}

/* ---- its owner ---- */

/* False: no service will answer. */
static bool have_asked(struct users *users, uid_t uid)
{
	struct desk *desk = users->desk = users->desk ?: desk_new();
	bool has_room = false;

	if (!desk)
		return false;
	pthread_mutex_lock(&desk->lock);
	has_room = desk->n_asked < USERS_ASKED;
	if (has_room)
		desk->asked[desk->n_asked++] = uid;
	pthread_cond_signal(&desk->wake);
	pthread_mutex_unlock(&desk->lock);
	return has_room;
}

static struct user *find(const struct users *users, uid_t uid)
{
	struct user *user;

	HASH_FIND(hh, users->users, &uid, sizeof(uid), user);
	return user;
}

static void take_answers(struct users *users)
{
	struct desk *desk = users->desk;

	if (!desk)
		return;
	pthread_mutex_lock(&desk->lock);
	for (size_t i = 0; i < desk->n_answered; i++) {
		struct user *user = find(users, desk->answered[i].uid);

		if (!user)
			continue;
		memcpy(user->name, desk->answered[i].name, NAME_LEN);
		user->is_final = true;
	}
	desk->n_answered = 0;
	pthread_cond_signal(&desk->wake);
	pthread_mutex_unlock(&desk->lock);
}

static bool is_listed(uid_t uid, char name[NAME_LEN])
{
	_cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
	struct passwd entry, *found;
	char buf[ENTRY_LEN];

	while (file && !fgetpwent_r(file, &entry, buf, sizeof(buf), &found)) {
		if (entry.pw_uid != uid)
			continue;
		snprintf(name, NAME_LEN, "%s", entry.pw_name);
		return true;
	}
	return false;
}

static struct user *learn(struct users *users, uid_t uid)
{
	struct user *user;

	if (HASH_COUNT(users->users) >= USERS_MAX)
		forget(users);
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	HASH_ADD(hh, users->users, uid, sizeof(user->uid), user);
	if (!user->hh.tbl) {
		free(user);
		return NULL;
	}
	user->is_final = is_listed(uid, user->name);
	if (!user->is_final) {
		snprintf(user->name, NAME_LEN, "%u", uid);
		user->is_final = !have_asked(users, uid);
	}
	return user;
}

bool users_name(struct users *users, uid_t uid, char *buf, size_t size)
{
	struct user *user = find(users, uid);

	if (!user)
		user = learn(users, uid);
	else if (!user->is_final)
		take_answers(users);
	if (!user) {
		snprintf(buf, size, "%u", uid);
		return true;
	}
	snprintf(buf, size, "%s", user->name);
	return user->is_final;
}
