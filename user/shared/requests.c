/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to the server. Answers come in the order of the questions (shared.c). */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/secret.h"
#include "shared/shared_internal.h"

#define GRACE_US (3600 * US_PER_S) /* a window's key outlives it by so much */

static int ask(struct shared *shared, enum shared_question question, struct shared_entry *entry,
	       int argc, const char **argv)
{
	char *command = NULL;
	int len, err;

	if (shared->n_asked == SHARED_ASKED)
		return -ENOBUFS;
	len = redisFormatCommandArgv(&command, argc, argv, NULL);
	if (len < 0)
		return -ENOMEM;
	err = channel_write(shared->channel, command, (size_t)len);
	explicit_bzero(command, (size_t)len); /* a password, perhaps */
	redisFreeCommand(command);
	if (err)
		return err;
	shared->asked[(shared->first + shared->n_asked++) % SHARED_ASKED] =
		(struct shared_asked){ question, entry, clock_mono_ns() };
	return 0;
}

int shared_beat(struct shared *shared)
{
	char key[512];
	const char *argv[] = { "EVALSHA", shared->scripts[1], "1", key, shared->node, SHARED_LIVE_MS };

	snprintf(key, sizeof(key), "%s:nodes", shared->table.prefix);
	shared->beat_ns = clock_mono_ns();
	return ask(shared, ASK_BEAT, NULL, ARRAY_SIZE(argv), argv);
}

static int ask_sync(struct shared *shared, struct shared_entry *entry, int64_t now_us)
{
	char value[SHARED_VALUE_MAX], seq[24], ttl[24];
	const char *argv[] = {
		"EVALSHA", shared->scripts[0], "1", entry->key, shared->node, seq, value, ttl
	};
	int64_t left_us = entry->until_us > now_us ? entry->until_us - now_us : 0;
	int err;

	shared_part_write(&entry->part, value);
	snprintf(seq, sizeof(seq), "%lld", (long long)entry->part.seq);
	snprintf(ttl, sizeof(ttl), "%lld", (long long)((left_us + GRACE_US) / 1000));
	err = ask(shared, ASK_SYNC, entry, ARRAY_SIZE(argv), argv);
	if (err)
		return err;
	entry->is_asked = true;
	entry->asked_ns = clock_mono_ns();
	entry->own_asked = entry->own;
	return 0;
}

/* A counter that is asked for already waits: its answer would not hold the newer sum. */
void shared_flush(struct shared *shared)
{
	struct shared_entry *entry, *next;
	int64_t now_us = clock_wall_us();

	for (entry = TAILQ_FIRST(&shared->table.queue);
	     entry && shared->is_greeted && shared->n_asked < SHARED_PIPELINE; entry = next) {
		next = TAILQ_NEXT(entry, queue);
		if (entry->is_asked)
			continue;
		if (ask_sync(shared, entry, now_us))
			return;
		TAILQ_REMOVE(&shared->table.queue, entry, queue);
		entry->is_queued = false;
	}
}

int shared_greet(struct shared *shared)
{
	const struct shared_config *config = shared->config;
	_cleanup_secret_ char *password = NULL;
	const char *load[] = { "SCRIPT", "LOAD", shared_sync_script };
	char db[16];
	const char *select[] = { "SELECT", db };
	int err = config->password_file ? secret_read(config->password_file, &password) : 0;

	if (!err && password) {
		const char *auth[] = { "AUTH", config->user ? config->user : password, password };

		err = ask(shared, ASK_AUTH, NULL, config->user ? 3 : 2, auth);
	}
	snprintf(db, sizeof(db), "%u", config->db);
	if (!err && config->db)
		err = ask(shared, ASK_SELECT, NULL, 2, select);
	if (!err)
		err = ask(shared, ASK_LOAD_SYNC, NULL, 3, load);
	load[2] = shared_beat_script;
	if (!err)
		err = ask(shared, ASK_LOAD_BEAT, NULL, 3, load);
	return err;
}
