/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for the probes of its process, on the running kernel. Needs root. */
#include "world.h"

static uint64_t ms_since(uint64_t start_ns)
{
	return (clock_mono_ns() - start_ns) / 1000000;
}

/* How long the next hello of this child takes to the server. */
static uint64_t hello_ms(struct child *child)
{
	uint64_t start, ms;
	int fd;

	assert_int_equal(tell(child, 'c'), 0);
	fd = server_accept();
	start = clock_mono_ns();
	assert_int_equal(tell(child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 3000), 517);
	ms = ms_since(start);
	close(fd);
	return ms;
}

/* Until the child's hello is told of as deferred. */
static void await_deferral(const struct child *child)
{
	for (int i = 0; i < 100 && !n_approaches; i++) {
		usleep(10000);
		assert_int_equal(tap_drain(tap, keep, NULL), 0);
	}
	assert_int_equal(n_approaches, 1);
	assert_int_equal(approach.head.tgid, child->pid);
	assert_int_equal(approach.head.cgroup, ids[CG_A]);
	assert_int_not_equal(approach.head.id, 0);
}

static void defers_a_hello_until_its_process_is_probed(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	uint64_t start, ms;
	int fd;

	tap_defer(tap, true);
	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	await_deferral(&child);
	assert_int_equal(tap_defer_begin(tap, (uint32_t)child.pid), 0);
	assert_int_equal(server_read(fd, 1, 300), 0); /* TCP's first repetition is dropped, too */
	assert_int_equal(tap_defer_end(tap, (uint32_t)child.pid), 0);
	start = clock_mono_ns();
	assert_int_equal(tap_defer_wake(tap, approach.head.id), 0);
	assert_int_equal(server_read(fd, 517, 3000), 517);
	ms = ms_since(start);
	print_message("a deferred hello left %lu ms after its process was probed\n", ms);
	assert_in_range(ms, 0, 100); /* TCP alone would have tried again 0.6 s after the first time */
	assert_int_equal(tap_defer_wake(tap, approach.head.id), -ENOENT);
	take_events(1);
	assert_int_equal(last[0].state, EV_FLOW_SEEN);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(last[0].handshake[EV_OUT], 517);
	assert_int_equal(n_approaches, 1);
	assert_in_range(hello_ms(&child), 0, 100); /* it is known now */
	close(fd);
	child_end(&child);
}

/* The daemon hangs, or is gone: one repetition for the first of a cgroup, nothing for those that follow. */
static void defers_a_hello_once_where_no_one_takes_the_event(void **state)
{
	struct child child = child_new(cgroups[CG_A]), other = child_new(cgroups[CG_A]);
	struct child neighbour = child_new(cgroups[CG_B]);
	uint64_t ms;

	tap_defer(tap, true);
	ms = hello_ms(&child);
	print_message("a hello that was deferred in vain waited %lu ms\n", ms);
	assert_in_range(ms, 100, 500);
	assert_in_range(hello_ms(&other), 0, 100);
	/* what one cgroup missed is no other's loss */
	assert_in_range(hello_ms(&neighbour), 100, 500);
	/* an event is taken: they are deferred again */
	assert_int_equal(tap_defer_begin(tap, (uint32_t)child.pid), 0);
	assert_in_range(hello_ms(&other), 100, 500);
	tap_defer(tap, false);
	assert_int_equal(tap_defer_begin(tap, (uint32_t)child.pid), 0);
	assert_in_range(hello_ms(&other), 0, 100);
	child_end(&child);
	child_end(&other);
	child_end(&neighbour);
}

static void defers_no_hello_for_a_second(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	uint64_t ms;

	tap_defer(tap, true);
	assert_int_equal(tap_defer_begin(tap, (uint32_t)child.pid), 0);
	ms = hello_ms(&child);
	print_message("a hello whose process was never probed waited %lu ms\n", ms);
	assert_in_range(ms, 300, 1000);
	child_end(&child);
}

