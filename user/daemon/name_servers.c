/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/name_servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define LINES_MAX 10000 /* of a file; a kubelet's configuration has some hundred */
#define SPACE     " \t\r\n"

int name_server_parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *in6 = (void *)&address;
	struct sockaddr_in *in = (void *)&address;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	else
		return -EINVAL;
	*ret = address;
	return 0;
}

struct reading {
	void (*fn)(void *arg, const struct sockaddr *server);
	void *arg;
	size_t n;
	bool is_in_list; /* of the kubelet's clusterDNS */
};

/* A word that is an address, perhaps in quotes or with a zone behind it. */
static void take_word(struct reading *reading, char *word)
{
	struct sockaddr_storage address;
	size_t len;

	word += strspn(word, "\"'[");
	len = strcspn(word, "%\"']#");
	word[len] = '\0';
	if (reading->n >= NAME_SERVERS_MAX || name_server_parse(word, &address))
		return;
	reading->n++;
	reading->fn(reading->arg, (const struct sockaddr *)&address);
}

/* resolv.conf(5): "nameserver 192.0.2.1" */
static void read_resolver(struct reading *reading, char *line)
{
	char *rest, *word = strtok_r(line, SPACE, &rest);

	if (!word || strcmp(word, "nameserver") != 0)
		return;
	word = strtok_r(NULL, SPACE, &rest);
	if (word)
		take_word(reading, word);
}

/* "clusterDNS:" with items in the lines below it or behind it: enough of YAML for what installers write. */
static void read_kubelet(struct reading *reading, char *line)
{
	static const char key[] = "clusterDNS:";
	char *rest, *word;

	if (!strncmp(line, key, strlen(key))) {
		reading->is_in_list = true;
		line += strlen(key);
	} else if (line[strspn(line, " ")] != '-') {
		reading->is_in_list = false;
	}
	for (word = strtok_r(line, SPACE "-,", &rest); reading->is_in_list && word;
	     word = strtok_r(NULL, SPACE "-,", &rest))
		take_word(reading, word);
}

static const struct {
	const char *path;
	void (*read)(struct reading *reading, char *line);
} files[] = {
	{ "/etc/resolv.conf", read_resolver },
	{ "/run/systemd/resolve/resolv.conf", read_resolver },
	{ "/var/lib/kubelet/config.yaml", read_kubelet },
};

void name_servers_each(const char *root, void (*fn)(void *arg, const struct sockaddr *server),
		       void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct reading reading = { .fn = fn, .arg = arg };
		_cleanup_fclose_ FILE *file = NULL;
		char path[256], line[512];

		snprintf(path, sizeof(path), "%s%s", root, files[i].path);
		file = fopen(path, "re");
		for (int n = 0; file && n < LINES_MAX && fgets(line, sizeof(line), file); n++)
			files[i].read(&reading, line);
	}
}
