/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that take long, over HTTP: what waits for them, and what does not. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>

#include "base/clock.h"
#include "base/loop.h"
#include "web/serve.h"

#define CALLER "/api/caller.json?who=shop/pod-1"

static struct loop *loop;
static struct serve *serve;
static struct serve_config config = { .is_on = true };
/* How many works began, may end, were asked for, were freed. */
static sem_t began, may_end;
static unsigned n_asked, n_freed;

struct slow {
	struct aside_work work;
	char who[64];
};

static void run_slow(struct aside_work *work)
{
	const char *who = ((struct slow *)work)->who;

	sem_post(&began);
	sem_wait(&may_end);
	if (strcmp(who, "nobody"))
		assert_true(asprintf(&work->text, "{\"who\":\"%s\"}", who) > 0);
}

static void free_slow(struct aside_work *work)
{
	free(work);
	__atomic_add_fetch(&n_freed, 1, __ATOMIC_SEQ_CST);
}

static struct aside_work *on_caller(void *arg, const char *who)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	slow->work = (struct aside_work){ .run = run_slow, .free = free_slow };
	snprintf(slow->who, sizeof(slow->who), "%s", who);
	n_asked++;
	return &slow->work;
}

static bool is_well(void *arg, char *buf, size_t size)
{
	return true;
}

static int begin(void **state)
{
	const struct serve_content content = { .caller = on_caller, .healthy = is_well };
	struct sockaddr_in *address = (struct sockaddr_in *)&config.listen;
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *sentence = NULL;

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	close(fd);
	sem_init(&began, 0, 0);
	sem_init(&may_end, 0, 0);
	n_asked = n_freed = 0;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(serve_new(&serve, loop, &config, &content, &sentence), 0);
	return 0;
}

static int end(void **state)
{
	serve = serve_free(serve);
	loop = loop_free(loop);
	return 0;
}

static int ask(const char *path)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&config.listen, sizeof(struct sockaddr_in)),
			 0);
	assert_true(dprintf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path) > 0);
	return fd;
}

static void stop(void *arg)
{
	loop_stop(loop);
}

/* The loop runs until something can be read there, or for as long. */
static bool is_answered(int fd, uint64_t wait_ns)
{
	struct loop_source *answered = NULL, *late = NULL;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(loop_add_fd(loop, fd, stop, NULL, &answered), 0);
	assert_int_equal(loop_add_timer(loop, 0, stop, NULL, &late), 0);
	loop_arm(late, wait_ns);
	assert_int_equal(loop_run(loop), 0);
	loop_remove(answered);
	loop_remove(late);
	return poll(&poll_fd, 1, 0) > 0;
}

/* Its answer contains the text; closes. */
static void must_say(int fd, const char *text)
{
	char buf[2048] = "";
	size_t n = 0;
	ssize_t got;

	do {
		assert_true(is_answered(fd, 10 * NS_PER_S));
		got = read(fd, buf + n, sizeof(buf) - 1 - n);
		assert_true(got >= 0);
		n += (size_t)got;
	} while (got);
	if (!strstr(buf, text))
		fail_msg("no %s in %s", text, buf);
	close(fd);
}

/* The loop runs until so many were asked for; none of them is answered. */
static void until_asked(unsigned n, int fd)
{
	for (unsigned i = 0; i < 1000 && n_asked < n; i++)
		assert_false(is_answered(fd, 10 * NS_PER_MS));
	assert_int_equal(n_asked, n);
}

/* A thread may free its work later than its answer is read. */
static void until_freed(unsigned n)
{
	for (unsigned i = 0; i < 1000 && __atomic_load_n(&n_freed, __ATOMIC_SEQ_CST) < n; i++)
		usleep(10000);
	assert_int_equal(__atomic_load_n(&n_freed, __ATOMIC_SEQ_CST), n);
}

static void nobody_waits_for_another(void **state)
{
	int first = ask(CALLER), second, health;

	until_asked(1, first);
	sem_wait(&began);
	second = ask("/api/caller.json?who=nobody");
	health = ask("/healthz");
	must_say(health, "200 OK");
	until_asked(2, second);
	sem_post(&may_end);
	must_say(first, "{\"who\":\"shop/pod-1\"}");
	sem_post(&may_end);
	must_say(second, "404 Not Found");
	until_freed(2);
}

static void those_beyond_are_told_to_come_again(void **state)
{
	int fds[ASIDE_MAX];

	for (size_t i = 0; i < ASIDE_MAX; i++) {
		fds[i] = ask(CALLER);
		until_asked((unsigned)i + 1, fds[i]);
	}
	must_say(ask(CALLER), "503 ");
	for (size_t i = 0; i < ASIDE_MAX; i++) {
		sem_post(&may_end);
		must_say(fds[i], "pod-1");
	}
	until_freed(ASIDE_MAX + 1);
}

static void a_client_that_goes_away_and_the_end_wait_for_nothing(void **state)
{
	int first = ask(CALLER), second = ask(CALLER);

	until_asked(2, second);
	sem_wait(&began);
	close(first);
	assert_false(is_answered(second, 20 * NS_PER_MS));
	end(NULL);                    /* its thread still waits */
	assert_int_equal(n_freed, 1); /* the one that never began */
	sem_post(&may_end);
	until_freed(2);
	close(second);
	begin(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_waits_for_another, begin, end),
		cmocka_unit_test_setup_teardown(those_beyond_are_told_to_come_again, begin, end),
		cmocka_unit_test_setup_teardown(
			a_client_that_goes_away_and_the_end_wait_for_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
