/* SPDX-License-Identifier: Apache-2.0 */
/* What a call cost, by its usage or by an estimate, and what it teaches the next estimate. */
#include "meter/call_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "usage/bound.h"
#include "usage/estimate.h"
#include "meter/redact.h"
#include "usage/usage_slots.h"

static enum charge_outcome outcome(const struct call *call)
{
	if (call->status >= 400 || call->answer.has_error)
		return CHARGE_ERROR;
	if (!call->has_head)
		return call->is_over || call->answer_ended ? CHARGE_NO_ANSWER : CHARGE_OK;
	if (call->answer.is_done || call->answer_is_whole)
		return CHARGE_OK;
	return call->is_over || call->answer_ended ? CHARGE_ABORTED : CHARGE_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool call_is_cut(const struct call *call)
{
	enum charge_outcome what = outcome(call);

	return what == CHARGE_ABORTED || (what == CHARGE_NO_ANSWER && call->request_is_whole);
}

static void add_words(char *tier, size_t size, const char *word)
{
	size_t len = strlen(tier);

	if (*word)
		snprintf(tier + len, size - len, "%s%s", len ? " " : "", word);
}

/* An ARN without a model's name: only the answer reveals the model. */
static bool is_opaque(const char *model)
{
	return strstr(model, ":application-inference-profile/") ||
	       strstr(model, ":imported-model/") || strstr(model, ":provisioned-model/") ||
	       strstr(model, "prompt-router/") || strstr(model, ":prompt/");
}

/* The answer's name is exact, but at Bedrock the profile of the path decides the price. */
static void set_model(const struct call *call, struct charge *ret)
{
	const struct answer *answer = &call->answer;
	const char *model = *answer->model ? answer->model : call->model, *slash;
	int before;

	if (call->model_is_path && *call->model && !is_opaque(call->model))
		model = call->model;
	if (!*model && answer->extras_count)
		model = answer->extras[0].model;
	/* A gateway's request names the owner, too: "grok/grok-3". */
	slash = call->provider->is_gateway ? strchr(call->model, '/') : NULL;
	before = slash ? (int)(slash + 1 - call->model) : 0;
	if (!before || strchr(model, '/') ||
	    !provider_by_gateway_name(call->model, (size_t)before - 1))
		before = 0;
	memcpy(ret->model, call->model, (size_t)before);
	snprintf(ret->model + before, sizeof(ret->model) - (size_t)before, "%s", model);
	redact_model(ret->model);
}

/* A job is identified by its id: the segment that the star of the endpoint's tail matches. */
static void set_job(const struct call *call, struct charge *ret)
{
	const char *end = call->path + strlen(call->path), *begin;

	ret->is_poll = call->endpoint->job || call->is_prewarm;
	if (!call->endpoint->job) {
		/* A job whose answer came by the request that began it; others may ask after it yet. */
		if (call->is_background || call->endpoint->starts_job)
			memcpy(ret->job, call->answer.id, sizeof(ret->job));
		return;
	}
	/* Whether a batch is asked after or its results are downloaded, it is one bill. */
	if (*call->answer.output_file) {
		memcpy(ret->job, call->answer.output_file, sizeof(ret->job));
		return;
	}
	while (end > call->path && end[-1] == '/')
		end--;
	for (const char *at = strrchr(call->endpoint->tail, '*'); at && *at; at++)
		while (*at == '/' && end > call->path && *--end != '/')
			;
	for (begin = end; begin > call->path && begin[-1] != '/';)
		begin--;
	snprintf(ret->job, sizeof(ret->job), "%.*s", (int)(end - begin), begin);
}

/* Whose bill it is: the answer says it for certain, a request asks for it. */
static void set_account(const struct call *call, struct charge *ret)
{
	char organisation[HTTP_ACCOUNT_LEN], project[HTTP_ACCOUNT_LEN];

	memcpy(organisation, call->organisation, sizeof(organisation));
	memcpy(project, call->project, sizeof(project));
	redact_model(organisation);
	redact_model(project);
	if (*organisation || *project)
		snprintf(ret->account, sizeof(ret->account), "%s/%s", organisation, project);
}

static void fill(const struct call *call, struct charge *ret)
{
	const struct answer *answer = &call->answer;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->provider, sizeof(ret->provider), "%s", call->provider->name);
	snprintf(ret->operation, sizeof(ret->operation), "%s", call_operation(call));
	memcpy(ret->host, call->host, sizeof(ret->host));
	redact_path(call->path, ret->path, sizeof(ret->path));
	set_model(call, ret);
	ret->status = call->status;
	set_job(call, ret);
	set_account(call, ret);
	memcpy(ret->client, call->client, sizeof(ret->client));
	ret->outcome = outcome(call);
	ret->is_stream = answer->form == ANSWER_SSE ||
			 (answer->form == ANSWER_UNKNOWN && call->wants_stream);
	ret->request_bytes = call->request_bytes;
	ret->response_bytes = call->answer_bytes + call->unread_bytes;
	ret->start_mono_ns = call->start_ns;
	ret->first_token_ns = call->first_token_ns;
	ret->duration_ns = call->end_ns > call->start_ns ? call->end_ns - call->start_ns : 0;
}

