/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer may claim. Usage is a claim of the server that answers, and a single number could empty a
 * budget, so it counts only up to what the model can take and produce. Anything beyond that is flagged. Its
 * bytes bound nothing: conversations and files are named by id, and not every provider says how much output it
 * does not show.
 */
#include "usage/bound.h"

/* Pieces of one call: beyond these no provider sells. */
#define SEARCHES_MAX   1000
#define SESSIONS_MAX   100
#define IMAGES_MAX     1000
#define PAGES_MAX      100000
#define QUERIES_MAX    1000000
#define CHARACTERS_MAX 10000000
#define MILLIS_MAX     (7 * 86400 * 1000ULL) /* a week of audio or video */

/* Scales classes down to a sum of `most`; returns what they lose. */
static uint64_t scale(uint64_t *const *classes, size_t n, uint64_t most)
{
	uint64_t sum = 0, left = 0;

	for (size_t i = 0; i < n; i++)
		sum += *classes[i];
	if (sum <= most)
		return 0;
	for (size_t i = 0; i < n; i++) {
		*classes[i] = (uint64_t)((unsigned __int128)*classes[i] * most / sum);
		left += *classes[i];
	}
	return sum - left;
}

static uint64_t cut(uint64_t *pieces, uint64_t most)
{
	uint64_t beyond = *pieces > most ? *pieces - most : 0;

	*pieces -= beyond;
	return beyond;
}

static uint64_t bound_pieces(struct usage *usage)
{
	return cut(&usage->web_searches, SEARCHES_MAX) + cut(&usage->file_searches, SEARCHES_MAX) +
	       cut(&usage->sessions, SESSIONS_MAX) + cut(&usage->images, IMAGES_MAX) +
	       cut(&usage->pages, PAGES_MAX) + cut(&usage->queries, QUERIES_MAX) +
	       cut(&usage->characters, CHARACTERS_MAX) + cut(&usage->millis, MILLIS_MAX);
}

uint64_t usage_bound(struct usage *usage, const struct bound *bound)
{
	uint64_t *const prompt[] = { &usage->input,
				     &usage->cache_read,
				     &usage->cache_write_5m,
				     &usage->cache_write_1h,
				     &usage->audio_input,
				     &usage->image_input,
				     &usage->cache_read_audio,
				     &usage->citations };
	uint64_t *const answer[] = { &usage->output, &usage->audio_output };
	uint64_t *const drawn[] = { &usage->image_output, &usage->video_output };
	uint64_t excess = bound_pieces(usage);

	excess += scale(prompt, sizeof(prompt) / sizeof(*prompt), bound->input);
	excess += scale(answer, sizeof(answer) / sizeof(*answer), bound->output);
	excess += scale(drawn, sizeof(drawn) / sizeof(*drawn), BOUND_DRAWN);
	if (usage->reasoning > usage->output)
		usage->reasoning = usage->output;
	return excess;
}
