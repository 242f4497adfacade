/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Billed tokens in disjoint classes (but for `reasoning`, which is inside `output`), whatever the
 * provider calls them and whichever of them it adds up: the conversion happens once, where the
 * provider's answer is read. docs/facts/wire.md, "Token classes".
 */
#ifndef USAGE_USAGE_H
#define USAGE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a class counts. */
enum usage_kind {
	USAGE_PROMPT, /* tokens of the prompt; no token is in two classes of these two kinds */
	USAGE_ANSWER, /* tokens of the answer */
	USAGE_PART,   /* tokens that another class has, too */
	USAGE_PIECES, /* no tokens */
};

/*
 * The classes, in the order of all output, and the only list of them. A class is a field of struct usage, a
 * column of the ledger's tables (a new one needs a migration in ledger/schema.c) and, if its tokens are disjoint,
 * a label of aigress_tokens, all by its name. Then come its kind, its column in `report` (classes may share one),
 * the object and the key of it in the report's JSON (NULL: no object), and its name in `explain`.
 *
 * input: text and images, neither read from nor written to a cache. cache_write_5m: for the default time.
 * output: all billed output, reasoning included. reasoning: the part that was not shown. web_searches: paid calls
 * of the provider's.
 */
#define USAGE_CLASSES(CLASS)                                                                     \
	CLASS(input, USAGE_PROMPT, "input", "tokens", "input", "input")                          \
	CLASS(cache_read, USAGE_PROMPT, "cache_read", "tokens", "cache_read", "cache read")      \
	CLASS(cache_write_5m, USAGE_PROMPT, "cache_write", "tokens", "cache_write", "cache 5m")  \
	CLASS(cache_write_1h, USAGE_PROMPT, "cache_write", "tokens", "cache_write", "cache 1h")  \
	CLASS(output, USAGE_ANSWER, "output", "tokens", "output", "output")                      \
	CLASS(reasoning, USAGE_PART, "reasoning", "tokens", "reasoning", "reasoning")            \
	CLASS(audio_input, USAGE_PROMPT, "audio_input", "audio_tokens", "input", "audio in")     \
	CLASS(audio_output, USAGE_ANSWER, "audio_output", "audio_tokens", "output", "audio out") \
	CLASS(web_searches, USAGE_PIECES, "web_searches", NULL, "web_searches", "searches")

struct usage {
#define USAGE_FIELD(field, ...) uint64_t field;
	USAGE_CLASSES(USAGE_FIELD)
#undef USAGE_FIELD

	/* Tokens of classes that only prices tell apart: no columns, since usage_fold() adds them to the above. */
	uint64_t image_input, image_output, video_output;
	uint64_t cache_read_audio; /* not in cache_read */
	uint64_t citations;        /* Perplexity: text of its sources */

	/* What is paid by the piece, and stands in the cost alone. */
	uint64_t file_searches;
	uint64_t sessions;   /* containers of a code interpreter */
	uint64_t images;     /* made */
	uint64_t pages;      /* read */
	uint64_t queries;    /* search units of a reranker */
	uint64_t characters; /* spoken */
	uint64_t millis;     /* of audio heard or video made */
};

/* USAGE_OF_input, ...: indices of usage_classes[]. */
enum usage_index {
#define USAGE_INDEX(field, ...) USAGE_OF_##field,
	USAGE_CLASSES(USAGE_INDEX)
#undef USAGE_INDEX
		USAGE_COUNT
};

struct usage_class {
	size_t offset; /* in struct usage */
	const char *name;
	enum usage_kind kind;
	const char *column, *json_object, *json_key, *label;
};
extern const struct usage_class usage_classes[USAGE_COUNT];

static inline uint64_t *usage_at(struct usage *usage, size_t i)
{
	return (uint64_t *)((char *)usage + usage_classes[i].offset);
}

static inline uint64_t usage_get(const struct usage *usage, size_t i)
{
	return *usage_at((struct usage *)usage, i);
}

static inline bool usage_is_disjoint(size_t i)
{
	return usage_classes[i].kind == USAGE_PROMPT || usage_classes[i].kind == USAGE_ANSWER;
}

/* All its tokens, each once. */
uint64_t usage_tokens(const struct usage *usage);
/* Adds all of `more`, its pieces as well. */
void usage_add(struct usage *to, const struct usage *more);
/*
 * The same with each class that only prices know added to the one it is a kind of: images to input and output,
 * cached audio to the cache read. What leaves for ledgers, budgets and metrics.
 */
struct usage usage_fold(const struct usage *usage);

#endif