/*
 * Usage of the call's own model, or of one beside it, is cut to what can be; what was beyond is added up. Of a
 * batch the requests add up, which no context bounds.
 */
static void bound(const struct call *call, const struct prices *prices, const char *model,
		  struct usage *usage, uint64_t *excess)
{
	struct bound most;

	if (call->endpoint->job && call->endpoint->tier)
		return;
	prices_limits(prices, call->provider->name, model, &most.input, &most.output);
	/* Many texts in one call, each of which may be as long as the model takes. */
	if (!strcmp(call_operation(call), "embeddings") || !strcmp(call_operation(call), "rerank"))
		most.input = BOUND_TEXTS;
	if (call->images_wanted > 4) /* "n": how many choices */
		most.output *= call->images_wanted;
	*excess += usage_bound(usage, &most);
}

/* What the image tool takes where the request names no model (developers.openai.com, 2026-11). */
#define IMAGE_TOOL_MODEL "gpt-image-1.5"

/* Iterations at models of their own are priced there and added: money and tokens. */
static void add_extras(const struct call *call, const struct prices *prices, const char *tier,
		       struct charge *ret)
{
	for (size_t i = 0; i < call->answer.extras_count; i++) {
		const struct extra *extra = &call->answer.extras[i];
		const char *model = *extra->model ? extra->model : call->answer.tool_model;
		struct charge part = *ret;

		part.usage = extra->usage;
		/* An image tool whose model is not named. */
		if (!*model && part.usage.image_output)
			model = IMAGE_TOOL_MODEL;
		if (*model)
			snprintf(part.model, sizeof(part.model), "%s", model);
		redact_model(part.model);
		bound(call, prices, part.model, &part.usage, &ret->excess);
		prices_apply(prices, tier, &part);
		ret->is_priced &= part.is_priced;
		ret->cost_nanos += part.cost_nanos;
		ret->budget_nanos += part.budget_nanos;
		usage_add(&ret->usage, &part.usage);
		if (!*ret->price_key) {
			memcpy(ret->price_key, part.price_key, sizeof(ret->price_key));
			memcpy(ret->price_origin, part.price_origin, sizeof(ret->price_origin));
		}
	}
	if (!ret->is_priced)
		ret->cost_nanos = 0;
}

/* The sum is not billed; its parts are, each at a model of its own. */
static void begin_parts(struct charge *charge)
{
	charge->usage = (struct usage){ 0 };
	charge->cost_nanos = charge->budget_nanos = 0;
	charge->is_priced = true;
	charge->price_key[0] = charge->price_origin[0] = charge->price_lacks[0] = '\0';
}

/* The words that change prices. */
static void tier_words(const struct call *call, char *tier, size_t size)
{
	const struct answer *answer = &call->answer;
	const struct {
		const char *name, *value;
	} words[] = {
		{ "size", *answer->size ? answer->size : call->size },
		{ "quality", *answer->quality ? answer->quality : call->quality },
		{ "context", *answer->context ? answer->context : call->context },
	};
	char word[TIER_LEN + 12];

	if (call->endpoint->tier)
		add_words(tier, size, call->endpoint->tier);
	add_words(tier, size, answer->tier);
	add_words(tier, size, answer->speed);
	add_words(tier, size, answer->geo);
	add_words(tier, size, answer->searches_preview ? "web_search_preview" : "");
	add_words(tier, size, answer->searches_maps ? "maps" : "");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(word, sizeof(word), "%s=%s", words[i].name, words[i].value);
		add_words(tier, size, *words[i].value ? word : "");
	}
}

/* A cost is believed up to 1,000 USD a million tokens, which no model comes near, and 100 USD of searches and the like. */
#define COST_TOKEN_MAX  1000000ULL
#define COST_PIECES_MAX (100ULL * NANOS_PER_USD)

/* Only a gateway's fee is known: the upstream's part is priced as any other call, and the fee is added. */
static bool upstream_is_unknown(const struct answer *answer)
{
	return answer->has_cost && answer->is_byok && !answer->has_upstream;
}

/* The provider's own figure, which with a key of the customer's own is the gateway's fee alone. */
static bool provider_cost(const struct call *call, struct charge *ret)
{
	const struct answer *answer = &call->answer;
	uint64_t nanos;

	if (!answer->has_cost || ret->source == CHARGE_FREE || upstream_is_unknown(answer))
		return false;
	nanos = answer->cost_nanos + (answer->is_byok ? answer->upstream_nanos : 0);
	if (nanos > usage_tokens(&ret->usage) * COST_TOKEN_MAX + COST_PIECES_MAX) {
		ret->excess++;
		return false;
	}
	ret->source = CHARGE_PROVIDER;
	ret->error_input = ret->error_output = ret->under_input = ret->under_output = 0;
	ret->cost_nanos = (int64_t)nanos;
	ret->budget_nanos = ret->cost_nanos;
	ret->is_priced = true;
	return true;
}

/*
 * Capacity that was bought by the hour: its tokens cost nothing more. Bedrock's tier "reserved" and OpenAI's "scale"
 * are that; what overflows is answered in another tier.
 */
