/* SPDX-License-Identifier: Apache-2.0 */
/* Reads price files; docs/facts/wire.md, "Price file", describes the fields. */
#include "price/price.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/json.h"
#include "price/price_table.h"

enum field {
	FIELD_ENTRY = 1,
	FIELD_SCALAR,
	FIELD_SEARCH,
	FIELD_MULTIPLIER,
	FIELD_RANGE,
	FIELD_TIERED,
	FIELD_TIERED_SCALAR,
};

static const struct json_node search_keys[] = {
	{ "search_context_size_low", .id = FIELD_SEARCH },
	{ "search_context_size_high", .id = FIELD_SEARCH },
	{ "search_context_size_medium", .id = FIELD_SEARCH },
	{ 0 },
};
static const struct json_node multiplier_keys[] = {
	{ "us", .id = FIELD_MULTIPLIER },
	{ "fast", .id = FIELD_MULTIPLIER },
	{ 0 },
};
static const struct json_node tiered_keys[] = {
	{ "range", .id = FIELD_RANGE },
	{ "*", .id = FIELD_TIERED_SCALAR },
	{ 0 },
};
static const struct json_node entry_keys[] = {
	{ "search_context_cost_per_query", .in = search_keys },
	{ "provider_specific_entry", .in = multiplier_keys },
	{ "tiered_pricing", .id = FIELD_TIERED, .in = tiered_keys },
	{ "*", .id = FIELD_SCALAR },
	{ 0 },
};
static const struct json_node file_keys[] = {
	{ "*", .id = FIELD_ENTRY, .in = entry_keys },
	{ 0 },
};

struct reader {
	struct prices *prices;
	const char *text, *name;
	struct json_scan scan;
	bool is_entry; /* inside one that counts */
	int err;
	char *error;
	uint32_t tier_first; /* first rate of the tiered_pricing element */
	uint64_t tier_above;
	bool tier_has_range;
};

static void fail(struct reader *reader, int err, const char *format, ...)
{
	uint64_t line = 1, offset = json_offset(&reader->scan);
	_cleanup_free_ char *what = NULL;
	va_list args;

	if (reader->err)
		return;
	reader->err = err;
	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	for (const char *at = reader->text; at < reader->text + offset; at++)
		line += *at == '\n';
	if (asprintf(&reader->error, "%s:%llu: %s", reader->name, (unsigned long long)line,
		     what ? what : "out of memory") < 0)
		reader->error = NULL;
}

static struct price_entry *entry_in_hand(struct reader *reader)
{
	return &reader->prices->entries[reader->prices->entries_count - 1];
}

static void add_entry(struct reader *reader, const char *key)
{
	struct prices *prices = reader->prices;
	struct price_entry *entry;

	if (prices->entries_count == prices->entries_room) {
		size_t room = prices->entries_room ? prices->entries_room * 2 : 4096;
		struct price_entry *entries;

		if (room > PRICE_ENTRIES_MAX) {
			fail(reader, -EINVAL, "more than %d models", PRICE_ENTRIES_MAX);
			return;
		}
		entries = reallocarray(prices->entries, room, sizeof(*entries));
		if (!entries) {
			fail(reader, -ENOMEM, "out of memory");
			return;
		}
		prices->entries = entries;
		prices->entries_room = room;
	}
	entry = &prices->entries[prices->entries_count];
	*entry = (struct price_entry){
		.key = strdup(key),
		.first = (uint32_t)prices->rates_count,
		.load = prices->loads,
	};
	if (!entry->key) {
		fail(reader, -ENOMEM, "out of memory");
		return;
	}
	prices->entries_count++;
	reader->is_entry = true;
}

