/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets probes, on what, and when they go: attach.h and files.h over real processes and files. */
#include "fake_tap.h"

#include "find/attach.h"
#include "find/files.h"

static char folder[UNIT_FOLDER_LEN], library[64], tails[64], plain[64];

struct world {
	struct tap tap;
	struct attach *attach;
};

static void bring_up(struct world *world, enum find_mode mode, enum find_returns returns)
{
	const struct find_config config = { .mode = mode, .returns = returns };

	memset(world, 0, sizeof(*world));
	assert_int_equal(attach_new(&world->attach, &world->tap, &config), 0);
}

static void take_down(struct world *world)
{
	attach_free(world->attach);
	assert_true(LIST_EMPTY(&world->tap.probes));
	fake_clients_end(&world->tap);
}

static int mapped(struct world *world, uint32_t tgid, const char *file)
{
	return attach_mapped(world->attach, tgid, fake_address(tgid, file));
}

static struct find_stats stats_of(const struct world *world)
{
	struct find_stats stats = { 0 };

	attach_stats(world->attach, &stats);
	return stats;
}

static void a_process_is_probed_when_it_greets_and_once(void **state)
{
	struct world world;
	uint32_t client;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	assert_int_equal(attach_reach(world.attach, client), FIND_NO_TLS);
	assert_int_equal(mapped(&world, client, library), 0);
	assert_int_equal(attach_reach(world.attach, client), FIND_WAITING);
	assert_int_equal(world.tap.n_tries, 0);
	attach_greeted(world.attach, client, 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	assert_int_equal(attach_reach(world.attach, client), FIND_PROBED);
	attach_greeted(world.attach, client, 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	assert_int_equal(world.tap.n_tries, 1);
	/* whether it maps more is for who greets to say (daemon/hooks.c) */
	assert_int_equal(world.tap.released, 0);
	assert_int_equal(stats_of(&world).files_probed, 1);
	assert_int_equal(stats_of(&world).processes_probed, 1);
	assert_int_equal(stats_of(&world).attach_failures, 0);
	take_down(&world);
}

static void what_was_learned_sticks_to_the_program(void **state)
{
	struct world world;
	uint32_t first, same, other;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	first = fake_client(&world.tap, library, "/dev/null");
	/* the root cgroup is no group: nothing sticks to the executable there */
	attach_greeted(world.attach, first, 1);
	same = fake_client(&world.tap, library, "/dev/null");
	other = fake_client(&world.tap, library, "/etc/passwd");
	/* it stood there before without a call: a sweep makes no newcomer of it */
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_int_equal(attach_reach(world.attach, same), FIND_WAITING);
	assert_int_equal(mapped(&world, same, library), 0);
	assert_int_equal(attach_reach(world.attach, same), FIND_PROBED);
	assert_int_equal(mapped(&world, other, library), 0);
	assert_int_equal(attach_reach(world.attach, other), FIND_WAITING);
	assert_int_equal(stats_of(&world).processes_probed, 2);
	assert_int_equal(stats_of(&world).files_probed, 1);
	take_down(&world);
}

static void what_was_learned_sticks_to_the_executable_in_its_cgroup(void **state)
{
	struct world world;
	uint32_t first, other;
	uint64_t cgroup;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	first = fake_client(&world.tap, library, "/dev/null");
	cgroup = procs_cgroup(first);
	if (cgroup <= 1) {
		take_down(&world);
		skip();
	}
	attach_greeted(world.attach, first, cgroup);
	other = fake_client(&world.tap, library, "/etc/passwd");
	assert_int_equal(mapped(&world, other, library), 0);
	assert_int_equal(attach_reach(world.attach, other), FIND_PROBED);
	take_down(&world);
}

static void a_fork_of_a_probed_process_is_probed(void **state)
{
	struct world world;
	uint32_t parent, child, stranger;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	parent = fake_client(&world.tap, library, "/dev/null");
	child = fake_client(&world.tap, library, "/etc/passwd");
	stranger = fake_client(&world.tap, library, "/etc/group");
	attach_greeted(world.attach, parent, 1);
	attach_forked(world.attach, parent, child);
	assert_int_equal(world.tap.released, child);
	attach_forked(world.attach, stranger, stranger);
	assert_int_equal(fake_probes(&world.tap, (pid_t)child), 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)stranger), 0);
	/* the number is another process's by now, of a parent that gets no probes */
	attach_forked(world.attach, stranger, child);
	assert_int_equal(fake_probes(&world.tap, (pid_t)child), 0);
	take_down(&world);
}

