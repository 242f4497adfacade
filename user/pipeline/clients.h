/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that a tenant's programs call themselves by. They are rows of reports and series of metrics for whoever reads
 * them, and the tenant may invent any number: each has CLIENTS_OF_TENANT of its own, and further ones are "other".
 */
#ifndef PIPELINE_CLIENTS_H
#define PIPELINE_CLIENTS_H

#include <stdint.h>

#define CLIENTS_OF_TENANT 32
#define CLIENTS_TENANTS   1024 /* the least recently used goes first */
#define CLIENTS_FRESH_NS \
	86400000000000 /* one that was unused for a day makes room: programs are updated */
#define CLIENTS_OTHER "other"

struct clients;

/* 1,024 tenants of 1.8 kB, touched only as far as used. NULL: no memory. */
struct clients *clients_new(void);
struct clients *clients_free(struct clients *clients);

/*
 * `client`, or CLIENTS_OTHER if the tenant (a cgroup's id) has used as many others within a day of now_ns
 * (CLOCK_MONOTONIC). An empty one stays so. Of a client longer than CHARGE_CLIENT_LEN - 1 the beginning counts.
 */
const char *clients_admit(struct clients *clients, uint64_t tenant, const char *client,
			  uint64_t now_ns);

#endif
