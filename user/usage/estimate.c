/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of text without a tokenizer. The class model and every constant are those of
 * docs/facts/wire.md, "Class model" and "Tokenizer factors".
 */
#include "usage/estimate.h"

#include <string.h>

/* What the run in progress consists of. */
enum run { RUN_NONE, RUN_LOWER, RUN_UPPER, RUN_DIGIT, RUN_PUNCTUATION, RUN_NEWLINE, RUN_SPACE };

enum class {
	CLASS_PUNCTUATION,
	CLASS_LOWER,
	CLASS_UPPER,
	CLASS_DIGIT,
	CLASS_SPACE,
	CLASS_NEWLINE,
	CLASS_LEAD2,
	CLASS_LEAD3,
	CLASS_LEAD4,
	CLASS_TAIL,
};

static const uint8_t classes[256] = {
	['\t'] = CLASS_SPACE,          [' '] = CLASS_SPACE,           ['\n'] = CLASS_NEWLINE,
	['\r'] = CLASS_NEWLINE,        ['0' ... '9'] = CLASS_DIGIT,   ['A' ... 'Z'] = CLASS_UPPER,
	['a' ... 'z'] = CLASS_LOWER,   [0x80 ... 0xbf] = CLASS_TAIL,  [0xc0 ... 0xdf] = CLASS_LEAD2,
	[0xe0 ... 0xef] = CLASS_LEAD3, [0xf0 ... 0xff] = CLASS_LEAD4,
};

/* A token holds about seven letters: those beyond are counted, once, when the run ends. */
#define LETTERS_FREE     7
#define DIGITS_PER_TOKEN 3

static void end_run(struct text_count *count)
{
	uint32_t len = count->run_length;

	switch (count->run) {
	case RUN_LOWER:
	case RUN_UPPER:
		count->letter_runs++;
		count->long_letters += len > LETTERS_FREE ? len - LETTERS_FREE : 0;
		break;
	case RUN_DIGIT:
		count->digit_groups += (len + DIGITS_PER_TOKEN - 1) / DIGITS_PER_TOKEN;
		break;
	case RUN_PUNCTUATION:
		count->punctuation_runs++;
		count->punctuation_more += len - 1;
		break;
	case RUN_NEWLINE:
		/* ";\n" and "):\n" are one token. */
		count->newline_runs += count->before != RUN_PUNCTUATION;
		break;
	case RUN_SPACE:
		/* The last blank belongs to the word behind it, but a tab does not. */
		count->wide_spaces += len > 1 || count->ends_in_tab;
		break;
	}
	count->before = (uint8_t)count->run;
	count->run = RUN_NONE;
	count->run_length = 0;
}

/* By the first of two bytes. */
static enum script script_of_two(uint8_t lead)
{
	if (lead == 0xc3)
		return SCRIPT_LATIN_1;
	if (lead >= 0xc4 && lead <= 0xc9)
		return SCRIPT_LATIN_A;
	if (lead >= 0xcd && lead <= 0xcf)
		return SCRIPT_GREEK;
	if (lead >= 0xd0 && lead <= 0xd4)
		return SCRIPT_CYRILLIC;
	return lead >= 0xd6 && lead <= 0xdd ? SCRIPT_SEMITIC : SCRIPT_SYMBOL;
}

/* By the first two of three bytes. */
static enum script script_of_three(uint8_t lead, uint8_t second)
{
	switch (lead) {
	case 0xe0:
		if (second >= 0xa4 && second <= 0xb7)
			return SCRIPT_INDIC;
		return second >= 0xb8 ? SCRIPT_THAI : SCRIPT_OTHER;
	case 0xe1:
		if (second == 0xba || second == 0xbb)
			return SCRIPT_VIETNAMESE;
		return second == 0x82 || second == 0x83 ? SCRIPT_GEORGIAN : SCRIPT_OTHER;
	case 0xe3:
		if (second >= 0x81 && second <= 0x83)
			return SCRIPT_KANA;
		return second >= 0x90 ? SCRIPT_HAN : SCRIPT_OTHER;
	case 0xe4 ... 0xe9:
		return SCRIPT_HAN;
	case 0xea:
		return second >= 0xb0 ? SCRIPT_HANGUL : SCRIPT_OTHER;
	case 0xeb ... 0xec:
		return SCRIPT_HANGUL;
	case 0xed:
		return second <= 0x9e ? SCRIPT_HANGUL : SCRIPT_OTHER;
	case 0xef:
		return second >= 0xa4 && second <= 0xab ? SCRIPT_HAN : SCRIPT_OTHER;
	}
	return SCRIPT_OTHER;
}

static void count_script(struct text_count *count, enum script script)
{
	count->script_chars[script]++;
	if (script <= SCRIPT_VIETNAMESE) {
		/* A letter of a word that may be of ASCII otherwise. */
		if (count->run != RUN_LOWER && count->run != RUN_UPPER)
			end_run(count);
		count->run = RUN_LOWER;
		count->run_length++;
		count->script = SCRIPT_NONE;
		return;
	}
	if (count->run)
		end_run(count);
	count->before = RUN_NONE;
	count->script_runs[script] += count->script != script;
	count->script = (uint8_t)script;
}

static void count_beyond_ascii(struct text_count *count, uint8_t byte, enum class class)
{
	uint8_t lead = count->utf8_lead;

	count->utf8_lead = class == CLASS_LEAD3 ? byte : 0;
	if (class == CLASS_LEAD2)
		count_script(count, script_of_two(byte));
	else if (class == CLASS_LEAD4)
		count_script(count, SCRIPT_FOUR);
	else if (class == CLASS_TAIL && lead)
		count_script(count, script_of_three(lead, byte));
}

