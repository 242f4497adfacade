/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MIX_ROWS   1024
#define MIX_TENANT 32
#define MODEL_LEN  80 /* a longer name is not learned */
#define MEMORY     64
#define SCALE      64         /* of the weights, so that forgetting rounds nothing away */
#define TOKENS_MAX 1000000000 /* of one call */

struct row {
	struct {
		char model[MODEL_LEN];
		uint64_t weight; /* 0: free */
	} models[PRICE_MIX];
};

struct mix {
	struct quota *quota;
	struct row rows[MIX_ROWS];
};

struct mix *mix_new(void)
{
	struct mix *mix = calloc(1, sizeof(*mix));

	if (!mix)
		return NULL;
	mix->quota = quota_new(MIX_ROWS, MIX_TENANT);
	return mix->quota ? mix : mix_free(mix);
}

struct mix *mix_free(struct mix *mix)
{
	if (mix)
		quota_free(mix->quota);
	free(mix);
	return NULL;
}

static uint64_t hash_text(uint64_t value, const char *text)
{
	return hash_fnv1a(value, text, strlen(text) + 1);
}

/* FNV-1a. */
static uint64_t hash(const struct mix_key *key)
{
	uint64_t value = hash_fnv1a(FNV1A_BASIS, &key->tenant, sizeof(key->tenant));

	value = hash_text(hash_text(value, key->program), key->provider);
	return value ? value : 1;
}

void mix_learn(struct mix *mix, const struct mix_key *key, const char *model, uint64_t tokens)
{
	size_t at = quota_find(mix->quota, hash(key)), own = 0;
	struct row *row;

	if (!*model || strlen(model) >= MODEL_LEN || !tokens || tokens > TOKENS_MAX)
		return;
	if (at == QUOTA_NONE) {
		at = quota_take(mix->quota, key->tenant, hash(key));
		mix->rows[at] = (struct row){ 0 };
	}
	quota_touch(mix->quota, at);
	row = &mix->rows[at];
	for (size_t i = 0; i < PRICE_MIX; i++) {
		row->models[i].weight -= row->models[i].weight / MEMORY;
		/* The model's own place, else that of the one that weighs least. */
		if (!strcmp(row->models[i].model, model))
			own = i;
		else if (strcmp(row->models[own].model, model) &&
			 row->models[i].weight < row->models[own].weight)
			own = i;
	}
	if (strcmp(row->models[own].model, model)) {
		snprintf(row->models[own].model, MODEL_LEN, "%s", model);
		row->models[own].weight = 0;
	}
	row->models[own].weight += tokens * SCALE;
}

bool mix_find(const struct mix *mix, const struct mix_key *key, struct price_mix *ret)
{
	size_t at = quota_find(mix->quota, hash(key));

	if (at == QUOTA_NONE)
		return false;
	ret->n = PRICE_MIX;
	for (size_t i = 0; i < PRICE_MIX; i++) {
		memcpy(ret->models[i].model, mix->rows[at].models[i].model, MODEL_LEN);
		ret->models[i].weight = mix->rows[at].models[i].weight;
	}
	return true;
}

void mix_stats(const struct mix *mix, struct quota_stats *ret)
{
	quota_stats(mix->quota, ret);
}