static bool is_provisioned(const struct call *call, struct charge *ret)
{
	const char *tier = call->answer.tier;

	if (!call->answer.is_provisioned && !strstr(call->model, ":provisioned-model/") &&
	    strcmp(tier, "reserved") && strcmp(tier, "scale"))
		return false;
	ret->is_priced = true;
	ret->error_input = ret->error_output = ret->under_input = ret->under_output = 0;
	snprintf(ret->price_key, sizeof(ret->price_key), "provisioned throughput");
	snprintf(ret->price_origin, sizeof(ret->price_origin), "paid by the hour");
	return true;
}

/* The answer says that a job was started; the answer to a later request will contain its usage. */
static bool is_pending(const struct call *call)
{
	const char *operation = call->endpoint->operation;

	if (call->endpoint->job || call->status >= 400 || call->answer.has_error)
		return false;
	if (!strcmp(operation, "batch") || (call->is_deferred && !call->answer.is_done))
		return true;
	if (strcmp(operation, "chat") && strcmp(operation, "prediction") &&
	    strcmp(operation, "generate_content") && strcmp(operation, "transcription"))
		return false;
	/* A stream that was cut was in progress, too. */
	return call_is_unfinished(call) &&
	       (call->is_background || strcmp(call->answer.status, "in_progress"));
}

/* Nothing is known of it yet, but what budgets hold back for it. */
static void set_pending(struct charge *charge)
{
	int64_t budget_nanos = charge->budget_nanos;

	charge_waive(charge);
	charge->source = CHARGE_PENDING;
	charge->job[0] = '\0';
	charge->budget_nanos = budget_nanos;
}

/* What the classes that leave for the ledger do not give of the cost. */
static void set_beside(const struct prices *prices, struct charge *charge)
{
	struct charge again = *charge;

	if (!charge->is_priced || charge->source == CHARGE_PROVIDER)
		return;
	again.usage = usage_fold(&charge->usage);
	again.beside_nanos = 0;
	prices_apply_again(prices, &again);
	charge->beside_nanos = charge->cost_nanos - (again.is_priced ? again.cost_nanos : 0);
}

/* The whole text is known, and nothing but its characters is billed. */
static void settle_characters(const struct call *call, const struct prices *prices,
			      struct charge *charge)
{
	if (charge->source != CHARGE_TEXT || !charge->is_priced || !call_request_is_read(call) ||
	    !prices_by_character(prices, charge))
		return;
	charge->source = CHARGE_USAGE;
	charge->usage.input = charge->usage.millis = 0;
	charge->error_input = charge->error_output = charge->under_input = charge->under_output = 0;
	charge->error_nanos = charge->under_nanos = charge->over_nanos = 0;
}

void call_charge(const struct call *call, const struct prices *prices,
		 const struct calibration *calibration, struct charge *ret)
{
	char tier[8 * TIER_LEN] = "";

	fill(call, ret);
	call_settle(call, calibration, ret);
	ret->under_input = least(ret->error_input, ret->usage.input);
	ret->under_output = least(ret->error_output, ret->usage.output);
	if (ret->source == CHARGE_USAGE || ret->source == CHARGE_PARTIAL)
		bound(call, prices, ret->model, &ret->usage, &ret->excess);
	tier_words(call, tier, sizeof(tier));
	if (provider_cost(call, ret))
		return;
	if (ret->source == CHARGE_FREE || call->provider->is_subscription) {
		ret->is_priced = true;
		return;
	}
	if (is_provisioned(call, ret))
		return;
	if (call->provider->is_own) {
		prices_apply_own(prices, tier, ret);
		return;
	}
	prices_apply(prices, tier, ret);
	if (call->answer.has_parts)
		begin_parts(ret);
	if (ret->source == CHARGE_USAGE || ret->source == CHARGE_PARTIAL)
		add_extras(call, prices, tier, ret);
	if (ret->is_priced && upstream_is_unknown(&call->answer)) {
		ret->cost_nanos += (int64_t)call->answer.cost_nanos;
		ret->budget_nanos += (int64_t)call->answer.cost_nanos;
	}
	settle_characters(call, prices, ret);
	set_beside(prices, ret);
	if (is_pending(call))
		set_pending(ret);
}

void call_teach(const struct call *call, struct calibration *calibration)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, call->tenant, call->host,
					     call_calibrated_model(call) };
	struct sizes sizes = call_sizes(call);
	struct usage usage;
	uint64_t input;

	/* Sizes of protobuf are not those of JSON. */
	if (!call->request_is_whole || !call->answer.is_final || call->is_turn || call->grpc ||
	    !usage_slots_usage_settle(&call->answer.slots, call_dialect(call), &usage))
		return;
	input = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h +
		usage.audio_input;
	if (call_request_is_read(call) && input)
		calibration_learn(calibration, &key, call_input_estimate(call), input);
	sizes.response_bytes = call->answer_plain_bytes;
	if (sizes.form != ANSWER_UNKNOWN)
		estimate_sizes_learn(&sizes, calibration, input, usage.output + usage.audio_output);
}