static void probes_go_with_their_process(void **state)
{
	struct world world;
	uint32_t client;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	attach_greeted(world.attach, client, 1);
	attach_gone(world.attach, client); /* an exec: it lives */
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	fake_client_end(&world.tap, client);
	attach_gone(world.attach, client);
	assert_true(LIST_EMPTY(&world.tap.probes));
	attach_gone(world.attach, client); /* not known any more */
	take_down(&world);
}

static void a_sweep_drops_what_is_gone(void **state)
{
	struct world world;
	uint32_t client;
	uint64_t seen;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	attach_greeted(world.attach, client, 1);
	fake_client_end(&world.tap, client);
	/* its end was not told */
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	world.tap.mappings_err = -EIO;
	assert_int_equal(attach_sweep(world.attach), -EIO);
	world.tap.mappings_err = 0;
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_true(LIST_EMPTY(&world.tap.probes));
	/* the file was forgotten, too: it is looked into again */
	client = fake_client(&world.tap, library, "/dev/null");
	seen = stats_of(&world).files_seen;
	assert_int_equal(mapped(&world, client, library), 0);
	assert_int_equal(stats_of(&world).files_seen, seen + 1);
	take_down(&world);
}

static void everyone_shares_the_probes_of_a_file(void **state)
{
	struct world world;
	uint32_t a, b;

	bring_up(&world, FIND_EVERYONE, FIND_RETURN_PROBES);
	a = fake_client(&world.tap, library, "/dev/null");
	b = fake_client(&world.tap, library, "/etc/passwd");
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_int_equal(fake_probes(&world.tap, 0), 1);
	assert_int_equal(attach_reach(world.attach, a), FIND_PROBED);
	assert_int_equal(attach_reach(world.attach, b), FIND_PROBED);
	attach_greeted(world.attach, a, 1); /* says nothing new */
	assert_int_equal(world.tap.n_tries, 1);
	fake_client_end(&world.tap, a);
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_int_equal(fake_probes(&world.tap, 0), 1);
	fake_client_end(&world.tap, b);
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_true(LIST_EMPTY(&world.tap.probes));
	take_down(&world);
}

static void many_links_of_a_file_become_one_for_everyone(void **state)
{
	uint32_t clients[LINKS_FILE_MAX + 1];
	struct world world;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = fake_client(&world.tap, library, "/dev/null");
	for (size_t i = 0; i < LINKS_FILE_MAX; i++) {
		attach_greeted(world.attach, clients[i], 1);
		assert_int_equal(fake_probes(&world.tap, (pid_t)clients[i]), 1);
	}
	assert_int_equal(fake_probes(&world.tap, 0), 0);
	attach_greeted(world.attach, clients[LINKS_FILE_MAX], 1);
	assert_int_equal(fake_probes(&world.tap, 0), 1);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		assert_int_equal(fake_probes(&world.tap, (pid_t)clients[i]), 0);
		assert_int_equal(attach_reach(world.attach, clients[i]), FIND_PROBED);
	}
	assert_int_equal(stats_of(&world).processes_probed, ARRAY_SIZE(clients));
	take_down(&world);
}

static void refused_probes_are_not_tried_again(void **state)
{
	struct world world;
	uint32_t client;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	/* what mends by itself is tried with the next mapping */
	world.tap.attach_err = -EMFILE;
	attach_greeted(world.attach, client, 1);
	assert_int_equal(stats_of(&world).attach_failures, 1);
	assert_int_equal(attach_reach(world.attach, client), FIND_WAITING);
	/* the process went away meanwhile: no failure */
	world.tap.attach_err = -ESRCH;
	attach_greeted(world.attach, client, 1);
	assert_int_equal(stats_of(&world).attach_failures, 1);
	world.tap.attach_err = -EPERM;
	attach_greeted(world.attach, client, 1);
	assert_int_equal(stats_of(&world).attach_failures, 2);
	assert_int_equal(attach_reach(world.attach, client), FIND_ATTACH_FAILED);
	assert_int_equal(world.tap.n_tries, 3);
	world.tap.attach_err = 0;
	attach_greeted(world.attach, client, 1);
	assert_int_equal(world.tap.n_tries, 3);
	assert_int_equal(stats_of(&world).processes_probed, 0);
	take_down(&world);
}

