/* SPDX-License-Identifier: Apache-2.0 */
/* The values of an answer that count: what each key of usage, model or cost sets. */
#include "usage/answer_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/decimal.h"

#define CHANNELS_MAX 64 /* of one recording */

static void set_string(char *to, size_t size, enum json_kind kind, const char *text)
{
	size_t len;

	if (kind != JSON_IS_STRING)
		return;
	text += strspn(text, " ");
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		len--;
	if (len)
		snprintf(to, size, "%.*s", (int)len, text);
}

static bool read_nanos(const char *text, int scale, uint64_t *ret)
{
	/* A million dollars a call is no cost. */
	return decimal_read(text, scale, ret) && *ret <= 1000000ULL * NANOS_PER_USD;
}

static void set_cost(struct answer *answer, const char *text, int scale)
{
	uint64_t nanos;

	if (!read_nanos(text, scale, &nanos))
		return;
	answer->reading->cost_nanos = nanos;
	answer->reading->has_cost = true;
}

/* The lists of counts by modality, and Bedrock's by time to live. */
static void end_detail(struct answer *answer, int list)
{
	static const struct {
		int list;
		const char *name;
		enum slot slot;
	} rows[] = {
		{ ANSWER_DETAIL_PROMPT, "AUDIO", SLOT_AUDIO_IN },
		{ ANSWER_DETAIL_PROMPT, "IMAGE", SLOT_IMAGE_IN },
		{ ANSWER_DETAIL_CACHE, "AUDIO", SLOT_READ_AUDIO },
		{ ANSWER_DETAIL_CACHE, "IMAGE", SLOT_READ_IMAGE },
		{ ANSWER_DETAIL_OUTPUT, "AUDIO", SLOT_AUDIO_OUT },
		{ ANSWER_DETAIL_OUTPUT, "IMAGE", SLOT_IMAGE_OUT },
		{ ANSWER_DETAIL_OUTPUT, "VIDEO", SLOT_VIDEO_OUT },
		{ ANSWER_DETAIL_WRITTEN, "5m", SLOT_WRITE_5M },
		{ ANSWER_DETAIL_WRITTEN, "1h", SLOT_WRITE_1H },
	};

	for (size_t i = 0; *answer->detail.count && i < ARRAY_SIZE(rows); i++)
		if (rows[i].list == list && !strcasecmp(rows[i].name, answer->detail.name))
			usage_slots_usage_set(&answer->now, rows[i].slot, answer->detail.count);
}

static void take_detail(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	if (kind == JSON_IS_BEGIN)
		memset(&answer->detail, 0, sizeof(answer->detail));
	else if (kind == JSON_IS_END)
		end_detail(answer, id);
	else if (id == ANSWER_MODALITY)
		set_string(answer->detail.name, sizeof(answer->detail.name), kind, text);
	else if (id == ANSWER_MODALITY_COUNT && kind == JSON_IS_NUMBER)
		snprintf(answer->detail.count, sizeof(answer->detail.count), "%s", text);
}

/* Gateways write counts as strings now and then. A class of less than nothing is one that is not known. */
static bool is_count(enum json_kind kind, const char *text)
{
	uint64_t value;

	if (*text == '-' && strpbrk(text, "123456789"))
		return false;
	return kind == JSON_IS_NUMBER || (kind == JSON_IS_STRING && decimal_count(text, &value));
}

static void take_count(struct answer *answer, int id, enum json_kind kind, const char *key,
		       const char *text)
{
	enum dialect dialect;

	if (!is_count(kind, text))
		return;
	usage_slots_usage_set(&answer->now, id, text);
	if (answer->keys != DIALECT_ANY)
		return;
	dialect = usage_dialect_of(key);
	if (dialect && (answer->reading->dialect == DIALECT_ANY || dialect == DIALECT_OPENAI))
		answer->reading->dialect = dialect;
}

/*
 * Of what a search tool did, searching is billed; to open a page or look through it is not
 * (developers.openai.com, "Web search", 2026-11).
 */
