/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which models a program and its cgroup have been measured to use at a provider: what its calls are taken to be
 * of that nobody could read. By tenant, because a name in an answer is the word of whoever answers.
 */
#ifndef PIPELINE_MIX_H
#define PIPELINE_MIX_H

#include "base/quota.h"
#include "price/price.h"

struct mix;

struct mix_key {
	uint64_t tenant;     /* the cgroup's id */
	const char *program; /* its executable, or its name; "": all of the tenant */
	const char *provider;
};

/* 1,024 rows, 32 of a tenant: 0.4 MiB. NULL: no memory. */
struct mix *mix_new(void);
struct mix *mix_free(struct mix *mix);

/* A measured call of so many tokens. A row forgets: the weight of a call falls to 1/e after 64 more. */
void mix_learn(struct mix *mix, const struct mix_key *key, const char *model, uint64_t tokens);
/* False: nothing was measured. */
bool mix_find(const struct mix *mix, const struct mix_key *key, struct price_mix *ret);

void mix_stats(const struct mix *mix, struct quota_stats *ret);

#endif
