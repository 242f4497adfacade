/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant named, as it can be pasted into a shell or stand for itself in a pattern. */
#include "unit.h"

#include <fnmatch.h>

#include "base/text.h"

static const char *const names[] = { "cgroup=/a", "cgroup=/*",         "[a-z]?",
				     "a\\",       "it's; rm -rf \\'*", "" };

static void a_shell_reads_a_word_as_it_was(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char word[128], command[256], said[128] = "";
		FILE *shell;

		snprintf(command, sizeof(command), "printf %%s %s",
			 text_shell(names[i], word, sizeof(word)));
		shell = popen(command, "r");
		assert_non_null(shell);
		said[fread(said, 1, sizeof(said) - 1, shell)] = '\0';
		assert_int_equal(pclose(shell), 0);
		assert_string_equal(said, names[i]);
	}
}

static void a_pattern_fits_its_own_name_alone(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char pattern[128];

		text_glob(names[i], pattern, sizeof(pattern));
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			assert_int_equal(fnmatch(pattern, names[j], 0) == 0, i == j);
	}
}

static void half_a_name_is_none(void **state)
{
	char buf[8];

	assert_string_equal(text_glob("abcdefgh", buf, sizeof(buf)), "");
	assert_string_equal(text_glob("abcd**", buf, sizeof(buf)), "");
	assert_string_equal(text_shell("abcdefgh", buf, sizeof(buf)), "''");
}

static void a_span_is_in_the_largest_unit_without_a_rest(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = { { 0, "0s" },     { 1, "1s" },    { 90, "90s" },       { 120, "2m" },
		      { 5400, "90m" }, { 7200, "2h" }, { 2 * 86400, "2d" }, { 86401, "86401s" } };
	char buf[TEXT_DURATION_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_duration(cases[i].seconds, buf), cases[i].text);
	text_duration(UINT64_MAX, buf);
	assert_string_equal(buf, "18446744073709551615s");
}

static void bytes_are_two_digits_each(void **state)
{
	char buf[9] = "xxxxxxxx";

	text_hex((const uint8_t[]){ 0x00, 0x0f, 0xa0, 0xff }, 4, buf);
	assert_string_equal(buf, "000fa0ff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shell_reads_a_word_as_it_was),
		cmocka_unit_test(a_pattern_fits_its_own_name_alone),
		cmocka_unit_test(half_a_name_is_none),
		cmocka_unit_test(a_span_is_in_the_largest_unit_without_a_rest),
		cmocka_unit_test(bytes_are_two_digits_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
