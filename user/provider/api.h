/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of providers: a provider is a row, not code. A row gives host patterns, the paths that
 * are billed, the dialect of its bodies and how its models are named in the price file.
 */
#ifndef PROVIDER_API_H
#define PROVIDER_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_provider; /* a row */

/* The provider of a host name (lower case, no port), or NULL. */
const struct api_provider *api_find(const char *host);
/*
 * Whose a request is on a connection that was `named` so when it began, with a head that has `claimed`; either may be
 * NULL or "". The head says it in more detail, but cannot make a call to a provider one to nobody, or to another
 * provider: where both are AI hosts, of different providers, the connection's name counts. The result is one of them.
 */
const char *api_host(const char *named, const char *claimed);
/* gen_ai.provider.name */
const char *api_name(const struct api_provider *provider);

/* Providers' names, NULL behind the last; some have a second name as well. */
const char *api_provider_name(size_t i);
bool api_is_provider(const char *name);
/*
 * "llm.corp.example", or "*.corp.example", whose star has at least two parts behind it. With a port ("litellm.svc:4000",
 * "10.0.0.5:4000", "[fd00::1]:4000") it is also known where it speaks plain HTTP there.
 */
bool api_is_pattern(const char *pattern);

/*
 * Adds a host of the operator's own (a gateway) that speaks as `provider` does ("openai",
 * "anthropic", ...). 0, -ENOENT: no such provider, -EINVAL: not a host pattern, -ENOMEM.
 */
int api_add_host(const char *pattern, const char *provider);

/* Is the host one of the operator's own (api_add_host())? */
bool api_is_added(const char *host);

/*
 * Walks every host pattern: "api.openai.com" (exact), "*.openai.azure.com" (suffix) or
 * "bedrock-runtime.*.amazonaws.com" (prefix and suffix). Index from 0; NULL ends the walk.
 */
const char *api_pattern(size_t index);

/* The ports that were named with hosts. Index from 0; 0 ends the walk. And that of a pattern; 0: it has none. */
uint16_t api_port(size_t index);
uint16_t api_pattern_port(size_t index);

/*
 * Names that are no AI hosts and may stand behind the same front as one: where such a name has the
 * address of an AI host, the address says nothing. Index from 0; NULL ends the walk.
 */
const char *api_neighbour(size_t index);

#endif
