/* SPDX-License-Identifier: Apache-2.0 */
/* From counts as a provider writes them to disjoint classes: docs/facts/wire.md, "Token classes". */
#include "usage/usage.h"

#include "base/cleanup.h"
#include "base/decimal.h"
#include "usage/usage_slots.h"

/* What the numbers of a dialect include. */
struct shape {
	bool input_has_cache;      /* read, written and audio are inside input */
	bool reasoning_is_outside; /* of output, always */
};

static const struct shape shapes[] = {
	[DIALECT_NONE] = { false, false },   [DIALECT_ANTHROPIC] = { false, false },
	[DIALECT_OPENAI] = { true, false },  [DIALECT_GEMINI] = { true, true },
	[DIALECT_COHERE] = { false, false }, [DIALECT_BEDROCK] = { false, false },
	[DIALECT_OLLAMA] = { false, false }, [DIALECT_DEEPGRAM] = { false, false },
	[DIALECT_AI_SDK] = { true, false },  [DIALECT_ANY] = { false, false },
};

#define BIT(slot) (1u << (slot))
#define SPLIT     (BIT(SLOT_WRITE_5M) | BIT(SLOT_WRITE_1H))

void usage_slots_usage_set(struct usage_slots_usage *slots, enum slot slot, const char *text)
{
	uint64_t value;

	/* A float may become -0, and anything else with a sign is no count. */
	if (!decimal_count(text + (*text == '-'), &value) || value > USAGE_PLAUSIBLE ||
	    (*text == '-' && value)) {
		slots->is_implausible = true;
		return;
	}
	slots->slots[slot] = value;
	slots->has |= BIT(slot);
}

static bool has(const struct usage_slots_usage *slots, enum slot slot)
{
	return slots->has & BIT(slot);
}

static bool is_prompt(enum slot slot)
{
	return slot == SLOT_INPUT || slot == SLOT_CACHE_READ || slot == SLOT_CACHE_MISS ||
	       slot == SLOT_WRITE || slot == SLOT_WRITE_5M || slot == SLOT_WRITE_1H;
}

/* Some class of the prompt has more than was told before: the event restates them all. */
static bool restates_prompt(const struct usage_slots_usage *to,
			    const struct usage_slots_usage *event)
{
	for (int slot = 0; slot < SLOTS; slot++)
		if (is_prompt(slot) && has(event, slot) && event->slots[slot] > to->slots[slot])
			return true;
	return false;
}

void usage_slots_usage_merge(struct usage_slots_usage *to, const struct usage_slots_usage *event)
{
	bool is_restated = restates_prompt(to, event);
	bool writes_anew = false;

	to->is_implausible |= event->is_implausible;
	for (int slot = 0; slot < SLOTS; slot++) {
		uint64_t value = event->slots[slot];

		if (!has(event, slot))
			continue;
		if (!value && to->slots[slot] && !(is_prompt(slot) && is_restated))
			continue;
		if (slot == SLOT_WRITE && value != to->slots[slot])
			writes_anew = true;
		to->slots[slot] = value;
		to->has |= BIT(slot);
	}
	/* A new sum without its split by time makes the old split void. */
	if (writes_anew && !(event->has & SPLIT)) {
		to->slots[SLOT_WRITE_5M] = to->slots[SLOT_WRITE_1H] = 0;
		to->has &= ~SPLIT;
	}
}

