/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/maps, and opening what they name: this process is the subject. */
#include "unit.h"
#include "left_on_stack.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "find/procs.h"

static bool parses(const char *line, struct procs_map *map)
{
	static char copy[PROCS_LINE_MAX];

	snprintf(copy, sizeof(copy), "%s", line);
	return procs_parse(copy, map);
}

static void reads_executable_file_mappings(void **state)
{
	struct procs_map map;

	assert_true(parses(
		"7f00a000-7f00b000 r-xp 00002000 fe:10 123   /a b/lib\\012x.so (deleted)", &map));
	assert_int_equal(map.start, 0x7f00a000);
	assert_int_equal(map.end, 0x7f00b000);
	assert_int_equal(map.offset, 0x2000);
	assert_int_equal(map.ino, 123);
	assert_string_equal(map.path, "/a b/lib\\012x.so (deleted)");
}

static void passes_over_everything_else(void **state)
{
	static const char *const lines[] = {
		"",
		"-",
		"7f00a000-7f00b000",
		"7f00a000-7f00b000 r-xp 0 fe:10 123",
		"7f00a000-7f00b000 r--p 00000000 fe:10 123 /lib/x.so", /* not code */
		"7f00a000-7f00b000 r-xp 00000000 00:00 0 ",            /* JIT */
		"7f00a000-7f00b000 r-xp 00000000 00:00 0 [vdso]",
		"7f00a000-7f00b000 r-xp 00000000 00:01 9 anon_inode:x",
		"7f00b000-7f00a000 r-xp 00000000 fe:10 123 /lib/x.so",
		"7f00a000-7f00b000 rwxpxxxx 0 fe:10 123 /lib/x.so",
	};
	struct procs_map map;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_false(parses(lines[i], &map));
}

/* A file of this process with a hostile name, mapped and gone. */
struct found {
	uint64_t ino;
	struct procs_map map;
	size_t n;
};

static void note(void *arg, const struct procs_map *map)
{
	struct found *found = arg;

	if (map->ino != found->ino)
		return;
	found->map = *map;
	found->n++;
}

static void opens_a_deleted_file_with_a_hostile_name(void **state)
{
	char path[] = "/tmp/aigress procs\n7f00-7f01 r-xp 0 1:1 1 /XXXXXX";
	char folder[] = "/tmp/aigress procs\n7f00-7f01 r-xp 0 1:1 1 ";
	struct found found = {};
	_cleanup_close_ int fd = -1, again = -1;
	struct stat st;
	void *page;

	assert_true(!mkdir(folder, 0700) || errno == EEXIST);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "here", 4), 4);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	unlink(path);
	rmdir(folder);
	assert_int_equal(fstat(fd, &st), 0);
	found.ino = st.st_ino;
	assert_int_equal(procs_maps((uint32_t)getpid(), note, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.map.start, (uintptr_t)page);

	again = procs_open((uint32_t)getpid(), found.map.start, found.map.end);
	if (again == -EACCES || again == -EPERM || again == -ENOENT)
		skip(); /* map_files is for the privileged, and the name is gone */
	assert_true(again >= 0);
	assert_int_equal(fstat(again, &st), 0);
	assert_int_equal(st.st_ino, found.ino);
	assert_int_equal(fcntl(again, F_GETFD), FD_CLOEXEC);
	munmap(page, 4096);
	assert_true(procs_open((uint32_t)getpid(), found.map.start, found.map.end) < 0);
}

static void tells_the_dead_from_the_living(void **state)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	/* a zombie has a pid and no image */
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	assert_false(procs_lives((uint32_t)child));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(procs_lives((uint32_t)child));
	assert_int_equal(procs_start((uint32_t)child), 0);
	assert_int_equal(procs_program((uint32_t)child), 0);
	assert_true(procs_lives((uint32_t)getpid()));
	assert_true(procs_start((uint32_t)getpid()) > 0);
	assert_true(procs_program((uint32_t)getpid()) > 0);
}

