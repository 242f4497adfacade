/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens when no usage came: from text by a class model, from sizes where there is no text
 * (docs/facts/wire.md, "Class model" and "Size constants"). Measured calls correct both, and show
 * how far off the corrected estimates still are.
 */
#ifndef USAGE_ESTIMATE_H
#define USAGE_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/quota.h"

/* What the body of an answer is. */
enum answer_form { ANSWER_UNKNOWN, ANSWER_JSON, ANSWER_SSE, ANSWER_UNREADABLE };

/* Writing beyond ASCII, as far as tokenizers treat it alike. */
enum script {
	SCRIPT_NONE,
	SCRIPT_LATIN_1, /* letters, which go on with a word: of Western Europe */
	SCRIPT_LATIN_A, /* of the rest of Europe */
	SCRIPT_VIETNAMESE,
	SCRIPT_GREEK,
	SCRIPT_CYRILLIC,
	SCRIPT_SEMITIC, /* Hebrew, Arabic */
	SCRIPT_HANGUL,
	SCRIPT_KANA,
	SCRIPT_HAN,
	SCRIPT_INDIC,
	SCRIPT_THAI,
	SCRIPT_GEORGIAN,
	SCRIPT_SYMBOL, /* others of two bytes, */
	SCRIPT_OTHER,  /* of three */
	SCRIPT_FOUR,   /* and of four */
	SCRIPTS,
};

/* Counts characters of text by class, in any number of pieces; zero-initialised. */
struct text_count {
	uint64_t letter_runs, long_letters, digit_groups, punctuation_runs, punctuation_more;
	uint64_t newline_runs; /* but those behind punctuation, of which they are a part */
	uint64_t wide_spaces;  /* runs of blanks of which not all belong to the word behind them */
	uint64_t script_chars[SCRIPTS], script_runs[SCRIPTS]; /* beyond ASCII */
	uint64_t bytes;
	uint32_t run; /* state of the run in progress */
	uint32_t run_length;
	uint8_t before;    /* what kind of run ended last */
	bool ends_in_tab;  /* the run in progress, of blanks */
	uint8_t utf8_lead; /* of three bytes, when the second is awaited */
	uint8_t script;    /* of the character before */
};
void text_count_feed(struct text_count *count, const uint8_t *bytes, size_t len);
/* Milli-tokens of o200k. */
uint64_t text_count_millitokens(const struct text_count *count);

/*
 * What, besides the model's name (which implies the tokenizer), determines a request's input tokens:
 * docs/facts/wire.md, "Tokenizer factors", "Tokens that are not in the text" and "Images".
 */
struct text_request {
	struct text_count text;
	uint64_t messages;
	uint64_t images; /* strings of base64 */
	bool has_tools;
};
uint64_t estimate_request(const struct text_request *request, const char *model);
/* Tokens of `bytes` of an answer's text that was not looked at. */
uint64_t estimate_bytes(uint64_t bytes, const char *model);
/* Tokens of an answer's text. */
uint64_t estimate_text(const struct text_count *text, const char *model);

/* Tokens, and how many more they may be in truth, or fewer: in about six cases of seven not more. */
struct estimate {
	uint64_t input, output;
	uint64_t input_error, output_error;
	uint64_t input_under, output_under; /* how many fewer; set by estimate_sizes() only */
};

/* What a factor corrects: the estimate by text of a model's input, or one by size of a host's calls. */
enum calibrated {
	CALIBRATED_TEXT_INPUT,
	CALIBRATED_JSON_INPUT, /* of calls whose answer is one JSON ... */
	CALIBRATED_JSON_OUTPUT,
	CALIBRATED_STREAM_INPUT, /* ... or a stream of events */
	CALIBRATED_STREAM_OUTPUT,
	CALIBRATED_COUNT
};
struct calibration_key {
	enum calibrated what;
	uint64_t tenant; /* the cgroup's id: what its calls said changes no other's estimates */
	const char *host, *model; /* model "": all */
};

/* Corrections learned from measured calls: 2,048 rows, 64 of a tenant (base/quota.h). */
struct calibration;
int calibration_new(struct calibration **ret);
struct calibration *calibration_free(struct calibration *calibration);
/* A measured call and what the estimator would have said, uncorrected. */
void calibration_learn(struct calibration *calibration, const struct calibration_key *key,
		       uint64_t estimated, uint64_t measured);
/*
 * The factor in thousandths (1000: none), so that the sum of the last calls comes out right; 20 samples
 * at least before it moves. 500 to 2000 for text, a 32nd to 32 times for sizes.
 */
uint32_t calibration_factor(const struct calibration *calibration,
			    const struct calibration_key *key);
/*
 * By how much a corrected estimate may be wrong, in thousandths of it: twice the mean absolute error,
 * which covers 86 % of a Laplace and 89 % of a normal distribution. False: too few samples.
 */
bool calibration_error(const struct calibration *calibration, const struct calibration_key *key,
		       uint32_t *ret_permille);

/* For those who ask how good the estimates are. Strings are cut at 63 characters. */
struct calibration_row {
	struct calibration_key key;
	uint64_t samples;
	uint32_t factor; /* in thousandths */
	bool has_error;
	uint32_t error; /* in thousandths */
};
void calibration_each(const struct calibration *calibration,
		      void (*fn)(void *arg, const struct calibration_row *row), void *arg);

/* Rows dropped are estimates that start again. */
void calibration_stats(const struct calibration *calibration, struct quota_stats *ret);

/* One exchange or several of which only sizes are known, in bytes of bodies. */
struct sizes {
	uint64_t tenant;             /* the caller's cgroup */
	const char *provider, *host; /* "anthropic", "openai", ...; may be NULL */
	enum answer_form form;       /* ANSWER_JSON, ANSWER_SSE, ANSWER_UNKNOWN */
	uint64_t exchanges;
	uint64_t request_bytes, response_bytes;
};
void estimate_sizes(const struct sizes *sizes, const struct calibration *calibration,
		    struct estimate *ret);
/* Of an exchange whose answer's bytes are those of the decoded body, its true tokens: teaches the calibration. */
void estimate_sizes_learn(const struct sizes *sizes, struct calibration *calibration,
			  uint64_t input, uint64_t output);

#endif
