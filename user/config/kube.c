/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kube.h"

#include <stddef.h>
#include <string.h>

#include "kube/kube.h"

/* "https://HOST[:PORT]", or off. A token is sent there, hence no http. */
static int read_url(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	static const char https[] = "https://";
	char **text = field;
	int r = config_string(reader, node, key, field);
	size_t len;

	if (r < 0)
		return r;
	if (!strcmp(*text, "off")) {
		**text = '\0';
		return 0;
	}
	len = strlen(*text);
	if (len < 256 && !strncmp(*text, https, strlen(https)) && len > strlen(https) &&
	    !(*text)[strcspn(*text, " ?#@\"'\\")] && !strchr(*text + strlen(https), '/'))
		return 0;
	return config_fail_value(
		reader, node,
		"is not a server; give off, or https://HOST:PORT with nothing behind it");
}

/* A folder: "/" is the host's own. */
static int read_root(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	char **text = field;
	int r = config_path(reader, node, key, field);

	if (r == 0 && !strcmp(*text, "/"))
		**text = '\0';
	return r;
}

static int read_events(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	bool wanted = true;
	int r = config_bool(reader, node, key, &wanted);

	*(bool *)field = !wanted;
	return r;
}

#define NAMES(field) offsetof(struct kube_config, names.field)
static const struct config_key kube_keys[] = {
	{ "host-root", NAMES(root), .fn = read_root },
	{ "kubelet", NAMES(kubelet), .fn = read_url },
	{ "kubelet-ca", NAMES(kubelet_ca), .fn = config_path },
	{ "kubelet-insecure", NAMES(kubelet_insecure), .fn = config_bool },
	{ "api", NAMES(api), .fn = read_url },
	{ "token", NAMES(token), .fn = config_path },
	{ "ca", NAMES(ca), .fn = config_path },
	{ "events", offsetof(struct kube_config, without_events), .fn = read_events },
	{ NULL },
};

int config_kube(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	return config_map(reader, node, kube_keys, field);
}