void text_count_feed(struct text_count *count, const uint8_t *bytes, size_t len)
{
	static const uint8_t runs[] = {
		[CLASS_LOWER] = RUN_LOWER,     [CLASS_UPPER] = RUN_UPPER,
		[CLASS_DIGIT] = RUN_DIGIT,     [CLASS_SPACE] = RUN_SPACE,
		[CLASS_NEWLINE] = RUN_NEWLINE, [CLASS_PUNCTUATION] = RUN_PUNCTUATION,
	};

	count->bytes += len;
	for (size_t i = 0; i < len;) {
		enum class class = classes[bytes[i]];
		size_t start = i;
		uint32_t run;

		if (class >= CLASS_LEAD2) {
			count_beyond_ascii(count, bytes[i++], class);
			continue;
		}
		count->utf8_lead = count->script = 0;
		run = runs[class];
		/* "HttpConn" is two words, "HTTP" and "Http" are one. */
		if (count->run != run && !(run == RUN_LOWER && count->run == RUN_UPPER))
			end_run(count);
		count->run = run;
		while (i < len && classes[bytes[i]] == class)
			i++;
		count->run_length += (uint32_t)(i - start);
		count->ends_in_tab = bytes[i - 1] == '\t';
	}
}

uint64_t text_count_millitokens(const struct text_count *count)
{
	/*
	 * A character, and the start of a run of them. Fit by least squares of the relative error on half of 5,445
	 * texts of 3 kB in 19 languages (Debian's translated manual pages and program messages), against
	 * o200k_base as gpt-tokenizer 4.0.0 has it; docs/PROVIDERS.md has the errors on the other half.
	 */
	static const struct {
		int16_t each, run;
	} scripts[SCRIPTS] = {
		[SCRIPT_LATIN_1] = { 900, 0 },     [SCRIPT_LATIN_A] = { 1700, 0 },
		[SCRIPT_VIETNAMESE] = { -300, 0 }, [SCRIPT_GREEK] = { 394, 0 },
		[SCRIPT_CYRILLIC] = { 0, 1978 },   [SCRIPT_SEMITIC] = { 302, 476 },
		[SCRIPT_HANGUL] = { 178, 1588 },   [SCRIPT_KANA] = { 582, 0 },
		[SCRIPT_HAN] = { 718, 671 },       [SCRIPT_INDIC] = { 376, 99 },
		[SCRIPT_THAI] = { 395, 552 },      [SCRIPT_GEORGIAN] = { 333, 320 },
		[SCRIPT_SYMBOL] = { 400, 600 },    [SCRIPT_OTHER] = { 122, 994 },
		[SCRIPT_FOUR] = { 4200, 0 },
	};
	struct text_count whole = *count;
	int64_t sum = 0;

	end_run(&whole);
	for (int i = 0; i < SCRIPTS; i++)
		sum += (int64_t)whole.script_chars[i] * scripts[i].each +
		       (int64_t)whole.script_runs[i] * scripts[i].run;
	sum += (int64_t)(whole.letter_runs * 877 + whole.long_letters * 268 +
			 whole.digit_groups * 1670 + whole.punctuation_runs * 828 +
			 whole.punctuation_more * 252 + whole.newline_runs * 1258 +
			 whole.wide_spaces * 1168);
	return sum > 0 ? (uint64_t)sum : 0;
}

/*
 * What a model's name contains; the first row that fits counts. Factors are in thousandths.
 * docs/facts/wire.md, "Tokenizer factors" and "Tokens that are not in the text".
 */
struct family_row {
	const char *name;
	uint32_t factor;
	uint32_t overhead, overhead_tools;
};

static const struct family_row families[] = {
	{ "claude-3", 1130, 7, 575 }, { "claude-2", 1130, 7, 0 },
	{ "opus-4-7", 1450, 7, 575 }, { "opus-4-8", 1450, 7, 575 },
	{ "-4-", 1130, 7, 575 },      { "claude", 1450, 7, 575 }, /* those of today and tomorrow */
	{ "gpt-oss", 1000, 70, 85 },  { "llama", 1000, 7, 630 },
	{ "gemini", 1030, 0, 0 },     { "mistral", 1200, 7, 0 },
	{ "deepseek", 1060, 7, 280 }, { "qwen", 1060, 7, 0 },
	{ "command", 1170, 0, 0 }, /* Cohere's preamble is not billed */
	{ "nova", 1150, 7, 575 },     { "", 1000, 7, 0 },
};

static const struct family_row *family_find(const char *model)
{
	const struct family_row *row = families;

	/* "-4-" is a Claude of generation 4; gpt-4-turbo is none. */
	while (*row->name &&
	       (!strstr(model, row->name) || (row->name[0] == '-' && !strstr(model, "claude"))))
		row++;
	return row;
}

#define TOKENS_PER_MESSAGE 4
#define TOKENS_PER_IMAGE   1300 /* docs/facts/wire.md, "Images" */

uint64_t estimate_text(const struct text_count *text, const char *model)
{
	return (text_count_millitokens(text) * family_find(model)->factor + 500000) / 1000000;
}

uint64_t estimate_bytes(uint64_t bytes, const char *model)
{
	/* English and code mixed: docs/facts/wire.md, "Bytes per token". */
	return bytes * family_find(model)->factor / 4200;
}

uint64_t estimate_request(const struct text_request *request, const char *model)
{
	const struct family_row *family = family_find(model);

	return estimate_text(&request->text, model) + family->overhead +
	       (request->has_tools ? family->overhead_tools : 0) +
	       request->messages * TOKENS_PER_MESSAGE + request->images * TOKENS_PER_IMAGE;
}