static void add_rate(struct reader *reader, const struct rate *rate)
{
	struct prices *prices = reader->prices;

	if (prices->rates_count == prices->rates_room) {
		size_t room = prices->rates_room ? prices->rates_room * 2 : 16384;
		struct rate *rates = NULL;

		if (room <= PRICE_RATES_MAX)
			rates = reallocarray(prices->rates, room, sizeof(*rates));
		if (!rates) {
			fail(reader, room > PRICE_RATES_MAX ? -EINVAL : -ENOMEM, "too many prices");
			return;
		}
		prices->rates = rates;
		prices->rates_room = room;
	}
	prices->rates[prices->rates_count++] = *rate;
	entry_in_hand(reader)->count++;
}

/* "input_cost_per_token_above_272k_tokens_priority" and its like; false: no price of ours. */
static bool parse_name(const char *name, struct rate *ret)
{
	static const struct {
		const char *name;
		enum rate_kind kind;
	} kinds[] = {
		/* Longer names before those they begin with. */
		{ "input_cost_per_token_cache_hit", RATE_READ },
		{ "cache_creation_input_token_cost_above_1hr", RATE_WRITE_1H },
		{ "input_cost_per_token", RATE_INPUT },
		{ "output_cost_per_token", RATE_OUTPUT },
		{ "cache_read_input_token_cost", RATE_READ },
		{ "cache_creation_input_token_cost", RATE_WRITE },
		{ "input_cost_per_audio_token", RATE_AUDIO_IN },
		{ "output_cost_per_audio_token", RATE_AUDIO_OUT },
		{ "output_cost_per_reasoning_token", RATE_REASONING },
		{ "input_cost_per_image_token", RATE_IMAGE_IN },
		{ "output_cost_per_image_token", RATE_IMAGE_OUT },
		{ "output_cost_per_video_token", RATE_VIDEO_OUT },
		{ "cache_read_input_audio_token_cost", RATE_READ_AUDIO },
		/* LiteLLM's name for the price of cached audio in realtime models. */
		{ "cache_creation_input_audio_token_cost", RATE_READ_AUDIO },
		{ "citation_cost_per_token", RATE_CITATION },
		{ "output_cost_per_image", RATE_IMAGE_MADE },
		{ "input_cost_per_image", RATE_IMAGE_SHOWN },
		{ "input_cost_per_pixel", RATE_PIXEL },
		{ "input_cost_per_second", RATE_SECOND_IN },
		{ "output_cost_per_second", RATE_SECOND_OUT },
		{ "output_cost_per_video_per_second", RATE_SECOND_OUT },
		{ "ocr_cost_per_page", RATE_PAGE },
		{ "input_cost_per_character", RATE_CHARACTER },
		{ "input_cost_per_query", RATE_QUERY },
		{ "input_cost_per_request", RATE_REQUEST },
		{ "code_interpreter_cost_per_session", RATE_SESSION },
		{ "file_search_cost_per_1k_calls", RATE_FILE_SEARCHES },
	};
	static const struct {
		const char *name;
		enum rate_tier tier;
	} tiers[] = {
		{ "_batches", TIER_BATCH },
		{ "_priority", TIER_PRIORITY },
		{ "_flex", TIER_FLEX },
	};
	size_t i = 0, len;
	unsigned int above;
	int used = 0;

	while (i < ARRAY_SIZE(kinds) && strncmp(name, kinds[i].name, strlen(kinds[i].name)))
		i++;
	if (i == ARRAY_SIZE(kinds))
		return false;
	*ret = (struct rate){ .kind = kinds[i].kind };
	name += strlen(kinds[i].name);
	if (sscanf(name, "_above_%4uk_tokens%n", &above, &used) == 1 && used) {
		ret->above = above * 1000;
		name += used;
	}
	for (i = 0; i < ARRAY_SIZE(tiers); i++) {
		len = strlen(tiers[i].name);
		if (!strncmp(name, tiers[i].name, len)) {
			ret->tier = tiers[i].tier;
			name += len;
			break;
		}
	}
	return !*name;
}

