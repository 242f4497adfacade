/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_plain.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define NAMESPACES_MAX 512
#define ESTABLISHED    1 /* TCP_ESTABLISHED of include/net/tcp_states.h, as /proc/net/tcp has it */

/* Their documentation's defaults, 2026-11. */
static const struct {
	uint16_t port;
	const char *server;
} servers[] = {
	{ 4000, "LiteLLM" }, { 8000, "vLLM" },    { 8080, "TGI or llama.cpp" },
	{ 11434, "Ollama" }, { 30000, "SGLang" },
};

static const char *server_of(unsigned port, const json_t *config)
{
	size_t i;
	json_t *named;

	json_array_foreach(json_object_get(config, "ports"), i, named)
		if (json_integer_value(named) == (json_int_t)port)
			return NULL;
	for (i = 0; i < ARRAY_SIZE(servers); i++)
		if (servers[i].port == port)
			return servers[i].server;
	return NULL;
}

/* "0100007F", or four such words of IPv6: words as this machine has them in memory. */
static bool read_address(const char *hex, char ret[48])
{
	size_t n = strlen(hex) / 8;
	uint32_t words[4];
	char text[INET6_ADDRSTRLEN];

	if (strlen(hex) % 8 || (n != 1 && n != 4))
		return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(hex + 8 * i, "%8x", &words[i]) != 1)
			return false;
	if (!inet_ntop(n == 1 ? AF_INET : AF_INET6, words, text, sizeof(text)))
		return false;
	if (!strncmp(text, "::ffff:", 7) && strchr(text, '.'))
		snprintf(ret, 48, "%s", text + 7);
	else
		snprintf(ret, 48, n == 1 ? "%s" : "[%s]", text);
	return true;
}

static void count(struct check_plain *found, size_t *n, const char *address, unsigned port,
		  const char *server)
{
	size_t i = 0;

	while (i < *n && (found[i].port != port || strcmp(found[i].address, address) != 0))
		i++;
	if (i == CHECK_PLAIN_MAX)
		return;
	if (i == *n) {
		found[i] = (struct check_plain){ .port = (uint16_t)port, .server = server };
		snprintf(found[i].address, sizeof(found[i].address), "%s", address);
		(*n)++;
	}
	found[i].connections++;
}

static void read_table(const char *path, const json_t *config, struct check_plain *found, size_t *n)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512], hex[33], address[48];
	unsigned port, state;
	const char *server;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*u: %*32[0-9A-F]:%*4x %32[0-9A-F]:%4x %2x", hex, &port,
			   &state) != 3 ||
		    state != ESTABLISHED)
			continue;
		server = server_of(port, config);
		if (server && read_address(hex, address))
			count(found, n, address, port, server);
	}
}

static bool is_new(ino_t *seen, size_t *n_seen, ino_t ino)
{
	for (size_t i = 0; i < *n_seen; i++)
		if (seen[i] == ino)
			return false;
	if (*n_seen == NAMESPACES_MAX)
		return false;
	seen[(*n_seen)++] = ino;
	return true;
}

size_t check_plain_scan(const char *proc, const json_t *config, struct check_plain *ret)
{
	static const char *const tables[] = { "tcp", "tcp6" };
	_cleanup_closedir_ DIR *dir = opendir(proc);
	ino_t seen[NAMESPACES_MAX];
	size_t n = 0, n_seen = 0;
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[strspn(entry->d_name, "0123456789")])
			continue;
		snprintf(path, sizeof(path), "%s/%s/ns/net", proc, entry->d_name);
		if (stat(path, &st) || !is_new(seen, &n_seen, st.st_ino))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
			snprintf(path, sizeof(path), "%s/%s/net/%s", proc, entry->d_name, tables[i]);
			read_table(path, config, ret, &n);
		}
	}
	return n;
}

void check_plain_print(const struct check_plain *found, size_t n, FILE *out)
{
	if (n)
		fprintf(out,
			"\nPerhaps plain HTTP to a gateway or a model server\n"
			"  Not read unless it is named: hosts: [ { pattern: \"HOST:PORT\", like: ... } ]\n");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %s:%u  the port of %s, %u connection%s\n", found[i].address,
			found[i].port, found[i].server, found[i].connections,
			found[i].connections == 1 ? "" : "s");
}

json_t *check_plain_json(const struct check_plain *found, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array,
				      json_pack("{s:s, s:i, s:s, s:i}", "address", found[i].address,
						"port", found[i].port, "server", found[i].server,
						"connections", (int)found[i].connections));
	return array;
}
