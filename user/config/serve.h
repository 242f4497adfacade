/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of `serve:`. Included by config.c only. */
#ifndef CONFIG_SERVE_H
#define CONFIG_SERVE_H

#include "config/reader.h"
#include "web/serve.h"

/* Fills a struct serve_config and sets its defaults; the presence of the key turns it on. */
int config_serve(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field);
void config_serve_done(struct serve_config *serve);
bool config_serve_is_same(const struct serve_config *a, const struct serve_config *b);

#endif
