/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of text without a tokenizer. The class model and every constant are those of
 * docs/facts/wire.md, "Class model" and "Tokenizer factors".
 */
#include "meter/estimate.h"

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
		count->newline_runs++;
		break;
	case RUN_SPACE:
		/* The first space belongs to the word behind it. */
		count->spaces_more += len - 1;
		break;
	}
	count->run = RUN_NONE;
	count->run_length = 0;
}

/* CJK ideographs and kana: U+3040..U+30FF, U+3400..U+9FFF, U+F900..U+FAFF by their first bytes. */
static bool is_cjk(uint8_t lead, uint8_t second)
{
	if (lead == 0xe3)
		return second != 0x80 && second != 0x84;
	return (lead >= 0xe4 && lead <= 0xe9) || (lead == 0xef && second >= 0xa4 && second <= 0xab);
}

static void count_beyond_ascii(struct text_count *count, uint8_t byte, enum class class)
{
	if (count->run)
		end_run(count);
	if (class == CLASS_LEAD2) {
		count->utf8_2++;
	} else if (class == CLASS_LEAD4) {
		count->utf8_4++;
	} else if (class == CLASS_TAIL && count->utf8_state) {
		/* The second byte of three tells CJK from the rest. */
		if (is_cjk(count->utf8_state, byte))
			count->cjk++;
		else
			count->utf8_3++;
	}
	count->utf8_state = class == CLASS_LEAD3 ? byte : 0;
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
		count->utf8_state = 0;
		run = runs[class];
		/* "HttpConn" is two words, "HTTP" and "Http" are one. */
		if (count->run != run && !(run == RUN_LOWER && count->run == RUN_UPPER))
			end_run(count);
		count->run = run;
		while (i < len && classes[bytes[i]] == class)
			i++;
		count->run_length += (uint32_t)(i - start);
	}
}

uint64_t text_count_millitokens(const struct text_count *count)
{
	struct text_count whole = *count;

	end_run(&whole);
	return whole.letter_runs * 877 + whole.long_letters * 268 + whole.digit_groups * 1670 +
	       whole.punctuation_runs * 828 + whole.punctuation_more * 252 +
	       whole.newline_runs * 1038 + whole.spaces_more * 12 + whole.utf8_2 * 400 +
	       whole.cjk * 749 + whole.utf8_3 * 396 + whole.utf8_4 * 4200;
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