/* A tail(1) that waits for ever with these arguments. */
static pid_t tail(const char *first, const char *second)
{
	int done[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		execl("/usr/bin/tail", "tail", first, second, "/dev/null", NULL);
		_exit(1);
	}
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 0); /* the exec closed its end */
	close(done[0]);
	return child;
}

static uint64_t program_of(const char *first, const char *second)
{
	pid_t child = tail(first, second);
	uint64_t program = procs_program((uint32_t)child);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return program;
}

static void knows_a_program_by_its_first_argument(void **state)
{
	uint64_t a = program_of("-f", "/etc/passwd");

	assert_true(a > 0);
	assert_int_equal(a, program_of("-F", "/etc/passwd"));
	assert_int_not_equal(a, program_of("-f", "/etc/group"));
}

static void *read_program(void *arg)
{
	*(uint64_t *)arg = procs_program((uint32_t) * (uint64_t *)arg);
	return NULL;
}

/* As curl has a request's body in its arguments: none of it stays in the daemon. */
static void a_command_line_is_forgotten(void **state)
{
	pid_t child = tail("-f", "--max-unchanged-stats=1234567");
	uint64_t program = (uint64_t)child;

	assert_false(left_on_stack(read_program, &program, "--max-unchanged-stats=1234567"));
	assert_true(program > 0 && program != (uint64_t)child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- without the privilege to use map_files ---- */

static void note_mapping(void *arg, const struct procs_map *map)
{
	struct found *found = arg;

	if (map->ino == found->ino)
		found->map = *map;
}

static void a_file_is_opened_by_its_path_and_inode(void **state)
{
	char folder[UNIT_FOLDER_LEN], path[64], other[64];
	uint32_t self = (uint32_t)getpid();
	bool was_root = geteuid() == 0;
	struct found found = {};
	struct stat st, at;
	int fd, changed, gone;
	void *page;

	assert_int_equal(unit_folder(folder), 0);
	chmod(folder, 0755);
	snprintf(path, sizeof(path), "%s/library", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	unit_write(path, "here", 4);
	unit_write(other, "there", 5);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	found.ino = st.st_ino;
	assert_int_equal(procs_maps(self, note_mapping, &found), 0);
	if (was_root)
		assert_int_equal(seteuid(65534), 0);
	prctl(PR_SET_DUMPABLE, 1); /* else its own /proc is not its own */
	fd = procs_open(self, found.map.start, found.map.end);
	gone = procs_open(self, found.map.start, found.map.end + 4096);
	if (was_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rename(other, path), 0);
	if (was_root)
		assert_int_equal(seteuid(65534), 0);
	prctl(PR_SET_DUMPABLE, 1);
	changed = procs_open(self, found.map.start, found.map.end);
	if (was_root)
		assert_int_equal(seteuid(0), 0);
	munmap(page, 4096);
	unit_remove(folder);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &at), 0);
	assert_int_equal(at.st_ino, st.st_ino);
	close(fd);
	assert_int_equal(gone, -ESTALE);
	/* the old file is "(deleted)", another one has its name */
	assert_true(changed == -ENOENT || changed == -ESTALE);
}

static void note_self(void *arg, uint32_t tgid)
{
	*(unsigned *)arg += tgid == (uint32_t)getpid();
}

static void every_process_is_walked_once(void **state)
{
	unsigned n = 0;

	assert_int_equal(procs_each(note_self, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(procs_maps(0x40000000, note, NULL), -ESRCH);
	assert_int_equal(procs_cgroup(0x40000000), 0);
	assert_int_equal(procs_executable(0x40000000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_executable_file_mappings),
		cmocka_unit_test(passes_over_everything_else),
		cmocka_unit_test(opens_a_deleted_file_with_a_hostile_name),
		cmocka_unit_test(tells_the_dead_from_the_living),
		cmocka_unit_test(knows_a_program_by_its_first_argument),
		cmocka_unit_test(a_command_line_is_forgotten),
		cmocka_unit_test(a_file_is_opened_by_its_path_and_inode),
		cmocka_unit_test(every_process_is_walked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