static void take_item(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	const char *type = answer->item_type;

	if (id == ANSWER_ITEM) {
		set_string(answer->item_type, sizeof(answer->item_type), kind, text);
	} else if (id == ANSWER_ACTION) {
		answer->item_is_free |= kind == JSON_IS_STRING && strcmp(text, "search");
	} else if (id == ANSWER_ITEM_STATUS) {
		answer->item_is_free |= kind == JSON_IS_STRING && !strcmp(text, "failed");
	} else if (kind == JSON_IS_BEGIN) {
		answer->item_type[0] = '\0';
		answer->item_is_free = false;
	} else if (kind == JSON_IS_END && !answer->item_is_free) {
		answer->searches += !strcmp(type, "web_search_call") || !strcmp(type, "web_search");
		answer->file_searches += !strcmp(type, "file_search_call");
		/* One container serves all calls of an answer. */
		if (!strcmp(type, "code_interpreter_call"))
			answer->sessions = 1;
	}
}

/* A duration in seconds, with decimals or not, goes to its slot in thousandths. */
static void take_seconds(struct answer *answer, enum json_kind kind, const char *text)
{
	uint64_t millis;

	if ((kind != JSON_IS_NUMBER && kind != JSON_IS_STRING) || !decimal_read(text, 3, &millis) ||
	    millis > USAGE_PLAUSIBLE)
		return;
	answer->now.slots[SLOT_MILLIS] = millis;
	answer->now.has |= 1u << SLOT_MILLIS;
}

static void take_cost(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	uint64_t nanos;

	switch (id) {
	case ANSWER_COST_USD:
		if (kind == JSON_IS_NUMBER || kind == JSON_IS_STRING)
			set_cost(answer, text, 9);
		break;
	case ANSWER_COST_PAID:
		if ((kind == JSON_IS_NUMBER || kind == JSON_IS_STRING) &&
		    read_nanos(text, 9, &nanos) && nanos)
			set_cost(answer, text, 9);
		break;
	case ANSWER_COST_TICKS:
		if (kind == JSON_IS_NUMBER)
			set_cost(answer, text, -1);
		break;
	case ANSWER_IS_BYOK:
		answer->reading->is_byok = kind == JSON_IS_TRUE;
		break;
	case ANSWER_UPSTREAM_COST:
		answer->reading->has_upstream = kind == JSON_IS_NUMBER &&
						read_nanos(text, 9,
							   &answer->reading->upstream_nanos);
		break;
	}
}

/* Of texts that are embedded together, each has its own count. */
static void add_embedded(struct answer *answer, const char *text)
{
	uint64_t before = answer->now.slots[SLOT_INPUT];

	usage_slots_usage_set(&answer->now, SLOT_INPUT, text);
	answer->now.slots[SLOT_INPUT] += before;
}

/* Vertex: the words of a tier inside "ON_DEMAND_FLEX" and the like. */
static void take_traffic(struct answer *answer, enum json_kind kind, const char *text)
{
	if (kind != JSON_IS_STRING)
		return;
	answer->reading->is_provisioned = !strcmp(text, "PROVISIONED_THROUGHPUT");
	if (strstr(text, "_FLEX"))
		snprintf(answer->reading->tier, sizeof(answer->reading->tier), "flex");
	else if (strstr(text, "_PRIORITY"))
		snprintf(answer->reading->tier, sizeof(answer->reading->tier), "priority");
}

static void take_error_code(struct answer *answer, enum json_kind kind, const char *text)
{
	answer->reading->is_filtered |= kind == JSON_IS_STRING &&
					(!strcmp(text, "content_filter") ||
					 !strcmp(text, "ResponsibleAIPolicyViolation"));
}

/* Values that are one string, kept as it is. */
static bool take_name(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	const struct {
		int id;
		char *to;
		size_t size;
	} names[] = {
		{ ANSWER_MODEL, answer->reading->model, sizeof(answer->reading->model) },
		{ ANSWER_TIER, answer->reading->tier, sizeof(answer->reading->tier) },
		{ ANSWER_SPEED, answer->reading->speed, sizeof(answer->reading->speed) },
		{ ANSWER_GEO, answer->reading->geo, sizeof(answer->reading->geo) },
		{ ANSWER_STATUS, answer->reading->status, sizeof(answer->reading->status) },
		{ ANSWER_CONTEXT, answer->reading->context, sizeof(answer->reading->context) },
		{ ANSWER_SIZE, answer->reading->size, sizeof(answer->reading->size) },
		{ ANSWER_QUALITY, answer->reading->quality, sizeof(answer->reading->quality) },
		{ ANSWER_ID, answer->reading->id, sizeof(answer->reading->id) },
		{ ANSWER_OUTPUT_FILE, answer->reading->output_file,
		  sizeof(answer->reading->output_file) },
		{ ANSWER_TYPE, answer->event_type, sizeof(answer->event_type) },
		{ ANSWER_TOOL_MODEL, answer->reading->tool_model,
		  sizeof(answer->reading->tool_model) },
		{ ITERATION_TYPE, answer->iteration_type, sizeof(answer->iteration_type) },
		{ ITERATION_MODEL, answer->iteration_model, sizeof(answer->iteration_model) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].id == id) {
			set_string(names[i].to, names[i].size, kind, text);
			return true;
		}
	return false;
}

