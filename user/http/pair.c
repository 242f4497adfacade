/* SPDX-License-Identifier: Apache-2.0 */
#include "http/pair.h"

static void request_add(struct pair *pair, uint64_t number, enum pair_method method)
{
	uint64_t bit = 1ull << (number % 64);

	pair->requests = number;
	pair->heads &= ~bit;
	pair->connects &= ~bit;
	if (method == PAIR_HEAD)
		pair->heads |= bit;
	else if (method == PAIR_CONNECT)
		pair->connects |= bit;
}

uint64_t pair_request(struct pair *pair, enum pair_method method)
{
	request_add(pair, pair->requests + 1, method);
	return pair->requests;
}

uint64_t pair_answer(struct pair *pair, bool after_gap, enum pair_method *ret)
{
	uint64_t number = pair->answers + 1, bit;

	if (after_gap && pair->requests > number)
		number = pair->requests;
	if (number > pair->requests)
		request_add(pair, number, PAIR_OTHER);
	pair->answers = number;
	bit = 1ull << (number % 64);
	*ret = pair->heads & bit ? PAIR_HEAD : pair->connects & bit ? PAIR_CONNECT : PAIR_OTHER;
	return number;
}
