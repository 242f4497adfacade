/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "usage/usage_slots.h"

static void the_sum_of_the_classes_is_the_providers_total(void **state)
{
	uint64_t seed = 42;

	/* OpenAI and Gemini include the cached part, whatever nonsense it is; nothing is made up. */
	for (int i = 0; i < 100000; i++) {
		struct usage_slots_usage slots = { 0 };
		struct usage u;
		enum dialect dialect = i % 2 ? DIALECT_OPENAI : DIALECT_GEMINI;

		for (int slot = SLOT_INPUT; slot < SLOTS; slot++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			slots.slots[slot] = (seed >> 33) % 1000;
		}
		slots.has = (1u << SLOTS) - 1;
		slots.slots[SLOT_TOTAL] = 0;
		assert_true(usage_slots_usage_settle(&slots, dialect, &u));
		assert_int_equal(u.input + u.cache_read + u.cache_write_5m + u.audio_input +
					 u.image_input + u.cache_read_audio,
				 slots.slots[SLOT_INPUT] + slots.slots[SLOT_TOOL_PROMPT]);
		assert_int_equal(u.output + u.audio_output + u.image_output + u.video_output,
				 slots.slots[SLOT_OUTPUT] + (dialect == DIALECT_GEMINI ?
								     slots.slots[SLOT_REASONING] :
								     0));
		assert_true(u.reasoning <= u.output);
	}
}

/* What events of a stream say, one over the other: {input, read, write, 5 min, output}. */
static void a_later_zero_takes_nothing_back(void **state)
{
#define NONE UINT64_MAX
	static const enum slot slots[] = { SLOT_INPUT, SLOT_CACHE_READ, SLOT_WRITE, SLOT_WRITE_5M,
					   SLOT_OUTPUT };
	static const struct {
		uint64_t first[5], later[5], result[5];
	} rows[] = {
		/* zeros that mean nothing */
		{ { 25000, 0, 0, NONE, 1 }, { 0, NONE, NONE, NONE, 50 }, { 25000, 0, 0, 0, 50 } },
		{ { 25000, 7, 9, 9, 1 }, { 0, 0, 0, NONE, 50 }, { 25000, 7, 9, 9, 50 } },
		{ { 5, 7, 9, 9, 60 }, { 5, 7, 9, 9, 0 }, { 5, 7, 9, 9, 60 } },
		/* tokens that moved from one class to another */
		{ { 3, 0, 58352, 58352, 1 }, { 3, 58352, 0, NONE, 40 }, { 3, 58352, 0, 0, 40 } },
		{ { 100, 0, 0, NONE, 1 }, { 0, 100, NONE, NONE, 40 }, { 0, 100, 0, 0, 40 } },
		/* a correction that is no zero */
		{ { 100, 0, 50, 50, 1 }, { 90, 0, 40, NONE, 40 }, { 90, 0, 40, 0, 40 } },
		{ { 100, 5, 0, NONE, 1 }, { NONE, NONE, NONE, NONE, 40 }, { 100, 5, 0, 0, 40 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct usage_slots_usage sum = { 0 };

		for (int event = 0; event < 2; event++) {
			const uint64_t *told = event ? rows[i].later : rows[i].first;
			struct usage_slots_usage one = { 0 };

			for (int j = 0; j < 5; j++)
				if (told[j] != NONE) {
					one.slots[slots[j]] = told[j];
					one.has |= 1u << slots[j];
				}
			usage_slots_usage_merge(&sum, &one);
		}
		for (int j = 0; j < 5; j++)
			assert_int_equal(sum.slots[slots[j]], rows[i].result[j]);
	}
}

static void anthropic_keeps_its_classes_apart(void **state)
{
	struct usage_slots_usage slots = { 0 };
	struct usage u;

	usage_slots_usage_set(&slots, SLOT_INPUT, "3");
	usage_slots_usage_set(&slots, SLOT_CACHE_READ, "9511");
	usage_slots_usage_set(&slots, SLOT_WRITE, "7");
	assert_true(usage_slots_usage_settle(&slots, DIALECT_ANTHROPIC, &u));
	assert_int_equal(u.input, 3);
	assert_int_equal(u.cache_read, 9511);
	assert_int_equal(u.cache_write_5m, 7);
	/* The split wins over the sum. */
	usage_slots_usage_set(&slots, SLOT_WRITE_5M, "2");
	usage_slots_usage_set(&slots, SLOT_WRITE_1H, "5");
	assert_true(usage_slots_usage_settle(&slots, DIALECT_ANTHROPIC, &u));
	assert_int_equal(u.cache_write_5m, 2);
	assert_int_equal(u.cache_write_1h, 5);
}

static void reasoning_beside_output_is_seen_by_the_total(void **state)
{
	struct usage_slots_usage slots = { 0 };
	struct usage u;

	usage_slots_usage_set(&slots, SLOT_INPUT, "14");
	usage_slots_usage_set(&slots, SLOT_OUTPUT, "27");
	usage_slots_usage_set(&slots, SLOT_REASONING, "270");
	assert_true(usage_slots_usage_settle(&slots, DIALECT_OPENAI, &u));
	assert_int_equal(u.output, 27);
	usage_slots_usage_set(&slots, SLOT_TOTAL, "311");
	assert_true(usage_slots_usage_settle(&slots, DIALECT_OPENAI, &u));
	assert_int_equal(u.output, 297);
}

static void odd_numbers_make_the_whole_unusable(void **state)
{
	static const char *const odd[] = { "-1", "1.5", "1000000001", "1e99", "x" };
	struct usage u;

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct usage_slots_usage slots = { 0 };

		usage_slots_usage_set(&slots, SLOT_INPUT, "5");
		usage_slots_usage_set(&slots, SLOT_OUTPUT, odd[i]);
		assert_false(usage_slots_usage_settle(&slots, DIALECT_OPENAI, &u));
	}
	assert_false(usage_slots_usage_settle(&(struct usage_slots_usage){ 0 }, DIALECT_OPENAI, &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_of_the_classes_is_the_providers_total),
		cmocka_unit_test(a_later_zero_takes_nothing_back),
		cmocka_unit_test(anthropic_keeps_its_classes_apart),
		cmocka_unit_test(reasoning_beside_output_is_seen_by_the_total),
		cmocka_unit_test(odd_numbers_make_the_whole_unusable),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