void answer_take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	struct answer *answer = arg;

	(void)is_cut;
	if (id < SLOTS) {
		take_count(answer, id, kind, key, text);
		return;
	}
	if (id >= ITERATION_SLOT) {
		if (is_count(kind, text))
			usage_slots_usage_set(&answer->iteration, id - ITERATION_SLOT, text);
		return;
	}
	if (take_name(answer, id, kind, text))
		return;
	switch (id) {
	case ANSWER_ERROR:
		answer->reading->has_error |= kind == JSON_IS_BEGIN || kind == JSON_IS_STRING;
		break;
	case ANSWER_ERROR_CODE:
		take_error_code(answer, kind, text);
		break;
	case ANSWER_OUTPUT:
	case ANSWER_ITEM:
	case ANSWER_ACTION:
	case ANSWER_ITEM_STATUS:
		take_item(answer, id, kind, text);
		break;
	case ANSWER_TOOL_TYPE:
		/* or by its day: "web_search_preview_2025_03_11" */
		answer->reading->searches_preview |= kind == JSON_IS_STRING &&
						     !strncmp(text, "web_search_preview", 18);
		break;
	case ANSWER_BLOCK:
		answer->reading->has_blocks = true;
		break;
	case ANSWER_BACKGROUND:
		answer->reading->is_foreground = kind == JSON_IS_FALSE;
		break;
	case ANSWER_EMBEDDED:
		if (kind == JSON_IS_NUMBER)
			add_embedded(answer, text);
		break;
	case ANSWER_STOP:
		answer->goes_on = kind == JSON_IS_NULL;
		answer->reading->is_refused = kind == JSON_IS_STRING && !strcmp(text, "refusal");
		break;
	case ANSWER_IMAGE:
		answer->images += kind == JSON_IS_STRING;
		break;
	case ANSWER_GROUNDING:
		answer->groundings += kind == JSON_IS_STRING && *text;
		break;
	case ANSWER_GROUNDED:
		answer->is_grounded |= kind == JSON_IS_BEGIN;
		break;
	case ANSWER_MAPPED:
		answer->is_mapped |= kind == JSON_IS_BEGIN;
		answer->reading->searches_maps |= answer->is_mapped;
		break;
	case ANSWER_TRAFFIC:
		take_traffic(answer, kind, text);
		break;
	case ANSWER_SECONDS:
		take_seconds(answer, kind, text);
		break;
	case ANSWER_START:
		if (kind != JSON_IS_NUMBER || !decimal_read(text, 3, &answer->start_millis) ||
		    answer->start_millis > USAGE_PLAUSIBLE)
			answer->start_millis = 0;
		break;
	case ANSWER_LINE:
		if (kind == JSON_IS_END && answer->is_lines)
			answer_end_line(answer);
		break;
	case ANSWER_CHANNELS:
		if (!decimal_count(text, &answer->channels) || answer->channels > CHANNELS_MAX)
			answer->channels = 0;
		break;
	case ANSWER_ITERATION:
		answer_take_iteration(answer, kind);
		break;
	case ANSWER_RESULT:
		answer->reading->has_error |= kind == JSON_IS_NUMBER && strcmp(text, "0");
		break;
	case ANSWER_BREAKDOWN:
		answer_take_part(answer, kind);
		break;
	case ANSWER_TOOL_USAGE:
		answer_take_tool_usage(answer, kind);
		break;
	case ANSWER_DETAIL_PROMPT:
	case ANSWER_DETAIL_CACHE:
	case ANSWER_DETAIL_OUTPUT:
	case ANSWER_DETAIL_WRITTEN:
	case ANSWER_MODALITY:
	case ANSWER_MODALITY_COUNT:
		take_detail(answer, id, kind, text);
		break;
	default:
		take_cost(answer, id, kind, text);
	}
}