static void take_rate(struct reader *reader, enum json_kind kind, const char *key, const char *text)
{
	struct rate rate;

	if (kind == JSON_IS_NULL || !parse_name(key, &rate))
		return;
	/* LiteLLM tolerates a price in quotes. */
	if ((kind != JSON_IS_NUMBER && kind != JSON_IS_STRING) ||
	    !decimal_read(text, 15, &rate.femtos) || rate.femtos > 100000000000000000ULL) {
		fail(reader, -EINVAL, "%s of %s is not a price in USD", key,
		     entry_in_hand(reader)->key);
		return;
	}
	add_rate(reader, &rate);
}

/* 0: none that makes sense. */
static uint32_t max_tokens(const char *text)
{
	uint64_t tokens;

	return decimal_read(text, 0, &tokens) && tokens <= UINT32_MAX ? (uint32_t)tokens : 0;
}

/* "2026-12-31" is over at the midnight behind it, UTC; 0: no day. */
static int64_t day_end(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);

	return end && !*end ? timegm(&tm) + 86400 : 0;
}

static void take_scalar(struct reader *reader, enum json_kind kind, const char *key,
			const char *text)
{
	struct price_entry *entry = entry_in_hand(reader);
	uint64_t permille;

	if (!strcmp(key, "litellm_provider")) {
		snprintf(entry->provider, sizeof(entry->provider), "%s", text);
	} else if (!strcmp(key, "max_input_tokens")) {
		entry->max_input = max_tokens(text);
	} else if (!strcmp(key, "max_output_tokens")) {
		entry->max_output = max_tokens(text);
	} else if (!strcmp(key, "mode")) {
		entry->is_chat = !strcmp(text, "chat") || !strcmp(text, "responses") ||
				 !strcmp(text, "completion");
		entry->is_image = !strcmp(text, "image_generation") || !strcmp(text, "image_edit");
		entry->is_rerank = !strcmp(text, "rerank");
		entry->is_embedding = !strcmp(text, "embedding");
	} else if (!strcmp(key, "valid_until")) {
		entry->until_s = day_end(text);
	} else if (!strcmp(key, "then_multiplier")) {
		if (decimal_read(text, 3, &permille) && permille && permille <= 100 * PERMILLE)
			entry->then_permille = (uint32_t)permille;
	} else if (!strcmp(key, "web_search_billing_unit")) {
		entry->is_per_query = !strcmp(text, "per_query");
	} else if (!strncmp(key, "regional_processing_uplift_multiplier_", 38)) {
		if (!decimal_read(text, 3, &permille) || permille > 100 * PERMILLE)
			return;
		if (!strcmp(key + 38, "eu"))
			entry->eu_host_permille = (uint32_t)permille;
		else if (!strcmp(key + 38, "us"))
			entry->us_host_permille = (uint32_t)permille;
	} else {
		take_rate(reader, kind, key, text);
	}
}

static void take_multiplier(struct reader *reader, const char *key, const char *text)
{
	struct price_entry *entry = entry_in_hand(reader);
	uint64_t permille;

	if (!decimal_read(text, 3, &permille) || permille > 100 * PERMILLE)
		return;
	if (!strcmp(key, "us"))
		entry->us_permille = (uint32_t)permille;
	else
		entry->fast_permille = (uint32_t)permille;
}

/* The element's prices hold over the start of its range; the range may come after them. */
static void end_tiered(struct reader *reader)
{
	for (uint32_t i = reader->tier_first; i < reader->prices->rates_count; i++)
		reader->prices->rates[i].above = (uint32_t)reader->tier_above;
}

static void take_range(struct reader *reader, const char *text)
{
	uint64_t above;

	if (reader->tier_has_range || !decimal_read(text, 0, &above) || above > UINT32_MAX)
		return;
	reader->tier_has_range = true;
	reader->tier_above = above;
}

