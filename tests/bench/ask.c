/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that asks over one kept connection and times each answer.
 *   ask HOST CALLS WARM_MS
 * prints p50 and p99 in ns. The warm-up leaves time for probes to come in.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char body[] =
	"{\"model\":\"claude-haiku-4-5\",\"max_tokens\":64,"
	"\"messages\":[{\"role\":\"user\",\"content\":\"Say something short.\"}]}";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	int fd, one = 1;

	if (getaddrinfo(host, "443", &hints, &found))
		die(host);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(found);
	return fd;
}

/* The answers of our server are one header block with Content-Length, and that many bytes. */
static void read_answer(SSL *ssl)
{
	char answer[8192];
	size_t have = 0, want = 0;

	while (!want || have < want) {
		int n = SSL_read(ssl, answer + have, (int)(sizeof(answer) - 1 - have));
		char *end, *length;

		if (n <= 0)
			die("SSL_read");
		have += (size_t)n;
		answer[have] = '\0';
		end = strstr(answer, "\r\n\r\n");
		length = strstr(answer, "Content-Length: ");
		if (!want && end && length)
			want = (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10);
	}
}

static uint64_t ask(SSL *ssl, const char *request, int len)
{
	uint64_t begun_ns = clock_mono_ns();

	if (SSL_write(ssl, request, len) != len)
		die("SSL_write");
	read_answer(ssl);
	return clock_mono_ns() - begun_ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int calls, len, warm = 0;
	uint64_t *took_ns, warm_until_ns;
	char request[1024];
	SSL *ssl;

	if (argc != 4)
		return 2;
	calls = atoi(argv[2]);
	took_ns = calloc((size_t)calls, sizeof(*took_ns));
	len = snprintf(request, sizeof(request),
		       "POST /v1/messages HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
		       argv[1], sizeof(body) - 1, body);
	ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	SSL_set_tlsext_host_name(ssl, argv[1]);
	SSL_set_fd(ssl, dial(argv[1]));
	if (SSL_connect(ssl) != 1)
		die("SSL_connect");
	warm_until_ns = clock_mono_ns() + strtoull(argv[3], NULL, 10) * NS_PER_MS;
	for (; clock_mono_ns() < warm_until_ns; warm++)
		ask(ssl, request, len);
	for (int i = 0; i < calls; i++)
		took_ns[i] = ask(ssl, request, len);
	qsort(took_ns, (size_t)calls, sizeof(*took_ns), compare);
	printf("%d %lu %lu\n", warm, took_ns[calls / 2], took_ns[calls * 99 / 100]);
	return 0;
}
