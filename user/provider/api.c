/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/api.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/http.h"
#include "http/path.h"
#include "provider/provider.h"

/* An operator's gateways; the kernel's host trie holds more. */
#define ADDED_MAX 256
#define HOST_MAX  253 /* RFC 1035 */

struct added {
	char pattern[HOST_MAX + 1]; /* without its port */
	uint16_t port;              /* of plain HTTP; 0: none was named */
	const struct api_provider *provider;
};

static struct added added[ADDED_MAX];
static size_t added_count;

const char *api_name(const struct api_provider *provider)
{
	return provider->name;
}

const char *api_host(const char *named, const char *claimed)
{
	const struct api_provider *provider = api_find(named), *other = api_find(claimed);

	if (other && (!provider || provider == other))
		return claimed;
	return provider || !claimed || !*claimed ? named : claimed;
}

/* A pattern has at most one star, which matches at least one character. */
static bool pattern_fits(const char *pattern, const char *host)
{
	const char *star = strchr(pattern, '*');
	size_t before, tail, len = strlen(host);

	if (!star)
		return !strcmp(pattern, host);
	before = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return len > before + tail && !strncmp(pattern, host, before) &&
	       !strcmp(host + len - tail, star + 1);
}

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]"

const struct api_provider *api_find(const char *host)
{
	/* No name in the DNS has other characters, and it is shown. */
	if (!host || !*host || strlen(host) > HOST_MAX || host[strspn(host, HOST_CHARS)])
		return NULL;
	for (size_t i = 0; i < added_count; i++)
		if (pattern_fits(added[i].pattern, host))
			return added[i].provider;
	for (size_t i = 0; i < provider_rows_count; i++)
		for (size_t j = 0; j < HOSTS && provider_rows[i].hosts[j]; j++)
			if (pattern_fits(provider_rows[i].hosts[j], host))
				return &provider_rows[i];
	return NULL;
}

bool api_is_added(const char *host)
{
	for (size_t i = 0; i < added_count; i++)
		if (pattern_fits(added[i].pattern, host))
			return true;
	return false;
}

const char *api_provider_name(size_t i)
{
	return i < provider_rows_count ? provider_rows[i].name : NULL;
}

bool api_is_provider(const char *name)
{
	return provider_by_name(name);
}

/* The port at the end of a pattern, whose name is `ret_len` long; 0: it names none, -EINVAL: none that there is. */
static int port_of(const char *pattern, size_t *ret_len)
{
	const char *end = *pattern == '[' ? strchr(pattern, ']') : NULL;
	const char *colon = strchr(end ? end : pattern, ':');
	unsigned port;
	int n = 0;

	*ret_len = colon ? (size_t)(colon - pattern) : strlen(pattern);
	if (!colon)
		return 0;
	if (colon[1] < '1' || colon[1] > '9' || sscanf(colon + 1, "%5u%n", &port, &n) != 1 ||
	    colon[1 + n] || port > UINT16_MAX)
		return -EINVAL;
	return (int)port;
}

/* An IPv6 address in brackets, as a URL has it. */
static bool is_ip6(const char *name, size_t len)
{
	return len > 4 && len <= HOST_MAX && name[0] == '[' &&
	       strspn(name + 1, "0123456789abcdef:.") == len - 2 && name[len - 1] == ']';
}

bool api_is_pattern(const char *pattern)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_*";
	const char *star = strchr(pattern, '*');
	size_t len;
	int port = port_of(pattern, &len);

	if (port > 0 && is_ip6(pattern, len))
		return true;
	if (port < 0 || !len || len > HOST_MAX || strspn(pattern, allowed) < len ||
	    strstr(pattern, ".."))
		return false;
	/* One star, and behind it enough of a name that it does not stand for the whole world. */
	return !star || (!strchr(star + 1, '*') && star[1] == '.' && strchr(star + 2, '.'));
}

bool provider_has_host(const char *host)
{
	return !api_is_added(host) && api_find(host);
}

int api_add_host(const char *pattern, const char *provider)
{
	const struct api_provider *row = provider_by_name(provider);
	struct added *host;
	size_t len, i;
	int port;

	if (!row)
		return -ENOENT;
	if (!api_is_pattern(pattern))
		return -EINVAL;
	port = port_of(pattern, &len);
	for (i = 0; i < added_count; i++)
		if (added[i].port == port && strlen(added[i].pattern) == len &&
		    !memcmp(added[i].pattern, pattern, len))
			break;
	if (i == ADDED_MAX)
		return -ENOMEM;
	host = &added[i];
	memcpy(host->pattern, pattern, len);
	host->pattern[len] = '\0';
	host->port = (uint16_t)port;
	host->provider = row;
	added_count += i == added_count;
	return 0;
}

uint16_t api_port(size_t index)
{
	for (size_t i = 0; i < added_count; i++)
		if (added[i].port && !index--)
			return added[i].port;
	return 0;
}

uint16_t api_pattern_port(size_t index)
{
	return index < added_count ? added[index].port : 0;
}

const char *api_pattern(size_t index)
{
	if (index < added_count)
		return added[index].pattern;
	index -= added_count;
	for (size_t i = 0; i < provider_rows_count; i++)
		for (size_t j = 0; j < HOSTS && provider_rows[i].hosts[j]; j++)
			if (!index--)
				return provider_rows[i].hosts[j];
	return NULL;
}

/*
 * Google's front serves all of googleapis.com at the same addresses; the others are the providers' own
 * web sites, which share a content network with their API or do not. A name that is gone costs nothing.
 */