static void take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	struct reader *reader = arg;

	(void)is_cut;
	if (reader->err)
		return;
	if (id == FIELD_ENTRY) {
		reader->is_entry = false;
		if (kind == JSON_IS_BEGIN && strcmp(key, "sample_spec") &&
		    strcmp(key, "fallback_generalizations"))
			add_entry(reader, key);
		return;
	}
	if (!reader->is_entry)
		return;
	switch (id) {
	case FIELD_SCALAR:
		if (kind != JSON_IS_BEGIN && kind != JSON_IS_END)
			take_scalar(reader, kind, key, text);
		break;
	case FIELD_SEARCH:
		(void)decimal_read(text, 15,
				   &entry_in_hand(reader)->search_femtos[price_context(key + 20)]);
		break;
	case FIELD_MULTIPLIER:
		take_multiplier(reader, key, text);
		break;
	case FIELD_TIERED:
		if (kind == JSON_IS_BEGIN) {
			reader->tier_first = (uint32_t)reader->prices->rates_count;
			reader->tier_above = 0;
			reader->tier_has_range = false;
		} else if (kind == JSON_IS_END) {
			end_tiered(reader);
		}
		break;
	case FIELD_TIERED_SCALAR:
		if (kind != JSON_IS_BEGIN && kind != JSON_IS_END)
			take_rate(reader, kind, key, text);
		break;
	case FIELD_RANGE:
		take_range(reader, text);
		break;
	}
}

int prices_new(struct prices **ret)
{
	struct prices *prices = calloc(1, sizeof(*prices));

	if (!prices)
		return -ENOMEM;
	*ret = prices;
	return 0;
}

static void drop_entries(struct prices *prices, size_t from)
{
	for (size_t i = from; i < prices->entries_count; i++)
		free(prices->entries[i].key);
	prices->entries_count = from;
}

struct prices *prices_free(struct prices *prices)
{
	if (!prices)
		return NULL;
	drop_entries(prices, 0);
	for (size_t i = 0; i < prices->warnings_count; i++)
		free(prices->warnings[i]);
	free(prices->entries);
	free(prices->rates);
	free(prices);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct price_entry *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	if (order)
		return order;
	/* The later file wins, and in a file the later entry, as in any JSON reader. */
	if (x->load != y->load)
		return x->load > y->load ? -1 : 1;
	return x->first > y->first ? -1 : x->first < y->first;
}

int prices_load_text(struct prices *prices, const char *text, size_t len, const char *name,
		     const char *origin, char **ret_error)
{
	struct reader reader = { .prices = prices, .text = text, .name = name };
	struct json_sink sink = { .value = take_value, .arg = &reader };
	size_t entries = prices->entries_count, rates = prices->rates_count;
	enum json_status status;

	if (prices->loads == PRICE_FILES_MAX)
		return -E2BIG;
	json_init(&reader.scan, file_keys, &sink);
	status = json_feed(&reader.scan, (const uint8_t *)text, len);
	if (status == JSON_BAD)
		fail(&reader, -EINVAL, "not JSON here");
	else if (status == JSON_MORE && reader.scan.depth)
		fail(&reader, -EINVAL, "the file ends in the middle");
	else if (prices->entries_count == entries)
		fail(&reader, -EINVAL, "holds no model");
	if (reader.err) {
		drop_entries(prices, entries);
		prices->rates_count = rates;
		if (ret_error)
			*ret_error = take(reader.error);
		free(reader.error);
		return reader.err;
	}
	snprintf(prices->origins[prices->loads++], CHARGE_NAME_LEN, "%s", origin);
	price_check(prices, entries);
	qsort(prices->entries, prices->entries_count, sizeof(*prices->entries), compare);
	price_link(prices);
	return 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len, struct tm *ret_day)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > PRICE_FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	gmtime_r(&st.st_mtime, ret_day);
	*ret = take(text);
	*ret_len = len;
	return 0;
}

int prices_load(struct prices *prices, const char *path, const char *origin, char **ret_error)
{
	_cleanup_free_ char *text = NULL;
	char dated[CHARGE_NAME_LEN], day_text[16];
	struct tm day;
	size_t len = 0;
	int err = read_file(path, &text, &len, &day);

	if (err)
		return err;
	strftime(day_text, sizeof(day_text), "%Y-%m-%d", &day);
	snprintf(dated, sizeof(dated), "%.40s %s", origin, day_text);
	return prices_load_text(prices, text, len, path, dated, ret_error);
}
