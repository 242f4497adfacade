/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that no library for HTTP makes: TLS in memory whose bytes leave through io_uring, and requests in a resumed
 * handshake's early data. The request is standard input's; what is told is how many answers came.
 *
 *	sends uring|sqpoll HOST ADDRESS PORT CALLS
 *	sends early HOST ADDRESS PORT CALLS	each on a connection of its own; prints how many were early
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char request[1 << 16];
static size_t request_len;
static SSL_SESSION *ticket;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1;
}

static int dial(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd >= 0 && inet_pton(AF_INET, address, &to.sin_addr) == 1, "socket");
	must(!connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

/* Whether it is an answer as its length says. */
static int is_whole(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n"),
		   *length = strcasestr(answer, "content-length:");

	return body && length && strlen(body + 4) >= strtoul(length + 15, NULL, 10);
}

static int is_ok(const char *answer)
{
	return !strncmp(answer, "HTTP/1.1 200", 12);
}

/* One step of io_uring, done. */
static int done(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int n;

	must(io_uring_submit(ring) >= 0 && !io_uring_wait_cqe(ring, &cqe), "io_uring");
	n = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	must(n > 0, "io_uring: no bytes");
	return n;
}

static void flush(struct io_uring *ring, int fd, SSL *ssl)
{
	static char buf[1 << 16];
	int n, sent;

	while ((n = BIO_read(SSL_get_wbio(ssl), buf, sizeof(buf))) > 0)
		for (int at = 0; at < n; at += sent) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			io_uring_prep_send(sqe, fd, buf + at, n - at, 0);
			io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
			sent = done(ring);
		}
}

static void fill(struct io_uring *ring, int fd, SSL *ssl)
{
	static char buf[1 << 16];
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	int n;

	io_uring_prep_recv(sqe, fd, buf, sizeof(buf), 0);
	n = done(ring);
	must(BIO_write(SSL_get_rbio(ssl), buf, n) == n, "BIO_write");
}

static void by_uring(SSL_CTX *ctx, char **argv, int flags, int calls)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = 1000 };
	static char answer[1 << 20];
	struct io_uring ring;
	SSL *ssl = SSL_new(ctx);
	int fd = dial(argv[3], argv[4]), n, ok = 0;
	size_t len;

	must(!io_uring_queue_init_params(8, &ring, &params), "io_uring_queue_init");
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_tlsext_host_name(ssl, argv[2]);
	while ((n = SSL_connect(ssl)) != 1) {
		must(SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ, "SSL_connect");
		flush(&ring, fd, ssl);
		fill(&ring, fd, ssl);
	}
	for (int i = 0; i < calls; i++) {
		must(SSL_write(ssl, request, (int)request_len) > 0, "SSL_write");
		flush(&ring, fd, ssl);
		for (len = 0; answer[len] = '\0', !is_whole(answer); len += n > 0 ? n : 0) {
			n = SSL_read(ssl, answer + len, (int)(sizeof(answer) - 1 - len));
			if (n <= 0)
				fill(&ring, fd, ssl);
		}
		ok += is_ok(answer);
	}
	printf("%d\n", ok);
}

static void by_early(SSL_CTX *ctx, char **argv, int calls)
{
	static char answer[1 << 20];
	int early = 0;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	for (int i = 0; i < calls; i++) {
		SSL *ssl = SSL_new(ctx);
		int fd = dial(argv[3], argv[4]), n;
		size_t len = 0, written;

		SSL_set_fd(ssl, fd);
		SSL_set_tlsext_host_name(ssl, argv[2]);
		if (ticket && SSL_SESSION_get_max_early_data(ticket)) {
			must(SSL_set_session(ssl, ticket), "SSL_set_session");
			must(SSL_write_early_data(ssl, request, request_len, &written),
			     "SSL_write_early_data");
		}
		must(SSL_connect(ssl) == 1, "SSL_connect");
		if (SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED)
			early++;
		else
			must(SSL_write(ssl, request, (int)request_len) > 0, "SSL_write");
		for (answer[0] = '\0'; !is_whole(answer); len += n, answer[len] = '\0') {
			n = SSL_read(ssl, answer + len, (int)(sizeof(answer) - 1 - len));
			must(n > 0, "SSL_read");
		}
		must(is_ok(answer), answer);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	printf("%d\n", early);
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int calls = argc > 5 ? atoi(argv[5]) : 0;

	must(calls > 0, "arguments");
	must(SSL_CTX_set_default_verify_paths(ctx), "SSL_CERT_FILE");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	request_len = fread(request, 1, sizeof(request), stdin);
	if (!strcmp(argv[1], "early"))
		by_early(ctx, argv, calls);
	else
		by_uring(ctx, argv, strcmp(argv[1], "sqpoll") ? 0 : IORING_SETUP_SQPOLL, calls);
	return 0;
}
