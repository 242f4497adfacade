/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded events come back as they went in, and a file that is cut or foreign is refused. */
#include "unit.h"

#include "base/clock.h"
#include "tap/pin.h"
#include "tap/record.h"

static char dir[UNIT_FOLDER_LEN], path[96];

static int make(void **state)
{
	int err = unit_folder(dir);

	snprintf(path, sizeof(path), "%s/events", dir);
	return err;
}

static int clean(void **state)
{
	return unit_remove(dir);
}

/* The smallest event, and the largest. */
static struct {
	struct ev_data data;
	uint8_t bytes[EV_PIECE_MAX];
} largest;

static void record_two(void)
{
	const struct ev_head smallest = { .type = EV_EXIT, .tgid = 5, .time_ns = 9 };
	struct record *record;

	largest.data = (struct ev_data){ .head = { .type = EV_DATA }, .len = EV_PIECE_MAX };
	memset(largest.bytes, 'x', sizeof(largest.bytes));
	assert_int_equal(record_create(&record, path), 0);
	assert_int_equal(record_write(record, &smallest, sizeof(smallest)), 0);
	assert_int_equal(record_write(record, &largest.data.head, sizeof(largest)), 0);
	record_free(record);
}

static void events_come_back(void **state)
{
	uint64_t before_ns = clock_ns(CLOCK_REALTIME) - clock_mono_ns();
	const struct ev_head *event;
	struct record *record;
	size_t size;

	record_two();
	assert_int_equal(record_open(&record, path), 0);
	assert_in_range(record_epoch_ns(record) - before_ns + NS_PER_S, 0, 2 * NS_PER_S);
	assert_int_equal(record_read(record, &event, &size), 1);
	assert_int_equal(size, sizeof(*event));
	assert_int_equal(event->tgid, 5);
	assert_int_equal(record_read(record, &event, &size), 1);
	assert_int_equal(size, sizeof(largest));
	assert_memory_equal(event, &largest, sizeof(largest));
	assert_int_equal(record_read(record, &event, &size), 0);
	record_free(record);
}

/* It holds plaintext: nobody else reads it, and no file is written over. */
static void file_is_private_and_new(void **state)
{
	struct record *record;
	struct stat st;

	record_two();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(record_create(&record, path), -EEXIST);
}

static void cut_file_is_told_from_its_end(void **state)
{
	const struct ev_head *event;
	struct record *record;
	struct stat st;
	size_t size;

	record_two();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_int_equal(record_open(&record, path), 0);
	assert_int_equal(record_read(record, &event, &size), 1);
	assert_int_equal(record_read(record, &event, &size), -EINVAL);
	record_free(record);
}

static void foreign_files_and_sizes_are_refused(void **state)
{
	static const uint32_t sizes[] = { 0, sizeof(struct ev_head) - 1, sizeof(largest) + 1,
					  UINT32_MAX };
	const struct ev_head *event;
	struct record *record;
	size_t size;

	assert_int_equal(record_open(&record, path), -ENOENT);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fwrite("AIGEV002\0\0\0\0\0\0\0\0", 16, 1, file);
		fwrite(&sizes[i], sizeof(sizes[i]), 1, file);
		fwrite(&largest, sizeof(largest), 1, file);
		fclose(file);
		assert_int_equal(record_open(&record, path), 0);
		assert_int_equal(record_read(record, &event, &size), -EINVAL);
		record_free(record);
	}
	assert_int_equal(truncate(path, 12), 0);
	assert_int_equal(record_open(&record, path), -EINVAL);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(record_open(&record, path), -EINVAL);
}

/* One a state directory, whatever it is called by; and a name that bpffs takes. */
static void pins_of_two_daemons_lie_apart(void **state)
{
	char first[PIN_PATH_LEN], again[PIN_PATH_LEN], other[PIN_PATH_LEN], dotted[128];

	snprintf(dotted, sizeof(dotted), "%s/../%s", dir, strrchr(dir, '/') + 1);
	pin_dir(dir, first);
	pin_dir(dotted, again);
	pin_dir("/nowhere/else", other);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	assert_int_equal(strncmp(first, PIN_ROOT "/", strlen(PIN_ROOT) + 1), 0);
	assert_int_equal(strspn(first + strlen(PIN_ROOT) + 1, "0123456789abcdef"), 16);
	assert_int_equal(strlen(first), strlen(PIN_ROOT) + 17);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, make, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(events_come_back),
		WITH(file_is_private_and_new),
		WITH(cut_file_is_told_from_its_end),
		WITH(foreign_files_and_sizes_are_refused),
		WITH(pins_of_two_daemons_lie_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
