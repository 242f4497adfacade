/* SPDX-License-Identifier: Apache-2.0 */
/* `name-servers:` and `proxies:`, by which destinations are confirmed. */
#ifndef CONFIG_PLACES_H
#define CONFIG_PLACES_H

#include "config/config.h"
#include "config/reader.h"

/* Into a struct config. */
int config_name_servers(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_proxies(struct config_reader *, yaml_node_t *, const struct config_key *, void *);

bool config_places_are_same(const struct config_place *a, size_t n_a, const struct config_place *b,
			    size_t n_b);
void config_places_done(struct config_place *places, size_t n);

#endif