const char *api_neighbour(size_t index)
{
	static const char *const names[] = {
		"storage.googleapis.com",
		"oauth2.googleapis.com",
		"www.googleapis.com",
		"openai.com",
		"www.anthropic.com",
		"claude.ai",
		"mistral.ai",
		"groq.com",
		"cohere.com",
		"deepseek.com",
		"www.perplexity.ai",
		"huggingface.co",
		"x.ai",
	};

	return index < ARRAY_SIZE(names) ? names[index] : NULL;
}

/* Where the segment of `path` that ends at `end` begins. */
static size_t segment(const char *path, size_t end)
{
	while (end && path[end - 1] != '/')
		end--;
	return end;
}

/* Whether the tail ends the path of `len`, compared from the end; a star takes a segment. */
static bool tail_fits(const char *tail, const char *path, size_t len)
{
	bool is_all = *tail == '^';
	size_t left = strlen(tail += is_all), begin;

	for (; left; left--) {
		if (tail[left - 1] == '*') {
			begin = segment(path, len);
			if (begin == len)
				return false;
			len = begin;
		} else if (!len || tolower((unsigned char)path[--len]) !=
					   tolower((unsigned char)tail[left - 1])) {
			return false;
		}
	}
	return !is_all || !len;
}

enum way { WAY_POST, WAY_GET, WAY_WEBSOCKET };

static enum way way_of(const struct endpoint *endpoint)
{
	return endpoint->session ? WAY_WEBSOCKET : endpoint->job ? WAY_GET : WAY_POST;
}

static const struct endpoint *find_tail(const struct endpoint *list, const char *path, enum way way)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (; list && list->tail; list++)
		if (way_of(list) == way && tail_fits(list->tail, path, len))
			return list;
	return NULL;
}

/* In the lists of whoever may be behind a gateway: those that the path names, or with paths that no one else has. */
static const struct endpoint *find_behind(const struct api_provider *gateway, const char *path,
					  enum way way)
{
	const struct endpoint *const lists[] = { endpoint_google, endpoint_bedrock,
						 endpoint_cohere };
	const struct api_provider *behind = provider_behind(gateway, path);
	const struct endpoint *found = NULL;

	if (behind)
		return find_tail(behind->endpoints, path, way);
	for (size_t i = 0; !found && i < ARRAY_SIZE(lists); i++)
		found = find_tail(lists[i], path, way);
	return found;
}

static const struct endpoint *find(const struct api_provider *provider, const char *path,
				   enum way way)
{
	const struct endpoint *found = find_tail(provider ? provider->endpoints : NULL, path, way);

	if (!found && provider && provider->is_gateway)
		found = find_behind(provider, path, way);
	if (!found)
		found = find_tail(endpoint_rows, path, way);
	return found && found->operation ? found : NULL;
}

/* Some servers compare a path with all of it decoded, slashes, too. */
static const struct endpoint *find_decoded(const struct api_provider *provider, const char *path,
					   enum way way)
{
	const struct endpoint *found = find(provider, path, way);
	char decoded[HTTP_PATH_LEN] = "";
	size_t n = 0, len = strlen(path);

	if (found || !strchr(path, '%'))
		return found;
	for (size_t i = 0; i < len && n + 1 < sizeof(decoded); i++) {
		int c = path_encoded(path + i, len - i);

		decoded[n++] = c > 0 ? (char)c : path[i];
		i += c > 0 ? 2 : 0;
	}
	decoded[n] = '\0';
	return find(provider, decoded, way);
}

const struct endpoint *endpoint_find(const struct api_provider *provider, const char *method,
				     const char *path)
{
	if (!strcmp(method, "GET"))
		return find_decoded(provider, path, WAY_GET);
	return strcmp(method, "POST") ? NULL : find_decoded(provider, path, WAY_POST);
}

const struct endpoint *endpoint_find_session(const struct api_provider *provider, const char *path)
{
	return find_decoded(provider, path, WAY_WEBSOCKET);
}

void path_model(const char *path, char *ret, size_t size)
{
	/* Azure's deployment name is free text, if often the model's; the answer knows better. */
	static const struct {
		const char *before, *stop;
		size_t kept; /* of `before`, from its end */
	} places[] = {
		{ "/models/", ":/", 0 },           { "/model/", "/", 0 },
		{ "/deployments/", "/", 0 },       { "/endpoints/", "/", 0 },
		{ "/serving-endpoints/", "/", 0 }, { "/@cf/", "", 4 },
		{ "/v1/inference/", "", 0 },       { "/v1/flux-", "/", 5 },
	};
	size_t len = 0;
	int slashes, c;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *at = strcasestr(path, places[i].before);

		if (!at)
			continue;
		at += strlen(places[i].before) - places[i].kept;
		/* Replicate's models have an owner, and an ARN names a kind and what is of it. */
		slashes = !places[i].kept &&
			  (tail_fits("/models/*/*/predictions", path, strlen(path)) ||
			   !strncmp(at, "arn:", 4));
		for (; *at && len + 1 < size; at++) {
			if (strchr(places[i].stop, *at) && !(*at == '/' && slashes-- > 0))
				break;
			/* Bedrock's ids come as %3A and %2F. */
			c = path_encoded(at, strlen(at));
			ret[len++] = c >= ' ' ? (char)c : *at;
			at += c >= ' ' ? 2 : 0;
		}
		ret[len] = '\0';
		return;
	}
}