/* Eight of a cgroup wait for their probes; the ninth has no place and waits for TCP to repeat its hello. */
static void defers_eight_processes_of_a_cgroup_at_once(void **state)
{
	struct child children[9];
	uint64_t start = 0, ms;
	int fds[9];

	tap_defer(tap, true);
	for (int i = 0; i < 9; i++) {
		children[i] = child_new(cgroups[CG_A]);
		assert_int_equal(tap_defer_begin(tap, (uint32_t)children[i].pid), 0);
	}
	for (int i = 0; i < 9; i++) {
		start = clock_mono_ns();
		assert_int_equal(tell(&children[i], 'c'), 0);
		fds[i] = server_accept();
		assert_int_equal(tell(&children[i], 'a'), 0);
	}
	assert_int_equal(server_read(fds[8], 517, 3000), 517);
	ms = ms_since(start);
	for (int i = 0; i < 8; i++)
		assert_int_equal(server_read(fds[i], 517, 1), 0);
	print_message("a hello without a place waited %lu ms\n", ms);
	assert_in_range(ms, 100, 500);
	for (int i = 0; i < 9; i++) {
		close(fds[i]);
		child_end(&children[i]);
	}
}

static void defers_all_connections_that_a_process_begins(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fds[20];

	tap_defer(tap, true);
	assert_int_equal(tap_defer_begin(tap, (uint32_t)child.pid), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(tell(&child, 'c'), 0);
		fds[i] = server_accept();
		assert_int_equal(tell(&child, 'a'), 0);
		assert_int_equal(server_read(fds[i], 1, 1), 0);
	}
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	child_end(&child);
}

static void defers_what_a_process_sends_first_on_anothers_connection(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	uint64_t start;
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 2000), 517);
	answered(&child, fd);
	take_events(1);
	(void)server_read(fd, 4096, 100);
	tap_defer(tap, true);
	assert_int_equal(tell(&child, 'r'), 0); /* its own: it has greeted */
	assert_int_equal(server_read(fd, 1005, 1000), 1005);
	assert_int_equal(tell(&child, 'h'), 0);
	for (int i = 0; i < 100 && !n_approaches; i++) {
		usleep(10000);
		assert_int_equal(tap_drain(tap, keep, NULL), 0);
	}
	assert_int_equal(n_approaches, 1);
	assert_int_not_equal(approach.head.tgid, 0);
	assert_int_not_equal(approach.head.tgid, child.pid);
	assert_int_equal(approach.head.id, last[0].head.id);
	assert_int_equal(tap_defer_begin(tap, approach.head.tgid), 0);
	assert_int_equal(server_read(fd, 1, 250), 0);
	assert_int_equal(tap_defer_end(tap, approach.head.tgid), 0);
	start = clock_mono_ns();
	assert_int_equal(tap_defer_wake(tap, approach.head.id), 0);
	assert_int_equal(server_read(fd, 1005, 3000), 1005);
	assert_in_range(ms_since(start), 0, 100);
	assert_int_equal(tell(&child, 'r'), 0); /* it was known before, and is so still */
	assert_int_equal(server_read(fd, 1005, 100), 1005);
	close(fd);
	child_end(&child);
}

/* The daemon hangs, or is gone: what another process sends leaves all the same. */
static void defers_that_once_where_no_one_takes_the_event(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 2000), 517);
	answered(&child, fd);
	(void)server_read(fd, 4096, 100);
	tap_defer(tap, true);
	assert_int_equal(tell(&child, 'h'), 0);
	assert_int_equal(server_read(fd, 1005, 1000), 1005);
	close(fd);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defers_a_hello_until_its_process_is_probed),
		TEST(defers_a_hello_once_where_no_one_takes_the_event),
		TEST(defers_no_hello_for_a_second),
		TEST(defers_eight_processes_of_a_cgroup_at_once),
		TEST(defers_all_connections_that_a_process_begins),
		TEST(defers_what_a_process_sends_first_on_anothers_connection),
		TEST(defers_that_once_where_no_one_takes_the_event),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
