/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens when no usage came: from text by a class model (facts of the wire, 6.6), from sizes where
 * there is no text. Measured calls correct both per (host, model).
 */
#ifndef METER_ESTIMATE_H
#define METER_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct charge;

/* Counts characters of text by class, in any number of pieces; zero-initialised. */
struct text_count {
	uint64_t letter_runs, long_letters, digit_groups, punctuation_runs, punctuation_more;
	uint64_t newline_runs, spaces_more, utf8_2, cjk, utf8_3, utf8_4;
	uint64_t bytes;
	uint32_t run;		/* state of the run in progress */
	uint32_t run_length;
	uint32_t utf8_state;
};
void text_count_feed(struct text_count *count, const uint8_t *bytes, size_t len);
/* Milli-tokens of o200k. */
uint64_t text_count_millitokens(const struct text_count *count);

/*
 * What of a request decides its input tokens, with the model's name, which tells the tokenizer:
 * facts of the wire, 6.3 to 6.5.
 */
struct text_request {
	struct text_count text;
	uint64_t messages;
	uint64_t images;	/* strings of base64 */
	bool has_tools;
};
uint64_t estimate_request(const struct text_request *request, const char *model);
/* Tokens of `bytes` of an answer's text that was not looked at. */
uint64_t estimate_bytes(uint64_t bytes, const char *model);
/* Tokens of an answer's text. */
uint64_t estimate_text(const struct text_count *text, const char *model);

/* Corrections learned from measured calls; bounded, least recently used goes first. */
struct calibration;
int calibration_new(struct calibration **ret);
struct calibration *calibration_free(struct calibration *calibration);
/* A measured call and what the estimator would have said. */
void calibration_learn(struct calibration *calibration, const char *host, const char *model,
		       uint64_t estimated, uint64_t measured);
/* The factor in thousandths (1000: none), 500 to 2000; 20 samples at least before it moves. */
uint32_t calibration_factor(const struct calibration *calibration, const char *host,
			    const char *model);
/* Mean absolute error of the corrected estimates, in thousandths; false: too few samples. */
bool calibration_error(const struct calibration *calibration, const char *host, const char *model,
		       uint32_t *ret_permille);

/*
 * Tokens of an exchange of which only sizes are known: request and answer bytes above TLS, by the
 * constants of the provider ("anthropic", "openai", ...). Facts of the wire, 6.7.
 */
void estimate_sizes(const char *provider, uint64_t request_bytes, uint64_t response_bytes,
		    uint64_t *ret_input, uint64_t *ret_output);

#endif