static uint64_t less(uint64_t from, uint64_t part)
{
	return from > part ? from - part : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Moves up to `want` out of `rest`: the classes add up to the provider's total. */
static uint64_t part_of(uint64_t *rest, uint64_t want)
{
	uint64_t part = least(want, *rest);

	*rest -= part;
	return part;
}

/*
 * xAI's chat counts reasoning beside completion_tokens, everybody else inside: the total says
 * which it was, so that a gateway in between changes nothing.
 */
static bool reasoning_is_outside(const struct usage_slots_usage *slots, const struct shape *shape)
{
	const uint64_t *s = slots->slots;

	if (shape->reasoning_is_outside)
		return true;
	return has(slots, SLOT_TOTAL) && s[SLOT_REASONING] &&
	       s[SLOT_TOTAL] == s[SLOT_INPUT] + s[SLOT_OUTPUT] + s[SLOT_REASONING];
}

static void settle_writes(const struct usage_slots_usage *slots, struct usage *usage)
{
	const uint64_t *s = slots->slots;

	usage->cache_write_1h = s[SLOT_WRITE_1H];
	usage->cache_write_5m = s[SLOT_WRITE_5M];
	/* Without the split by time, all was written for the default time; nor is part of it lost. */
	if (!(slots->has & SPLIT))
		usage->cache_write_5m = s[SLOT_WRITE];
	else if (!has(slots, SLOT_WRITE_5M))
		usage->cache_write_5m = less(s[SLOT_WRITE], s[SLOT_WRITE_1H]);
}

static void settle_input(const struct usage_slots_usage *slots, const struct shape *shape,
			 struct usage *usage)
{
	const uint64_t *s = slots->slots;
	uint64_t rest = s[SLOT_INPUT], cached_audio, cached_image;

	settle_writes(slots, usage);
	usage->cache_read = s[SLOT_CACHE_READ];
	if (shape->input_has_cache) {
		usage->cache_read = part_of(&rest, usage->cache_read);
		usage->cache_write_5m = part_of(&rest, usage->cache_write_5m);
		/* Audio and images are counted whether they were cached or not. */
		cached_audio = least(s[SLOT_READ_AUDIO], usage->cache_read);
		cached_image = least(s[SLOT_READ_IMAGE], usage->cache_read - cached_audio);
		usage->audio_input = part_of(&rest, less(s[SLOT_AUDIO_IN], cached_audio));
		usage->image_input = part_of(&rest, less(s[SLOT_IMAGE_IN], cached_image));
		usage->cache_read -= cached_audio;
		usage->cache_read_audio = cached_audio;
	} else {
		usage->audio_input = s[SLOT_AUDIO_IN];
	}
	usage->input = rest + s[SLOT_TOOL_PROMPT];
	if (!has(slots, SLOT_INPUT) && has(slots, SLOT_CACHE_MISS))
		usage->input = s[SLOT_CACHE_MISS];
}

static void settle_output(const struct usage_slots_usage *slots, const struct shape *shape,
			  struct usage *usage)
{
	const uint64_t *s = slots->slots;
	uint64_t shown;

	usage->output = s[SLOT_OUTPUT];
	usage->reasoning = s[SLOT_REASONING];
	if (reasoning_is_outside(slots, shape))
		usage->output += usage->reasoning;
	usage->reasoning = least(usage->reasoning, usage->output);
	shown = usage->output - usage->reasoning;
	usage->audio_output = part_of(&shown, s[SLOT_AUDIO_OUT]);
	usage->image_output = part_of(&shown, s[SLOT_IMAGE_OUT]);
	usage->video_output = part_of(&shown, s[SLOT_VIDEO_OUT]);
	usage->output = shown + usage->reasoning;
}

bool usage_slots_usage_settle(const struct usage_slots_usage *slots, enum dialect dialect,
			      struct usage *ret)
{
	const uint32_t told = BIT(SLOT_INPUT) | BIT(SLOT_OUTPUT) | BIT(SLOT_CACHE_READ) |
			      BIT(SLOT_CACHE_MISS) | BIT(SLOT_WRITE) | SPLIT | BIT(SLOT_REASONING) |
			      BIT(SLOT_PAGES) | BIT(SLOT_QUERIES) | BIT(SLOT_MILLIS) |
			      BIT(SLOT_IMAGES) | BIT(SLOT_CHARACTERS);
	const struct shape *shape = &shapes[dialect];
	const uint64_t *s = slots->slots;
	struct usage usage = { 0 };

	if (slots->is_implausible || !(slots->has & told))
		return false;
	settle_input(slots, shape, &usage);
	settle_output(slots, shape, &usage);
	usage.web_searches = s[SLOT_SEARCHES];
	usage.citations = s[SLOT_CITATIONS];
	usage.file_searches = s[SLOT_FILE_SEARCHES];
	usage.sessions = s[SLOT_SESSIONS];
	usage.images = s[SLOT_IMAGES];
	usage.pages = s[SLOT_PAGES];
	usage.queries = s[SLOT_QUERIES];
	usage.characters = s[SLOT_CHARACTERS];
	usage.millis = s[SLOT_MILLIS];
	*ret = usage;
	return true;
}
