/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/jobs.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"

static uint64_t hash_text(uint64_t value, const char *text)
{
	return hash_fnv1a(hash_fnv1a(value, text, strlen(text)), "\xff", 1);
}

/* FNV-1a; 0 is an empty place. */
static uint64_t hash(const struct charge *charge)
{
	uint64_t value = hash_text(hash_text(FNV1A_BASIS, charge->provider), charge->job);

	return value ? value : 1;
}

bool jobs_seen(struct jobs *jobs, struct ledger *ledger, const struct charge *charge, int64_t now_us)
{
	uint64_t value = hash(charge);

	if (!*charge->job)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(jobs->hashes); i++)
		if (jobs->hashes[i] == value)
			return charge->is_poll;
	/* Nothing was used of it, or not all is known. */
	if (charge->source != CHARGE_USAGE && charge->source != CHARGE_PROVIDER)
		return false;
	jobs->hashes[jobs->next++ % JOBS_KEPT] = value;
	return ledger &&
	       ledger_claim_job(ledger, charge->provider, charge->job, now_us) == -EEXIST &&
	       charge->is_poll;
}
