/* SPDX-License-Identifier: Apache-2.0 */
#include "web/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

int serve_parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	char host[INET6_ADDRSTRLEN + 1];
	const char *port = NULL;
	unsigned long number = SERVE_PORT;
	bool is_v6 = *text == '[';
	size_t len;
	char *end;

	if (is_v6)
		text++;
	len = strcspn(text, is_v6 ? "]" : ":");
	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	text += len;
	if (is_v6 && *text++ != ']')
		return -EINVAL;
	if (*text == ':')
		port = text + 1;
	else if (*text)
		return -EINVAL;
	if (port) {
		if (*port < '1' || *port > '9')
			return -EINVAL;
		number = strtoul(port, &end, 10);
		if (*end || number > 65535)
			return -EINVAL;
	}
	address.ss_family = is_v6 ? AF_INET6 : AF_INET;
	if (inet_pton(address.ss_family, host, is_v6 ? (void *)&v6->sin6_addr : &v4->sin_addr) != 1)
		return -EINVAL;
	if (is_v6)
		v6->sin6_port = htons((uint16_t)number);
	else
		v4->sin_port = htons((uint16_t)number);
	*ret = address;
	return 0;
}

bool serve_is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

	return address->ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) :
						ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

bool serve_is_own_name(const char *host)
{
	struct sockaddr_storage address;

	if (!strncasecmp(host, "localhost", 9) && (!host[9] || host[9] == ':'))
		return true;
	return serve_parse_address(host, &address) == 0;
}

/* Of the same length in the same time, wherever they differ. */
static bool is_same(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len == strlen(b) && !CRYPTO_memcmp(a, b, len);
}

/* Read at each request: it is rotated by replacing the file. Without it no request is let in. */
static bool has_token(const struct serve_config *config, const char *authorization)
{
	static const char scheme[] = "Bearer ";
	_cleanup_secret_ char *token = NULL;

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1))
		return false;
	authorization += sizeof(scheme) - 1;
	authorization += strspn(authorization, " ");
	return secret_read(config->token_file, &token) == 0 && strlen(token) >= SERVE_TOKEN_MIN &&
	       is_same(authorization, token);
}

enum serve_verdict serve_judge(const struct serve_config *config, enum serve_need need,
			       const char *host, const char *authorization)
{
	if (need == SERVE_OPEN || (need == SERVE_METRICS && config->public_metrics))
		return SERVE_OK;
	if (config->token_file)
		return has_token(config, authorization) ? SERVE_OK : SERVE_NO_TOKEN;
	if (!serve_is_loopback(&config->listen))
		return SERVE_FORBIDDEN;
	/*
	 * A page from anywhere can have its own name point to 127.0.0.1 (DNS rebinding) and then read
	 * what is served there; the browser's Host shows it. HTTP/1.0 has none, and no browser speaks it.
	 */
	return !host || serve_is_own_name(host) ? SERVE_OK : SERVE_BAD_HOST;
}

int serve_check_token(const struct serve_config *config, char **ret_error)
{
	_cleanup_secret_ char *token = NULL;
	int err;

	if (!config->token_file)
		return 0;
	err = secret_read(config->token_file, &token);
	if (!err && strlen(token) >= SERVE_TOKEN_MIN)
		return 0;
	if (asprintf(ret_error,
		     "%s: %s; write a token of %d bytes or more into it, as "
		     "`openssl rand -hex 32` makes one",
		     config->token_file, err ? strerror(-err) : "is too short", SERVE_TOKEN_MIN) < 0)
		*ret_error = NULL;
	return err ? err : -EINVAL;
}
