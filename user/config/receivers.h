/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the configuration for data that leaves the host. Included by config.c only. */
#ifndef CONFIG_RECEIVERS_H
#define CONFIG_RECEIVERS_H

#include "config/reader.h"

/* Fills a struct shared_config; a config_fn. */
int config_shared(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
/* Fills a struct webhook_rules; a config_fn. */
int config_webhooks(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
/* Fills a struct otlp_config; a config_fn. */
int config_otlp(struct config_reader *, yaml_node_t *, const struct config_key *, void *);

#endif
