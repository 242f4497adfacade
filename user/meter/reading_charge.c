/* SPDX-License-Identifier: Apache-2.0 */
/* What a call cost, by its usage or by an estimate, and what it teaches the next estimate. */
#include "meter/reading_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "usage/bound.h"
#include "usage/estimate.h"
#include "meter/redact.h"
#include "usage/usage_slots.h"

static enum charge_outcome outcome(const struct reading *reading)
{
	if (reading->status >= 400 || reading->answer.has_error)
		return CHARGE_ERROR;
	if (!reading->has_head)
		return reading->is_over || reading->answer_ended ? CHARGE_NO_ANSWER : CHARGE_OK;
	if (reading->answer.is_done || reading->answer_is_whole)
		return CHARGE_OK;
	return reading->is_over || reading->answer_ended ? CHARGE_ABORTED : CHARGE_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool reading_is_cut(const struct reading *reading)
{
	enum charge_outcome what = outcome(reading);

	return what == CHARGE_ABORTED || (what == CHARGE_NO_ANSWER && reading->request_is_whole);
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
static void set_model(const struct reading *reading, struct charge *ret)
{
	const struct answer_reading *answer = &reading->answer;
	const char *model = *answer->model ? answer->model : reading->model, *slash;
	int before;

	if (reading->model_is_path && *reading->model && !is_opaque(reading->model))
		model = reading->model;
	if (!*model && answer->extras_count)
		model = answer->extras[0].model;
	/* A gateway's request names the owner, too: "grok/grok-3". */
	slash = reading_provider(reading)->is_gateway ? strchr(reading->model, '/') : NULL;
	before = slash ? (int)(slash + 1 - reading->model) : 0;
	if (!before || strchr(model, '/') ||
	    !provider_by_gateway_name(reading->model, (size_t)before - 1))
		before = 0;
	memcpy(ret->model, reading->model, (size_t)before);
	snprintf(ret->model + before, sizeof(ret->model) - (size_t)before, "%s", model);
	redact_model(ret->model);
}

/* A job is identified by its id: the segment that the star of the endpoint's tail matches. */
static void set_job(const struct reading *reading, struct charge *ret)
{
	const char *end = reading->path + strlen(reading->path), *begin;

	ret->is_poll = reading_endpoint(reading)->job || reading->is_prewarm;
	if (!reading_endpoint(reading)->job) {
		/* A job whose answer came by the request that began it; others may ask after it yet. */
		if (reading->is_background || reading_endpoint(reading)->starts_job)
			memcpy(ret->job, reading->answer.id, sizeof(ret->job));
		return;
	}
	/* Whether a batch is asked after or its results are downloaded, it is one bill. */
	if (*reading->answer.output_file) {
		memcpy(ret->job, reading->answer.output_file, sizeof(ret->job));
		return;
	}
	while (end > reading->path && end[-1] == '/')
		end--;
	for (const char *at = strrchr(reading_endpoint(reading)->tail, '*'); at && *at; at++)
		while (*at == '/' && end > reading->path && *--end != '/')
			;
	for (begin = end; begin > reading->path && begin[-1] != '/';)
		begin--;
	snprintf(ret->job, sizeof(ret->job), "%.*s", (int)(end - begin), begin);
}

/* Whose bill it is: the answer says it for certain, a request asks for it. */
static void set_account(const struct reading *reading, struct charge *ret)
{
	char organisation[HTTP_ACCOUNT_LEN], project[HTTP_ACCOUNT_LEN];

	memcpy(organisation, reading->organisation, sizeof(organisation));
	memcpy(project, reading->project, sizeof(project));
	redact_model(organisation);
	redact_model(project);
	if (*organisation || *project)
		snprintf(ret->account, sizeof(ret->account), "%s/%s", organisation, project);
}

void reading_ids(const struct reading *reading, uint64_t ret[CHARGE_IDS])
{
	const char *id = reading->answer.id;
	size_t len = strlen(id);

	/* What was cut may be the beginning of many: LiteLLM's ids of responses begin with the name of the model. */
	ret[0] = len < sizeof(reading->answer.id) - 1 ? http_answer_id(id, len) : 0;
	memcpy(ret + 1, reading->ids, sizeof(reading->ids));
}

static void fill(const struct reading *reading, struct charge *ret)
{
	const struct answer_reading *answer = &reading->answer;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->provider, sizeof(ret->provider), "%s", reading_provider(reading)->name);
	snprintf(ret->operation, sizeof(ret->operation), "%s", reading_operation(reading));
	memcpy(ret->host, reading->host, sizeof(ret->host));
	redact_path(reading->path, ret->path, sizeof(ret->path));
	set_model(reading, ret);
	ret->status = reading->status;
	set_job(reading, ret);
	set_account(reading, ret);
	memcpy(ret->client, reading->client, sizeof(ret->client));
	memcpy(ret->api_key, reading->api_key, sizeof(ret->api_key));
	reading_ids(reading, ret->ids);
	ret->outcome = outcome(reading);
	ret->is_stream = answer->form == ANSWER_SSE ||
			 (answer->form == ANSWER_UNKNOWN && reading->wants_stream);
	ret->request_bytes = reading->request_bytes;
	ret->response_bytes = reading->answer_bytes + reading->unread_bytes;
	ret->start_mono_ns = reading->start_ns;
	ret->first_token_ns = reading->first_token_ns;
	ret->duration_ns = reading->end_ns > reading->start_ns ?
				   reading->end_ns - reading->start_ns :
				   0;
}

/*
 * Usage of the call's own model, or of one beside it, is cut to what can be; what was beyond is added up. Of a
 * batch the requests add up, which no context bounds.
 */
static void bound(const struct reading *reading, const struct prices *prices, const char *model,
		  struct usage *usage, uint64_t *excess)
{
	struct bound most;