static void set_counted(struct usage_slots_usage *slots, enum slot slot, uint64_t n)
{
	if (!n)
		return;
	slots->slots[slot] = n;
	slots->has |= 1u << slot;
}

/* All usage read so far, including the current document. */
static void add_up(const struct answer *answer, struct usage_slots_usage *ret)
{
	struct usage_slots_usage now = answer->now;

	set_counted(&now, SLOT_SEARCHES, answer->searches);
	/* Grounding without its queries is one at least; that by maps is one beside it. */
	set_counted(&now, SLOT_SEARCHES,
		    (answer->groundings ? answer->groundings : answer->is_grounded) +
			    answer->is_mapped);
	set_counted(&now, SLOT_FILE_SEARCHES, answer->file_searches);
	set_counted(&now, SLOT_SESSIONS, answer->sessions);
	set_counted(&now, SLOT_IMAGES, answer->images);
	if (now.has >> SLOT_MILLIS & 1)
		now.slots[SLOT_MILLIS] += answer->start_millis;
	if (answer->channels)
		now.slots[SLOT_MILLIS] *= answer->channels;
	*ret = answer->reading->slots;
	usage_slots_usage_merge(ret, &now);
}

void answer_drop_document(struct answer *answer)
{
	memset(&answer->now, 0, sizeof(answer->now));
	answer->searches = answer->file_searches = answer->sessions = 0;
	answer->images = answer->groundings = answer->channels = 0;
	answer->start_millis = 0;
	answer->is_grounded = answer->is_mapped = answer->has_iterations = false;
}

/* Most events of a stream contain nothing of interest. */
static bool is_silent(const struct answer *answer)
{
	return !answer->now.has && !answer->now.is_implausible && !answer->searches &&
	       !answer->file_searches && !answer->sessions && !answer->images &&
	       !answer->groundings && !answer->is_grounded && !answer->is_mapped;
}

void answer_end_document(struct answer *answer)
{
	if (is_silent(answer)) {
		answer->has_iterations = false;
		return;
	}
	add_up(answer, &answer->reading->slots);
	answer_drop_document(answer);
}

void answer_update(struct answer *answer)
{
	answer->reading->text = answer->text.count;
	add_up(answer, &answer->reading->told);
}

void answer_end_line(struct answer *answer)
{
	struct usage usage;

	answer_end_document(answer);
	/* A request of a batch that was refused, failed or expired is not billed. */
	if (!answer->reading->is_refused &&
	    usage_slots_usage_settle(&answer->reading->slots, answer->reading->dialect, &usage))
		answer_add_extra(answer, answer->reading->model, &usage);
	memset(&answer->reading->slots, 0, sizeof(answer->reading->slots));
	answer->reading->is_refused = answer->reading->has_blocks = false;
}

/* Deltas of a stream do run together: "Hel" and "lo" are one word. */
static void take_delta(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct answer *answer = arg;

	if (what == JSON_TEXT_END)
		return;
	answer->has_content |= what == JSON_TEXT_SPAN;
	text_meter_take(&answer->text, what, bytes, len);
}

void answer_begin_parse(struct answer *answer, bool counts_text)
{
	answer->event_type[0] = '\0';
	answer->goes_on = false;
	answer->sink.text = counts_text ? take_delta : NULL;
	json_init(&answer->scan, usage_keys(answer->keys), &answer->sink);
}

void answer_take_count(struct answer *answer, const char *type, bool told)
{
	if (!strcmp(type, "message_start"))
		return;
	if (!strcmp(type, "message_stop"))
		answer->reading->is_final |= told || answer->has_early_count;
	else if (answer->goes_on)
		answer->has_early_count |= told;
	else
		answer->reading->is_final |= told;
}

/* True if the event contained a count of output, or what is billed instead of one. */
bool answer_end_parse(struct answer *answer)
{
	const uint32_t wanted = 1u << SLOT_OUTPUT | 1u << SLOT_MILLIS;
	bool told = answer->now.has & wanted;

	answer->sink.text = NULL;
	answer_end_document(answer);
	return told;
}
