/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quota.h"
#include "usage/charge.h"

struct name {
	char client[CHARGE_CLIENT_LEN]; /* "": free */
	uint64_t used_ns;
};

struct clients {
	struct quota *quota; /* by tenant, a row each */
	struct name names[CLIENTS_TENANTS][CLIENTS_OF_TENANT];
};

struct clients *clients_new(void)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (!clients)
		return NULL;
	clients->quota = quota_new(CLIENTS_TENANTS, 1);
	return clients->quota ? clients : clients_free(clients);
}

struct clients *clients_free(struct clients *clients)
{
	if (clients)
		quota_free(clients->quota);
	free(clients);
	return NULL;
}

static struct name *names_of(struct clients *clients, uint64_t tenant)
{
	uint64_t key = tenant + 1 ?: 1; /* a cgroup that is not known is a tenant, too */
	size_t at = quota_find(clients->quota, key);

	if (at == QUOTA_NONE) {
		at = quota_take(clients->quota, key, key);
		memset(clients->names[at], 0, sizeof(clients->names[at]));
	}
	quota_touch(clients->quota, at);
	return clients->names[at];
}

const char *clients_admit(struct clients *clients, uint64_t tenant, const char *client,
			  uint64_t now_ns)
{
	struct name *names, *room = NULL;

	if (!*client)
		return client;
	names = names_of(clients, tenant);
	for (size_t i = 0; i < CLIENTS_OF_TENANT; i++) {
		struct name *name = &names[i];

		if (!strncmp(name->client, client, sizeof(name->client) - 1)) {
			name->used_ns = now_ns;
			return client;
		}
		if (!room && (!*name->client ||
			      (now_ns > name->used_ns && now_ns - name->used_ns > CLIENTS_FRESH_NS)))
			room = name;
	}
	if (!room)
		return CLIENTS_OTHER;
	snprintf(room->client, sizeof(room->client), "%s", client);
	room->used_ns = now_ns;
	return client;
}