static void a_library_that_cannot_be_followed_is_left_alone(void **state)
{
	struct world world;
	uint32_t client;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_INSTRUCTIONS);
	client = fake_client(&world.tap, tails, "/dev/null");
	attach_greeted(world.attach, client, 1);
	assert_int_equal(attach_reach(world.attach, client), FIND_UNFOLLOWED);
	assert_int_equal(world.tap.n_tries, 0);
	assert_int_equal(stats_of(&world).attach_failures, 1);
	take_down(&world);
	/* by the kernel's return probes it can be */
	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, tails, "/dev/null");
	attach_greeted(world.attach, client, 1);
	assert_int_equal(attach_reach(world.attach, client), FIND_PROBED);
	take_down(&world);
}

static void a_file_without_tls_is_looked_into_once(void **state)
{
	struct world world;
	uint32_t client;
	uint64_t seen;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	assert_int_equal(mapped(&world, client, "/usr/bin/tail"), -ENOENT);
	seen = stats_of(&world).files_seen;
	assert_int_equal(seen, 1);
	assert_int_equal(mapped(&world, client, "/usr/bin/tail"), -ENOENT);
	assert_int_equal(stats_of(&world).files_seen, seen);
	/* nothing is mapped there; nobody has this number */
	assert_int_equal(attach_mapped(world.attach, client, 8), -ESTALE);
	assert_int_equal(attach_mapped(world.attach, 0x40000000, 8), -ESTALE);
	assert_int_equal(stats_of(&world).attach_failures, 0);
	take_down(&world);
}

