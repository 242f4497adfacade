/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a name server's answer, and what is not. */
#include "unit.h"

#include <sys/socket.h>

#include "flow/answer.h"

/* A message that is put together: a head with counts, the question, records. */
struct made {
	uint8_t bytes[2048];
	size_t len;
};

static void put(struct made *made, const void *bytes, size_t len)
{
	memcpy(made->bytes + made->len, bytes, len);
	made->len += len;
}

static void put_u16(struct made *made, unsigned value)
{
	put(made, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

#define QUESTION "\3API\6openai\3com"

static struct made begun(unsigned flags, unsigned type, unsigned answers)
{
	struct made made = { .len = 0 };

	put_u16(&made, 0x1234);
	put_u16(&made, flags);
	put_u16(&made, 1);
	put_u16(&made, answers);
	put_u16(&made, 0);
	put_u16(&made, 0);
	put(&made, QUESTION, sizeof(QUESTION));
	put_u16(&made, type);
	put_u16(&made, 1);
	return made;
}

/* Named by a pointer to the question. */
static void add(struct made *made, unsigned type, const void *data, size_t len)
{
	put_u16(made, 0xc00c);
	put_u16(made, type);
	put_u16(made, 1);
	put_u16(made, 0);
	put_u16(made, 60);
	put_u16(made, (unsigned)len);
	put(made, data, len);
}

static const uint8_t v4[4] = { 192, 0, 2, 1 }, v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

static void addresses_behind_a_chain_of_names(void **state)
{
	struct made made = begun(0x8180, 1, 3);
	struct answer answer;

	add(&made, 5, "\3cdn\300\20", 6); /* an alias */
	add(&made, 1, v4, sizeof(v4));
	add(&made, 28, v6, sizeof(v6)); /* was not asked for */
	assert_true(answer_read(made.bytes, made.len, &answer));
	assert_string_equal(answer.host, "api.openai.com");
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.addresses[0].family, AF_INET);
	assert_memory_equal(answer.addresses[0].addr, v4, sizeof(v4));
	made = begun(0x8180, 28, 1);
	add(&made, 28, v6, sizeof(v6));
	assert_true(answer_read(made.bytes, made.len, &answer));
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.addresses[0].family, AF_INET6);
	assert_memory_equal(answer.addresses[0].addr, v6, sizeof(v6));
}

static void what_is_no_answer_is_not_read(void **state)
{
	struct answer answer;
	struct made made = begun(0x0100, 1, 1); /* a question */

	add(&made, 1, v4, sizeof(v4));
	assert_false(answer_read(made.bytes, made.len, &answer));
	made = begun(0x8183, 1, 1); /* there is no such name */
	add(&made, 1, v4, sizeof(v4));
	assert_false(answer_read(made.bytes, made.len, &answer));
	made = begun(0x8180, 65, 1); /* about something else */
	add(&made, 1, v4, sizeof(v4));
	assert_false(answer_read(made.bytes, made.len, &answer));
	made = begun(0x8180, 1, 1);
	made.bytes[12] = 0xc0; /* a pointer where the question is */
	assert_false(answer_read(made.bytes, made.len, &answer));
	made = begun(0x8180, 1, 1);
	made.bytes[13] = '\n';
	assert_false(answer_read(made.bytes, made.len, &answer));
	made = begun(0x8180, 1, 1);
	made.bytes[5] = 2; /* two questions */
	assert_false(answer_read(made.bytes, made.len, &answer));
}

/* At each length it ends, or counts what came before. */
static void what_is_cut_off_counts_as_far_as_it_goes(void **state)
{
	struct made made = begun(0x8180, 1, 2);
	struct answer answer;
	size_t one, two;

	add(&made, 1, v4, sizeof(v4));
	one = made.len;
	add(&made, 1, v4, sizeof(v4));
	two = made.len;
	for (size_t len = 0; len <= two; len++) {
		uint8_t *exact = malloc(len + !len);

		memcpy(exact, made.bytes, len);
		if (answer_read(exact, len, &answer))
			assert_int_equal(answer.n, len == two ? 2 : len >= one);
		else
			assert_true(len < one);
		free(exact);
	}
}

static void more_addresses_than_there_is_room_for(void **state)
{
	struct made made = begun(0x8180, 1, 60);
	struct answer answer;

	for (int i = 0; i < 60; i++)
		add(&made, 1, v4, sizeof(v4));
	assert_true(answer_read(made.bytes, made.len, &answer));
	assert_int_equal(answer.n, ANSWER_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_behind_a_chain_of_names),
		cmocka_unit_test(what_is_no_answer_is_not_read),
		cmocka_unit_test(what_is_cut_off_counts_as_far_as_it_goes),
		cmocka_unit_test(more_addresses_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