	if (reading_endpoint(reading)->job && reading_endpoint(reading)->tier)
		return;
	prices_limits(prices, reading_provider(reading)->name, model, &most.input, &most.output);
	/* Many texts in one call, each of which may be as long as the model takes. */
	if (!strcmp(reading_operation(reading), "embeddings") ||
	    !strcmp(reading_operation(reading), "rerank"))
		most.input = BOUND_TEXTS;
	if (reading->images_wanted > 4) /* "n": how many choices */
		most.output *= reading->images_wanted;
	*excess += usage_bound(usage, &most);
}

/* What the image tool takes where the request names no model (developers.openai.com, 2026-11). */
#define IMAGE_TOOL_MODEL "gpt-image-1.5"

/* Iterations at models of their own are priced there and added: money and tokens. */
static void add_extras(const struct reading *reading, const struct prices *prices, const char *tier,
		       struct charge *ret)
{
	for (size_t i = 0; i < reading->answer.extras_count; i++) {
		const struct extra *extra = &reading->answer.extras[i];
		const char *model = *extra->model ? extra->model : reading->answer.tool_model;
		struct charge part = *ret;

		part.usage = extra->usage;
		/* An image tool whose model is not named. */
		if (!*model && part.usage.image_output)
			model = IMAGE_TOOL_MODEL;
		if (*model)
			snprintf(part.model, sizeof(part.model), "%s", model);
		redact_model(part.model);
		bound(reading, prices, part.model, &part.usage, &ret->excess);
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
static void tier_words(const struct reading *reading, char *tier, size_t size)
{
	const struct answer_reading *answer = &reading->answer;
	const struct {
		const char *name, *value;
	} words[] = {
		{ "size", *answer->size ? answer->size : reading->size },
		{ "quality", *answer->quality ? answer->quality : reading->quality },
		{ "context", *answer->context ? answer->context : reading->context },
	};
	char word[TIER_LEN + 12];

	if (reading_endpoint(reading)->tier)
		add_words(tier, size, reading_endpoint(reading)->tier);
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

/*
 * A figure in the name of a provider that never tells any is somebody's between, and would make calls free at will. A host
 * that the operator named may be a gateway that does.
 */
static bool tells_cost(const struct reading *reading)
{
	return reading->answer.has_cost &&
	       !(reading_provider(reading)->tells_no_cost && provider_has_host(reading->host));
}

/* Only a gateway's fee is known: the upstream's part is priced as any other call, and the fee is added. */
static bool upstream_is_unknown(const struct reading *reading)
{
	return tells_cost(reading) && reading->answer.is_byok && !reading->answer.has_upstream;
}

/* The provider's own figure, which with a key of the customer's own is the gateway's fee alone. */
static bool provider_cost(const struct reading *reading, struct charge *ret)
{
	const struct answer_reading *answer = &reading->answer;
	uint64_t nanos;

	if (!tells_cost(reading) || ret->source == CHARGE_FREE || upstream_is_unknown(reading))
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
static bool is_provisioned(const struct reading *reading, struct charge *ret)
{
	const char *tier = reading->answer.tier;

	if (!reading->answer.is_provisioned && !strstr(reading->model, ":provisioned-model/") &&
	    strcmp(tier, "reserved") && strcmp(tier, "scale"))
		return false;
	ret->is_priced = true;
	ret->error_input = ret->error_output = ret->under_input = ret->under_output = 0;
	snprintf(ret->price_key, sizeof(ret->price_key), "provisioned throughput");
	snprintf(ret->price_origin, sizeof(ret->price_origin), "paid by the hour");
	return true;
}

/* The answer says that a job was started; the answer to a later request will contain its usage. */
static bool is_pending(const struct reading *reading)
{
	const char *operation = reading_endpoint(reading)->operation;

	if (reading_endpoint(reading)->job || reading->status >= 400 || reading->answer.has_error)
		return false;
	if (!strcmp(operation, "batch") || (reading->is_deferred && !reading->answer.is_done))
		return true;
	if (strcmp(operation, "chat") && strcmp(operation, "prediction") &&
	    strcmp(operation, "generate_content") && strcmp(operation, "transcription"))
		return false;
	/* A stream that was cut was in progress, too. */
	return reading_is_unfinished(reading) &&
	       (reading->is_background || strcmp(reading->answer.status, "in_progress"));
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
static void settle_characters(const struct reading *reading, const struct prices *prices,
			      struct charge *charge)
{
	if (charge->source != CHARGE_TEXT || !charge->is_priced || !reading_has_request(reading) ||
	    !prices_by_character(prices, charge))
		return;
	charge->source = CHARGE_USAGE;
	charge->usage.input = charge->usage.millis = 0;
	charge->error_input = charge->error_output = charge->under_input = charge->under_output = 0;
	charge->error_nanos = charge->under_nanos = charge->over_nanos = 0;
}

void reading_charge(const struct reading *reading, const struct prices *prices,
		    const struct calibration *calibration, struct charge *ret)
{
	char tier[8 * TIER_LEN] = "";

	fill(reading, ret);
	reading_settle(reading, calibration, ret);
	ret->under_input = least(ret->error_input, ret->usage.input);
	ret->under_output = least(ret->error_output, ret->usage.output);
	if (ret->source == CHARGE_USAGE || ret->source == CHARGE_PARTIAL)
		bound(reading, prices, ret->model, &ret->usage, &ret->excess);
	tier_words(reading, tier, sizeof(tier));
	if (provider_cost(reading, ret))
		return;
	if (ret->source == CHARGE_FREE || reading_provider(reading)->is_subscription) {
		ret->is_priced = true;
		return;
	}
	if (is_provisioned(reading, ret))
		return;
	if (reading_provider(reading)->is_own) {
		prices_apply_own(prices, tier, ret);
		return;
	}
	prices_apply(prices, tier, ret);
	if (reading->answer.has_parts)
		begin_parts(ret);
	if (ret->source == CHARGE_USAGE || ret->source == CHARGE_PARTIAL)
		add_extras(reading, prices, tier, ret);
	if (ret->is_priced && upstream_is_unknown(reading)) {
		ret->cost_nanos += (int64_t)reading->answer.cost_nanos;
		ret->budget_nanos += (int64_t)reading->answer.cost_nanos;
	}
	settle_characters(reading, prices, ret);
	set_beside(prices, ret);
	if (is_pending(reading))
		set_pending(ret);
}

void reading_teach(const struct reading *reading, struct calibration *calibration)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, reading->tenant, reading->host,
					     reading_calibrated_model(reading) };
	struct sizes sizes = reading_sizes(reading);
	struct usage usage;
	uint64_t input;

	/* Sizes of protobuf are not those of JSON. */
	if (!reading->request_is_whole || !reading->answer.is_final || reading->is_turn ||
	    reading->is_grpc ||
	    !usage_slots_usage_settle(&reading->answer.slots, reading_dialect(reading), &usage))
		return;
	input = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h +
		usage.audio_input;
	if (reading_has_request(reading) && input)
		calibration_learn(calibration, &key, reading_input_estimate(reading), input);
	sizes.response_bytes = reading->answer_plain_bytes;
	if (sizes.form != ANSWER_UNKNOWN)
		estimate_sizes_learn(&sizes, calibration, input, usage.output + usage.audio_output);
}
