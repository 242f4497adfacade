/* SPDX-License-Identifier: Apache-2.0 */
/* usage/text_meter.h: what counts as text. */
#include "unit.h"

#include "usage/text_meter.h"

static void feed(struct text_meter *meter, const char *text, enum json_text end)
{
	text_meter_take(meter, JSON_TEXT_BEGIN, NULL, 0);
	text_meter_take(meter, JSON_TEXT_SPAN, (const uint8_t *)text, strlen(text));
	text_meter_take(meter, end, NULL, 0);
}

static void a_string_may_come_in_pieces(void **state)
{
	struct text_meter whole = { 0 }, pieces = { 0 };

	feed(&whole, "what is the weather", JSON_TEXT_END);
	text_meter_take(&pieces, JSON_TEXT_BEGIN, NULL, 0);
	text_meter_take(&pieces, JSON_TEXT_SPAN, (const uint8_t *)"what is the ", 12);
	text_meter_take(&pieces, JSON_TEXT_SPAN, (const uint8_t *)"weather", 7);
	text_meter_take(&pieces, JSON_TEXT_END, NULL, 0);
	assert_memory_equal(&whole.count, &pieces.count, sizeof(whole.count));
}

static void strings_do_not_run_together(void **state)
{
	struct text_meter two = { 0 }, one = { 0 }, spaced = { 0 };

	feed(&two, "data", JSON_TEXT_END);
	feed(&two, "base", JSON_TEXT_END);
	feed(&one, "database", JSON_TEXT_END);
	feed(&spaced, "data base", JSON_TEXT_END);
	assert_memory_equal(&two.count, &spaced.count, sizeof(two.count));
	assert_memory_not_equal(&two.count, &one.count, sizeof(two.count));
}

static void base64_is_taken_back_and_counted(void **state)
{
	struct text_meter meter = { 0 }, text = { 0 };

	feed(&meter, "look at this", JSON_TEXT_END);
	feed(&meter, "iVBORw0KGgoAAAANSUhEUgAA", JSON_TEXT_DROP);
	feed(&meter, "and say", JSON_TEXT_END);
	feed(&text, "look at this", JSON_TEXT_END);
	feed(&text, "and say", JSON_TEXT_END);
	assert_memory_equal(&meter.count, &text.count, sizeof(meter.count));
	assert_int_equal(meter.dropped, 1);
	assert_int_equal(text.dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_string_may_come_in_pieces),
		cmocka_unit_test(strings_do_not_run_together),
		cmocka_unit_test(base64_is_taken_back_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
