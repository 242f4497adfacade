/* SPDX-License-Identifier: Apache-2.0 */
/* What a call without a price is taken to be: what the operator says, else what its program was seen to use. */
#include <stdio.h>
#include <string.h>

#include "pipeline/pipeline_internal.h"

static const char *program_of(const struct who_process *process)
{
	return *process->exe ? process->exe : process->comm;
}

/* What is measured of chats says nothing of embeddings and images; what is not read is a chat, most likely. */
static bool is_chat(const struct charge *charge)
{
	return !strcmp(charge->operation, "chat") || !strcmp(charge->operation, "unmetered");
}

bool pipeline_assume(struct pipeline *pipeline, const struct policy_subject *subject,
		     struct charge *charge)
{
	const struct pipeline_config *config = &pipeline->config;
	const char *model = config->policy ? policy_assumed(config->policy, subject) : NULL;
	struct mix_key program = { .tenant = subject->group->cgroup,
				   .program = program_of(subject->process),
				   .provider = charge->provider };
	struct mix_key all = program;
	struct price_mix mix = { .n = 1 };

	all.program = "";
	if (charge->is_priced || charge->source == CHARGE_FREE || charge->source == CHARGE_PENDING)
		return false;
	if (model) {
		snprintf(mix.models[0].model, sizeof(mix.models[0].model), "%s", model);
		mix.models[0].weight = 1;
		if (prices_assume(config->prices, &mix, "by configuration", charge))
			return true;
	}
	if (!is_chat(charge))
		return false;
	if (mix_find(pipeline->mix, &program, &mix) &&
	    prices_assume(config->prices, &mix, "as this program's calls", charge))
		return true;
	return mix_find(pipeline->mix, &all, &mix) &&
	       prices_assume(config->prices, &mix, "as this cgroup's calls", charge);
}

void pipeline_assume_learn(struct pipeline *pipeline, const struct policy_subject *subject,
			   const struct charge *charge)
{
	struct mix_key key = { .tenant = subject->group->cgroup,
			       .program = program_of(subject->process),
			       .provider = charge->provider };
	uint64_t tokens = usage_tokens(&charge->usage);

	if (!charge->is_priced || charge->source != CHARGE_USAGE || charge->excess ||
	    charge_is_unconfirmed(charge) || !is_chat(charge))
		return;
	mix_learn(pipeline->mix, &key, charge->model, tokens);
	key.program = "";
	mix_learn(pipeline->mix, &key, charge->model, tokens);
}
