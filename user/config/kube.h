/* SPDX-License-Identifier: Apache-2.0 */
/* The key `kubernetes` of the configuration. Included by config.c only. */
#ifndef CONFIG_KUBE_H
#define CONFIG_KUBE_H

#include "config/reader.h"

/* Fills a struct kube_config. */
int config_kube(struct config_reader *, yaml_node_t *, const struct config_key *, void *);

#endif
