/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are replaced, deleted, linked too often or not wholly known: what find.h makes of them. Needs root. */
#include "clients.h"

#include "find/attach.h"

/* More single links on one file than is cheap become one for all, and end with the last user. */
static void turns_many_links_into_one(void **state)
{
	struct fixture *f = *state;
	struct client clients[LINKS_FILE_MAX + 2];
	size_t single = 0, n = ARRAY_SIZE(clients);

	for (size_t i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "many-%zu", i);
		clients[i] = client_start(name, f->folder);
		client_do(&clients[i], "import ssl");
		find_greeted(f->find, (uint32_t)clients[i].pid, 1);
		if (!i)
			single = count_links();
		assert_true(is_probed(&clients[i].pid));
	}
	assert_true(single > 0);
	/* the single ones leave in a thread */
	for (int i = 0; i < 1000 && count_links() > single; i++)
		usleep(10000);
	assert_int_equal(count_links(), single);
	for (size_t i = 0; i < n; i++)
		assert_true(is_probed(&clients[i].pid));
	for (size_t i = 0; i < n; i++)
		client_end(&clients[i]);
	assert_int_equal(find_scan(f->find), 0);
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
}

static void probes_a_deleted_library(void **state)
{
	struct fixture *f = *state;
	struct client client = client_start("deleted", f->folder);

	client_do(&client, "import ssl");
	assert_int_equal(unlink(f->copy), 0);
	find_greeted(f->find, (uint32_t)client.pid, 1);
	assert_true(is_probed(&client.pid));
	client_end(&client);
}

static void note_unfollowed(void *arg, const struct find_row *row)
{
	/* Another aigress of this host may probe it for everyone. */
	*(bool *)arg |= row->reach == FIND_UNFOLLOWED || row->reach == FIND_PROBED;
}

/* A library of which not every return is known: no probe, and each process of it has its reason. */
static void says_of_whom_it_leaves_a_library_alone(void **state)
{
	struct fixture *f = *state;
	const struct find_explaining how = { .returns = FIND_RETURN_INSTRUCTIONS };
	struct client clients[2], other = client_start("other", NULL);
	char command[512], load[192];
	struct find_stats stats, before;
	bool told;

	find_stats(f->find, &before); /* others of this host may map such a library, too */
	snprintf(command, sizeof(command),
		 "%s -shared -fPIC -Wl,-Bsymbolic -O2 -DSHAPE_HELPER_FIRST -o %s "
		 "tests/data/find/shapes.c",
		 getenv("CC") ?: "cc", f->copy);
	assert_int_equal(system(command), 0);
	snprintf(load, sizeof(load), "import ctypes; ctypes.CDLL('%s')", f->copy);
	for (int i = 0; i < 2; i++) {
		clients[i] = client_start(i ? "second" : "first", NULL);
		client_do(&clients[i], load);
		find_greeted(f->find, (uint32_t)clients[i].pid, 1);
		assert_int_equal(find_reach_of(f->find, (uint32_t)clients[i].pid), FIND_UNFOLLOWED);
		told = false;
		assert_int_equal(
			find_explain(&how, (uint32_t)clients[i].pid, note_unfollowed, &told), 0);
		assert_true(told);
	}
	assert_int_equal(find_reach_of(f->find, (uint32_t)other.pid), FIND_NO_TLS);
	find_stats(f->find, &stats);
	assert_int_equal(stats.processes_probed, 0);
	assert_int_equal(stats.attach_failures, before.attach_failures + 1); /* the file, once */
	for (int i = 0; i < 2; i++)
		client_end(&clients[i]);
	client_end(&other);
}

static int setup_by_instruction(void **state)
{
	*state = start(FIND_ON_SIGHT, FIND_RETURN_INSTRUCTIONS);
	return 0;
}

#define BY_INSTRUCTION(test) cmocka_unit_test_setup_teardown(test, setup_by_instruction, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_SIGHT(turns_many_links_into_one),
		ON_SIGHT(probes_a_deleted_library),
		BY_INSTRUCTION(says_of_whom_it_leaves_a_library_alone),
	};

	return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}
