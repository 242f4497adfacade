/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fetch_easy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"

void fetch_easy_wipe(struct curl_slist *headers)
{
	for (struct curl_slist *at = headers; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(headers);
}

/* A line end would smuggle a header in; curl itself takes anything. */
static int add_header(struct curl_slist **headers, const char *header)
{
	const char *colon = strchr(header, ':');
	struct curl_slist *longer;

	if (!colon || colon == header || strpbrk(header, "\r\n") ||
	    strcspn(header, " \t") < (size_t)(colon - header))
		return -EINVAL;
	longer = curl_slist_append(*headers, header);
	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

static int add_bearer(struct curl_slist **headers, const char *path)
{
	_cleanup_secret_ char *token = NULL, *header = NULL;
	int err = secret_read(path, &token);

	if (err)
		return err;
	if (asprintf(&header, "Authorization: Bearer %s", token) < 0) {
		header = NULL;
		return -ENOMEM;
	}
	return add_header(headers, header);
}

static int add_header_file(struct curl_slist **headers, const char *path)
{
	_cleanup_secret_ char *text = NULL;
	char *line, *rest;
	int err = secret_read(path, &text);
	size_t len = err ? 0 : strlen(text);

	for (line = text ? strtok_r(text, "\r\n", &rest) : NULL; line && !err;
	     line = strtok_r(NULL, "\r\n", &rest))
		err = add_header(headers, line);
	/* strtok_r() left NULs, at which wiping would stop */
	if (text)
		explicit_bzero(text, len);
	return err;
}

static int add_headers(struct curl_slist **headers, const struct fetch_request *request)
{
	/* A body is sent at once, and as what it is said to be. */
	int err = add_header(headers, "Expect:");

	for (size_t i = 0; !err && request->headers && request->headers[i]; i++)
		err = add_header(headers, request->headers[i]);
	if (!err && request->bearer_file)
		err = add_bearer(headers, request->bearer_file);
	if (!err && request->header_file)
		err = add_header_file(headers, request->header_file);
	return err;
}

/* The last error of several options; they are independent of each other. */
#define SET(easy, option, value)                                        \
	do {                                                            \
		CURLcode code_ = curl_easy_setopt(easy, option, value); \
		if (code_)                                              \
			code = code_;                                   \
	} while (0)

static CURLcode set_tls(CURL *easy, const struct fetch_tls *tls)
{
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_SSL_VERIFYPEER, tls->is_insecure ? 0L : 1L);
	SET(easy, CURLOPT_SSL_VERIFYHOST, tls->is_insecure ? 0L : 2L);
	SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (tls->ca_file) {
		SET(easy, CURLOPT_CAINFO, tls->ca_file);
		SET(easy, CURLOPT_CAPATH, NULL);
	}
	if (tls->cert_file)
		SET(easy, CURLOPT_SSLCERT, tls->cert_file);
	if (tls->key_file)
		SET(easy, CURLOPT_SSLKEY, tls->key_file);
	return code;
}

static CURLcode set_limits(CURL *easy, const struct fetch_request *request)
{
	long timeout_ms = request->timeout_ms ? request->timeout_ms :
			  request->piece      ? 0 :
						FETCH_TIMEOUT_MS_DEFAULT;
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    timeout_ms && timeout_ms < FETCH_TIMEOUT_MS_DEFAULT ? timeout_ms :
								  (long)FETCH_TIMEOUT_MS_DEFAULT);
	if (request->silence_s) {
		SET(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		SET(easy, CURLOPT_LOW_SPEED_TIME, (long)request->silence_s);
	}
	/* What is announced as too long is not begun. */
	if (!request->piece)
		SET(easy, CURLOPT_MAXFILESIZE_LARGE,
		    (curl_off_t)(request->max_bytes ? request->max_bytes : FETCH_BYTES_DEFAULT));
	SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else giving up a name that is being looked up waits for its thread. */
	SET(easy, CURLOPT_QUICK_EXIT, 1L);
	return code;
}

static CURLcode set_request(CURL *easy, const struct fetch_request *request)
{
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_URL, request->url);
	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
	SET(easy, CURLOPT_USERAGENT, "aigress");
	if (request->unix_socket)
		SET(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	if (request->body) {
		SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(easy, CURLOPT_COPYPOSTFIELDS, request->body);
	}
	if (request->method)
		SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
	return code;
}

/* Only TCP and TLS; whose protocol follows has no name in ALPN. */
static CURLcode set_raw(CURL *easy)
{
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_CONNECT_ONLY, 1L);
	SET(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(easy, CURLOPT_FRESH_CONNECT, 1L);
	return code;
}

static int errno_of(CURLcode code)
{
	return !code ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* curl would find out only when it connects, and take "example" for http://example. */
static bool is_url(const char *url)
{
	CURLU *parts = curl_url();
	bool is_good = parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
		       (!strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8));

	curl_url_cleanup(parts);
	return is_good;
}

int fetch_easy_new(CURL **ret, struct curl_slist **ret_headers, const struct fetch_request *request,
		   bool is_raw)
{
	struct curl_slist *headers = NULL;
	CURL *easy;
	int err;

	if (!request->url || !is_url(request->url))
		return -EINVAL;
	easy = curl_easy_init();
	err = easy ? add_headers(&headers, request) : -ENOMEM;
	if (!err)
		err = errno_of(set_request(easy, request));
	if (!err)
		err = errno_of(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers));
	if (!err)
		err = errno_of(set_tls(easy, &request->tls));
	if (!err)
		err = errno_of(set_limits(easy, request));
	if (!err && is_raw)
		err = errno_of(set_raw(easy));
	if (err) {
		curl_easy_cleanup(easy);
		fetch_easy_wipe(headers);
		return err;
	}
	*ret = easy;
	*ret_headers = headers;
	return 0;
}
