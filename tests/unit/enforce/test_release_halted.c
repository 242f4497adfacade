/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger lists as stopped is resumed without a daemon, and is listed no longer. */
#include "fake_cgroups.h"

#include "enforce/release_halted.h"
#include "ledger/halted.h"
#include "who/process.h"

static void count(void *arg, const struct halted *halted)
{
	++*(size_t *)arg;
}

static size_t listed(struct ledger *ledger)
{
	size_t n = 0;

	assert_int_equal(halted_each(ledger, count, &n), 0);
	return n;
}

static void stopped_is_resumed_and_gone_is_forgotten(void **state)
{
	pid_t child[] = { fake_child(), fake_child() };
	struct halted stopped = { .kind = HALTED_PROCESS,
				  .tgid = (uint32_t)child[0],
				  .start_ticks = process_start_time((uint32_t)child[0]) };
	struct halted reused = { .kind = HALTED_PROCESS,
				 .tgid = (uint32_t)child[1],
				 .start_ticks = process_start_time((uint32_t)child[1]) + 1 };
	struct halted gone[] = { { .kind = HALTED_STOPPED, .path = "/aigress-unit-is-not-there" },
				 { .kind = HALTED_FROZEN, .path = "/aigress-unit-is-not-there" } };
	size_t done = 9, failed = 9;
	struct ledger *ledger;

	for (int i = 0; i < 2; i++) {
		kill(child[i], SIGSTOP);
		assert_int_equal(child_change(child[i]), CLD_STOPPED);
	}
	assert_int_equal(ledger_open(&ledger, fake_root, true, NULL), 0);
	assert_int_equal(halted_add(ledger, &stopped), 0);
	assert_int_equal(halted_add(ledger, &reused), 0);
	assert_int_equal(halted_add(ledger, &gone[0]), 0);
	assert_int_equal(halted_add(ledger, &gone[1]), 0);
	assert_int_equal(listed(ledger), 4);
	assert_int_equal(release_halted(ledger, "test", &done, &failed), 0);
	assert_int_equal(done, 1);
	assert_int_equal(failed, 0);
	assert_int_equal(child_change(child[0]), CLD_CONTINUED);
	assert_int_equal(listed(ledger), 0);
	/* Another process has the pid by now: it was stopped by somebody else. */
	assert_int_equal(waitid(P_PID, (id_t)child[1], &(siginfo_t){ 0 }, WCONTINUED | WNOHANG), 0);
	kill(child[1], SIGCONT);
	assert_int_equal(child_change(child[1]), CLD_CONTINUED);
	ledger_free(ledger);
	child_end(child[0]);
	child_end(child[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKED(stopped_is_resumed_and_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
