/* SPDX-License-Identifier: Apache-2.0 */
#include "config/places.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SERVERS_MAX 32
#define PROXIES_MAX      16
#define HOST_MAX         253

static const char *text_of(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static int read_name_server(struct config_reader *reader, yaml_node_t *node,
			    const struct config_key *key, void *field)
{
	struct config_place *place = field;
	uint8_t addr[16];

	if (inet_pton(AF_INET, text_of(node), addr) != 1 &&
	    inet_pton(AF_INET6, text_of(node), addr) != 1)
		return config_fail_value(
			reader, node, "is not the address of a name server; give one as 10.96.0.10");
	place->host = strdup(text_of(node));
	return place->host ? 0 : -ENOMEM;
}

/* "proxy.corp.example:3128", "10.0.0.5:3128", "[fd00::5]:3128" */
static int read_proxy(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	struct config_place *place = field;
	const char *text = text_of(node), *colon = strrchr(text, ':');
	bool is_in_brackets = *text == '[' && colon && colon[-1] == ']';
	const char *host = text + is_in_brackets;
	size_t len = colon ? (size_t)(colon - host) - is_in_brackets : 0;
	char *end = NULL;
	unsigned long port = colon && colon[1] >= '1' && colon[1] <= '9' ?
				     strtoul(colon + 1, &end, 10) :
				     0;

	if (!end || *end || port > 65535 || !len || len > HOST_MAX ||
	    (!is_in_brackets && strspn(host, letters) != len))
		return config_fail_value(
			reader, node,
			"is not a proxy; give its host and port as proxy.corp.example:3128");
	place->port = (uint16_t)port;
	place->host = strndup(host, len);
	return place->host ? 0 : -ENOMEM;
}

int config_name_servers(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	struct config *config = field;

	return config_list(reader, node, read_name_server, sizeof(*config->name_servers),
			   NAME_SERVERS_MAX, (void **)&config->name_servers,
			   &config->n_name_servers);
}

int config_proxies(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		   void *field)
{
	struct config *config = field;

	return config_list(reader, node, read_proxy, sizeof(*config->proxies), PROXIES_MAX,
			   (void **)&config->proxies, &config->n_proxies);
}

bool config_places_are_same(const struct config_place *a, size_t n_a, const struct config_place *b,
			    size_t n_b)
{
	bool same = n_a == n_b;

	for (size_t i = 0; same && i < n_a; i++)
		same = !strcmp(a[i].host, b[i].host) && a[i].port == b[i].port;
	return same;
}

void config_places_done(struct config_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(places[i].host);
	free(places);
}
