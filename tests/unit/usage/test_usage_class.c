/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "usage/usage.h"

static void each_class_is_a_field_of_its_own(void **state)
{
	struct usage usage = { 0 };

	assert_int_equal(offsetof(struct usage, image_input), USAGE_COUNT * sizeof(uint64_t));
	for (size_t i = 0; i < USAGE_COUNT; i++) {
		assert_int_equal(usage_get(&usage, i), 0);
		*usage_at(&usage, i) = i + 1;
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(usage_classes[i].name, usage_classes[j].name);
	}
	for (size_t i = 0; i < USAGE_COUNT; i++)
		assert_int_equal(usage_get(&usage, i), i + 1);
	assert_int_equal(usage_get(&usage, USAGE_OF_web_searches), usage.web_searches);
	assert_string_equal(usage_classes[USAGE_OF_cache_read].name, "cache_read");
	assert_int_equal(usage_get(&usage, USAGE_OF_cache_read), usage.cache_read);
}

/* Reasoning is inside output, and a search is no token. */
static void each_token_is_counted_once(void **state)
{
	const struct usage usage = { .input = 1,
				     .cache_read = 20,
				     .cache_write_5m = 300,
				     .cache_write_1h = 4000,
				     .output = 50000,
				     .reasoning = 7,
				     .audio_input = 600000,
				     .audio_output = 7000000,
				     .web_searches = 9 };

	assert_int_equal(usage_tokens(&usage), 7654321);
}

/* What has no class of its own is one of the kind that has, and no token is lost. */
static void what_leaves_has_the_classes_of_the_table(void **state)
{
	const struct usage usage = { .input = 1,
				     .cache_read = 20,
				     .output = 300,
				     .image_input = 4000,
				     .cache_read_audio = 50000,
				     .image_output = 600000,
				     .video_output = 7000000,
				     .citations = 80000000,
				     .images = 9 };
	struct usage folded = usage_fold(&usage);

	assert_int_equal(usage_tokens(&folded), 87654321);
	assert_int_equal(folded.input, 80004001);
	assert_int_equal(folded.cache_read, 50020);
	assert_int_equal(folded.output, 7600300);
	assert_int_equal(folded.image_output, 0);
	assert_int_equal(folded.images, 9);
}

static void all_classes_are_added(void **state)
{
	struct usage sum = { 0 }, more;

	for (size_t i = 0; i < USAGE_COUNT; i++)
		*usage_at(&more, i) = 10 + i;
	usage_add(&sum, &more);
	usage_add(&sum, &more);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		assert_int_equal(usage_get(&sum, i), 2 * (10 + i));
}

/* Classes that share a column of the report lie side by side, in one object under one key. */
static void a_column_is_one_run_of_classes(void **state)
{
	for (size_t i = 0; i < USAGE_COUNT; i++)
		for (size_t j = 0; j < i; j++) {
			bool is_same = !strcmp(usage_classes[i].column, usage_classes[j].column);

			assert_true(!is_same ||
				    !strcmp(usage_classes[i - 1].column, usage_classes[i].column));
			assert_true(!is_same ||
				    !strcmp(usage_classes[i].json_key, usage_classes[j].json_key));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_is_a_field_of_its_own),
		cmocka_unit_test(each_token_is_counted_once),
		cmocka_unit_test(what_leaves_has_the_classes_of_the_table),
		cmocka_unit_test(all_classes_are_added),
		cmocka_unit_test(a_column_is_one_run_of_classes),
	};

	return cmocka_run_group_tests_name("usage_class", tests, NULL, NULL);
}
