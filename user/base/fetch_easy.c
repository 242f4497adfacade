/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fetch_easy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"

static void wipe(struct curl_slist *headers)
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
	int err = request->mail ? 0 : add_header(headers, "Expect:");

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

static CURLcode set_http(CURL *easy, const struct fetch_request *request)
{
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, CURLOPT_USERAGENT, "aigress");
	if (request->body) {
		SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(easy, CURLOPT_COPYPOSTFIELDS, request->body);
	}
	if (request->method)
		SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
	return code;
}

static CURLcode set_request(CURL *easy, const struct fetch_request *request)
{
	CURLcode code = CURLE_OK;

	SET(easy, CURLOPT_URL, request->url);
	SET(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
	if (request->unix_socket)
		SET(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	return code;
}

static int errno_of(CURLcode code)
{
	return !code ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

static int sign_in(CURL *easy, const struct fetch_mail *mail)
{
	_cleanup_secret_ char *password = NULL;
	int err = secret_read(mail->password_file, &password);

	if (err)
		return err;
	err = errno_of(curl_easy_setopt(easy, CURLOPT_USERNAME, mail->user));
	return err ? err : errno_of(curl_easy_setopt(easy, CURLOPT_PASSWORD, password));
}

static int add_recipients(struct curl_slist **to, const struct fetch_mail *mail)
{
	for (size_t i = 0; mail->to[i]; i++) {
		struct curl_slist *longer = curl_slist_append(*to, mail->to[i]);

		if (!longer)
			return -ENOMEM;
		*to = longer;
	}
	return *to ? 0 : -EINVAL;
}

/* One part of text, which curl codes and whose dots it doubles (RFC 5321, 4.5.2). */
static int add_text(struct fetch_easy *easy, const struct fetch_request *request)
{
	curl_mimepart *part;

	easy->text = curl_mime_init(easy->curl);
	part = easy->text ? curl_mime_addpart(easy->text) : NULL;
	if (!part || curl_mime_data(part, request->body ? request->body : "", request->body_len) ||
	    curl_mime_type(part, "text/plain; charset=utf-8") ||
	    curl_mime_encoder(part, "quoted-printable"))
		return -ENOMEM;
	return errno_of(curl_easy_setopt(easy->curl, CURLOPT_MIMEPOST, easy->text));
}

static int set_mail(struct fetch_easy *easy, const struct fetch_request *request)
{
	const struct fetch_mail *mail = request->mail;
	bool is_trusted = mail->password_file || request->tls.ca_file;
	CURLcode code = CURLE_OK;
	int err = add_recipients(&easy->to, mail);

	if (!err)
		err = add_text(easy, request);
	if (!err && mail->password_file)
		err = sign_in(easy->curl, mail);
	if (err)
		return err;
	SET(easy->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(easy->curl, CURLOPT_MAIL_FROM, mail->from);
	SET(easy->curl, CURLOPT_MAIL_RCPT, easy->to);
	SET(easy->curl, CURLOPT_USE_SSL, (long)(is_trusted ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (!is_trusted && !strncasecmp(request->url, "smtp://", 7)) {
		SET(easy->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		SET(easy->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return errno_of(code);
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

/* curl would find out only when it connects, and take "example" for http://example. */
static bool is_url(const struct fetch_request *request)
{
	static const char *const schemes[][2] = { { "http://", "https://" },
						  { "smtp://", "smtps://" } };
	const char *const *of = schemes[request->mail != NULL];
	CURLU *parts = curl_url();
	bool is_good = parts && request->url &&
		       !curl_url_set(parts, CURLUPART_URL, request->url, 0) &&
		       (!strncasecmp(request->url, of[0], strlen(of[0])) ||
			!strncasecmp(request->url, of[1], strlen(of[1])));

	curl_url_cleanup(parts);
	return is_good;
}

int fetch_easy_init(struct fetch_easy *ret, const struct fetch_request *request, bool is_raw)
{
	int err;

	*ret = (struct fetch_easy){ 0 };
	if (!is_url(request))
		return -EINVAL;
	ret->curl = curl_easy_init();
	err = ret->curl ? add_headers(&ret->headers, request) : -ENOMEM;
	if (!err)
		err = errno_of(set_request(ret->curl, request));
	if (!err)
		err = errno_of(curl_easy_setopt(ret->curl, CURLOPT_HTTPHEADER, ret->headers));
	if (!err)
		err = errno_of(set_tls(ret->curl, &request->tls));
	if (!err)
		err = errno_of(set_limits(ret->curl, request));
	if (!err)
		err = request->mail ? set_mail(ret, request) :
				      errno_of(set_http(ret->curl, request));
	if (!err && is_raw)
		err = errno_of(set_raw(ret->curl));
	return err;
}

void fetch_easy_done(struct fetch_easy *easy)
{
	/* What it points to is freed after it. */
	curl_easy_cleanup(easy->curl);
	curl_mime_free(easy->text);
	curl_slist_free_all(easy->to);
	wipe(easy->headers);
	*easy = (struct fetch_easy){ 0 };
}
