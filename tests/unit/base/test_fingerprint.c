/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets told apart by a keyed fingerprint, and its key. */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/fingerprint.h"
#include "base/secret.h"

static char dir[UNIT_FOLDER_LEN];

static int make_dir(void **state)
{
	return unit_folder(dir);
}

static int remove_dir(void **state)
{
	return unit_remove(dir);
}

static void write_file(const char *name, const char *text, char path[UNIT_FOLDER_LEN + 16])
{
	FILE *file;

	snprintf(path, UNIT_FOLDER_LEN + 16, "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void of(const char *secret, char ret[FINGERPRINT_LEN])
{
	fingerprint_of(secret, strlen(secret), ret);
}

static void it_is_off_until_there_is_a_key(void **state)
{
	char text[FINGERPRINT_LEN], path[UNIT_FOLDER_LEN + 16];

	assert_false(fingerprint_is_on());
	of("sk-1", text);
	assert_string_equal(text, "");
	write_file("short", "0123456789012345678901234567890\n", path);
	assert_int_equal(fingerprint_use(dir, path), -EKEYREJECTED);
	assert_int_equal(fingerprint_use(dir, "/nonexistent"), -ENOENT);
	assert_false(fingerprint_is_on());
}

/* Made once, for its owner alone: another start gives the same. */
static void a_host_has_its_own(void **state)
{
	char first[FINGERPRINT_LEN], again[FINGERPRINT_LEN], other[FINGERPRINT_LEN];
	char path[UNIT_FOLDER_LEN + 16];
	_cleanup_secret_ char *key = NULL;
	struct stat stat;

	assert_int_equal(fingerprint_use(dir, NULL), 0);
	assert_true(fingerprint_is_on());
	of("sk-1", first);
	of("sk-2", other);
	assert_int_equal(strlen(first), FINGERPRINT_LEN - 1);
	assert_string_not_equal(first, other);
	snprintf(path, sizeof(path), "%s/fingerprint.key", dir);
	assert_int_equal(lstat(path, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	assert_int_equal(secret_read(path, &key), 0);
	assert_int_equal(strlen(key), 64);
	assert_int_equal(fingerprint_use(dir, NULL), 0);
	of("sk-1", again);
	assert_string_equal(first, again);
}

/* By Python: hmac.new(hashlib.sha256(b"0123456789" * 4).digest(), b"sk-1", "sha256").hexdigest()[:16] */
static void a_fleet_agrees(void **state)
{
	char text[FINGERPRINT_LEN], path[UNIT_FOLDER_LEN + 16];

	write_file("fleet", "0123456789012345678901234567890123456789\n", path);
	assert_int_equal(fingerprint_use(dir, path), 0);
	of("sk-1", text);
	assert_string_equal(text, "85c2903ee856d657");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_off_until_there_is_a_key),
		cmocka_unit_test(a_host_has_its_own),
		cmocka_unit_test(a_fleet_agrees),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
