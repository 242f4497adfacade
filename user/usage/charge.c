/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/charge.h"

#include <stdio.h>
#include <string.h>

#include "http/user_agent.h"

const char *charge_source_name(enum charge_source source)
{
	static const char *const names[CHARGE_SOURCES] = {
		[CHARGE_PROVIDER] = "provider", [CHARGE_USAGE] = "usage",
		[CHARGE_PARTIAL] = "partial",   [CHARGE_TEXT] = "text",
		[CHARGE_SIZE] = "size",         [CHARGE_FREE] = "free",
		[CHARGE_PENDING] = "pending",
	};

	return (unsigned int)source < CHARGE_SOURCES ? names[source] : "";
}

bool charge_is_unconfirmed(const struct charge *charge)
{
	return !strcmp(charge->destination, CHARGE_UNCONFIRMED);
}

uint32_t charge_count(const struct charge *charge)
{
	if (!charge->count)
		return 1;
	return charge->count < CHARGE_COUNT_MAX ? charge->count : CHARGE_COUNT_MAX;
}

void charge_client_name(const struct charge *charge, char *ret)
{
	user_agent_name(charge->client, ret, CHARGE_CLIENT_LEN);
}

bool charge_shares_id(const uint64_t a[CHARGE_IDS], const uint64_t b[CHARGE_IDS])
{
	for (size_t i = 0; i < CHARGE_IDS; i++)
		for (size_t j = 0; a[i] && j < CHARGE_IDS; j++)
			if (a[i] == b[j])
				return true;
	return false;
}

const char *charge_outcome_name(enum charge_outcome outcome)
{
	static const char *const names[] = {
		[CHARGE_OK] = "ok",
		[CHARGE_ERROR] = "error",
		[CHARGE_ABORTED] = "aborted",
		[CHARGE_NO_ANSWER] = "no-answer",
	};

	return (unsigned int)outcome <= CHARGE_NO_ANSWER ? names[outcome] : "";
}

bool charge_is_measured(enum charge_source source)
{
	return source == CHARGE_PROVIDER || source == CHARGE_USAGE || source == CHARGE_FREE;
}

void charge_waive(struct charge *charge)
{
	charge->source = CHARGE_FREE;
	charge->is_priced = true;
	charge->usage = (struct usage){ 0 };
	charge->error_input = charge->error_output = 0;
	charge->error_nanos = charge->cost_nanos = charge->budget_nanos = 0;
	charge->under_input = charge->under_output = charge->excess = 0;
	charge->under_nanos = charge->over_nanos = charge->beside_nanos = 0;
	charge->price_key[0] = charge->price_origin[0] = charge->price_lacks[0] = '\0';
}
