/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shared/shared.h"

void shared_config_done(struct shared_config *config)
{
	free(config->url);
	free(config->user);
	free(config->password_file);
	free(config->ca_file);
	free(config->prefix);
	*config = (struct shared_config){ 0 };
}

int shared_config_server(struct shared_config *config, const char *text)
{
	static const struct {
		const char *scheme;
		bool is_tls;
	} schemes[] = {
		{ "valkey://", false },
		{ "redis://", false },
		{ "valkeys://", true },
		{ "rediss://", true },
	};
	char host[256], port[8] = "6379";
	unsigned db = 0;
	bool is_tls = false;
	int end = -1;

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && end < 0; i++) {
		if (strncmp(text, schemes[i].scheme, strlen(schemes[i].scheme)))
			continue;
		end = (int)strlen(schemes[i].scheme);
		is_tls = schemes[i].is_tls;
	}
	if (end < 0)
		return -EINVAL;
	text += end;
	end = 0;
	if (sscanf(text, *text == '[' ? "%255[][0-9a-fA-F:]%n" : "%255[a-zA-Z0-9._-]%n", host,
		   &end) != 1)
		return -EINVAL;
	text += end;
	end = 0;
	/* "[::1]:6379": the port has gone with the address */
	if (host[0] == '[' && strrchr(host, ']') && strrchr(host, ']')[1] == ':') {
		snprintf(port, sizeof(port), "%s", strrchr(host, ']') + 2);
		strrchr(host, ']')[1] = '\0';
	} else if (*text == ':') {
		if (sscanf(text, ":%5[0-9]%n", port, &end) != 1)
			return -EINVAL;
		text += end;
	}
	end = 0;
	if (*text == '/' && (sscanf(text, "/%4u%n", &db, &end) != 1 || text[end]))
		return -EINVAL;
	if (text[end] || atoi(port) < 1 || atoi(port) > 65535)
		return -EINVAL;
	free(config->url);
	if (asprintf(&config->url, "%s://%s:%s", is_tls ? "https" : "http", host, port) < 0) {
		config->url = NULL;
		return -ENOMEM;
	}
	config->db = db;
	return 0;
}