/* An old offset would be a breakpoint in the middle of an instruction of the new file. */
static void a_file_that_was_changed_is_read_again(void **state)
{
	char copy[64], command[256];
	struct world world;
	uint32_t client;
	struct tap_site sites[FAKE_SITES_MAX];

	snprintf(copy, sizeof(copy), "%s/changing.so", folder);
	fake_library(copy, "OPENSSL_3_3", "-O2");
	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	attach_greeted(world.attach, fake_client(&world.tap, library, "/etc/passwd"), 1);
	memcpy(sites, world.tap.sites, sizeof(sites));
	client = fake_client(&world.tap, copy, "/dev/null");
	assert_int_equal(mapped(&world, client, copy), 0);
	/* in place, so that the inode stays */
	snprintf(command, sizeof(command), "cat %s > %s", plain, copy);
	assert_int_equal(system(command), 0);
	attach_greeted(world.attach, client, 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	assert_memory_not_equal(world.tap.sites, sites, world.tap.n_sites * sizeof(*sites));
	memcpy(sites, world.tap.sites, sizeof(sites));
	fake_client_end(&world.tap, client);
	attach_gone(world.attach, client);

	client = fake_client(&world.tap, plain, "/dev/null");
	attach_greeted(world.attach, client, 1);
	assert_memory_equal(world.tap.sites, sites, world.tap.n_sites * sizeof(*sites));
	fake_client_end(&world.tap, client);
	attach_gone(world.attach, client);

	/* it holds nothing any more */
	client = fake_client(&world.tap, copy, "/etc/group");
	unit_write(copy, "no library", 10);
	attach_greeted(world.attach, client, 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 0);
	assert_int_equal(attach_reach(world.attach, client), FIND_WAITING);
	assert_int_equal(stats_of(&world).attach_failures, 0);
	take_down(&world);
}

/* Before Linux 5.12 /proc is what tells of mappings. */
static void an_old_kernel_is_asked_by_proc(void **state)
{
	struct world world;
	uint32_t client;

	bring_up(&world, FIND_ON_SIGHT, FIND_RETURN_PROBES);
	client = fake_client(&world.tap, library, "/dev/null");
	world.tap.mappings_err = -EOPNOTSUPP;
	assert_int_equal(mapped(&world, client, library), 0);
	attach_greeted(world.attach, client, 1);
	assert_int_equal(fake_probes(&world.tap, (pid_t)client), 1);
	assert_int_equal(attach_sweep(world.attach), 0);
	assert_int_equal(attach_reach(world.attach, client), FIND_PROBED);
	take_down(&world);
}

static void a_no_is_remembered_by_all_that_names_a_file(void **state)
{
	static struct noes noes;

	assert_false(noes_has(&noes, 1, 2, 3));
	noes_add(&noes, 1, 2, 3);
	assert_true(noes_has(&noes, 1, 2, 3));
	assert_false(noes_has(&noes, 1, 2, 4)); /* the number was given again */
	assert_false(noes_has(&noes, 2, 2, 3));
	assert_false(noes_has(&noes, 1, 3, 3));
	memset(&noes, 0, sizeof(noes));
	noes_add(&noes, 1, 2, 3);
	for (size_t i = 0; i < NOES_MAX; i++)
		if (noes.slots[i].until_ns)
			noes.slots[i].until_ns = 1; /* long ago */
	assert_false(noes_has(&noes, 1, 2, 3));
}

/* Its own libraries, as many as are free; another tenant's are then still taken. */
static void a_tenant_has_as_many_files_as_are_free(void **state)
{
	static struct files files;
	static struct file rows[FILES_MAX];
	struct tap_mapping mapping = { .tgid = (uint32_t)getpid(), .dev = 1, .ino = 1 };
	uint64_t tenant = procs_tenant(mapping.tgid);
	struct file *file;

	for (size_t i = 0; i < FILES_MAX / 2; i++) {
		rows[i].key.ino = 1000 + i;
		rows[i].tenant = tenant;
		file = &rows[i];
		HASH_ADD(hh, files.table, key, sizeof(file->key), file);
	}
	assert_int_equal(files_meet(&files, &mapping, STACK_SYMBOLS, &file), -ENOSPC);
	assert_int_equal(files.n_refused, 1);
	/* what is there already is found */
	mapping.dev = 0;
	mapping.ino = 1000;
	assert_int_equal(files_meet(&files, &mapping, STACK_SYMBOLS, &file), 0);
	HASH_CLEAR(hh, files.table);
}

static int make_libraries(void **state)
{
	if (unit_folder(folder))
		return -1;
	snprintf(library, sizeof(library), "%s/libssl.so", folder);
	snprintf(tails, sizeof(tails), "%s/tails.so", folder);
	snprintf(plain, sizeof(plain), "%s/plain.so", folder);
	fake_library(library, "OPENSSL_3_3", "-O2");
	fake_library(tails, "HELPER_FIRST", "-O2");
	fake_library(plain, "OPENSSL_3_3", "-O2 -falign-functions=64");
	return 0;
}

static int remove_libraries(void **state)
{
	return unit_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_probed_when_it_greets_and_once),
		cmocka_unit_test(what_was_learned_sticks_to_the_program),
		cmocka_unit_test(what_was_learned_sticks_to_the_executable_in_its_cgroup),
		cmocka_unit_test(a_fork_of_a_probed_process_is_probed),
		cmocka_unit_test(probes_go_with_their_process),
		cmocka_unit_test(a_sweep_drops_what_is_gone),
		cmocka_unit_test(everyone_shares_the_probes_of_a_file),
		cmocka_unit_test(many_links_of_a_file_become_one_for_everyone),
		cmocka_unit_test(refused_probes_are_not_tried_again),
		cmocka_unit_test(a_library_that_cannot_be_followed_is_left_alone),
		cmocka_unit_test(a_file_without_tls_is_looked_into_once),
		cmocka_unit_test(a_file_that_was_changed_is_read_again),
		cmocka_unit_test(an_old_kernel_is_asked_by_proc),
		cmocka_unit_test(a_no_is_remembered_by_all_that_names_a_file),
		cmocka_unit_test(a_tenant_has_as_many_files_as_are_free),
	};

	return cmocka_run_group_tests(tests, make_libraries, remove_libraries);
}
