/* SPDX-License-Identifier: Apache-2.0 */
/* The keys `budgets` and `protect` of the configuration. Included by config.c only. */
#ifndef CONFIG_BUDGETS_H
#define CONFIG_BUDGETS_H

#include "config/reader.h"

/* `on-daemon-loss`, of the file and of a budget. */
extern const char *const config_losses[];
#define CONFIG_LOSS_NOUN "what happens without the daemon"

/* A time zone of this host, by its name. */
int config_zone(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
/* Each is a config_fn; the first two fill a struct policy_rules, the third a struct annotations_config. */
int config_budgets(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_annotations(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_protect(struct config_reader *, yaml_node_t *, const struct config_key *, void *);

#endif
