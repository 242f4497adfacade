/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer on 127.0.0.1 for tests of clients: a thread that accepts, one connection at a time, with or
 * without TLS, and hands each to a function of the test. The certificate for "localhost" is signed
 * by an authority of its own, made anew.
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct peer {
	int fd, port, wake[2];
	pthread_t thread;
	SSL_CTX *tls; /* NULL: plain */
	void (*serve)(struct peer *peer);
	void *arg;
	/* of the connection that is served: */
	int conn;
	SSL *ssl;
	atomic_int n_accepted;
};

static inline ssize_t peer_read(struct peer *peer, void *bytes, size_t size)
{
	return peer->ssl ? SSL_read(peer->ssl, bytes, (int)size) : read(peer->conn, bytes, size);
}

/* False: the other side has gone. */
static inline bool peer_write(struct peer *peer, const void *bytes, size_t len)
{
	return peer->ssl ? SSL_write(peer->ssl, bytes, (int)len) > 0 :
			   send(peer->conn, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static inline bool peer_say(struct peer *peer, const char *text)
{
	return peer_write(peer, text, strlen(text));
}

/* Until the other side or the test ends: a peer that says nothing. */
static inline void peer_hang(struct peer *peer)
{
	struct pollfd fds[2] = { { .fd = peer->conn, .events = POLLIN },
				 { .fd = peer->wake[0], .events = POLLIN } };
	char bytes[4096];

	while (poll(fds, 2, -1) > 0 && !fds[1].revents)
		if (read(peer->conn, bytes, sizeof(bytes)) <= 0)
			return;
}

static inline void *peer_run(void *arg)
{
	struct peer *peer = arg;
	struct pollfd fds[2] = { { .fd = peer->fd, .events = POLLIN },
				 { .fd = peer->wake[0], .events = POLLIN } };

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		peer->conn = accept(peer->fd, NULL, NULL);
		if (peer->conn < 0)
			continue;
		atomic_fetch_add(&peer->n_accepted, 1);
		peer->ssl = peer->tls ? SSL_new(peer->tls) : NULL;
		if (peer->ssl)
			SSL_set_fd(peer->ssl, peer->conn);
		if (!peer->ssl || SSL_accept(peer->ssl) > 0)
			peer->serve(peer);
		SSL_free(peer->ssl);
		close(peer->conn);
	}
	return NULL;
}

/* With `path`, a Unix socket; else `port` (0: any). */
static inline void peer_start(struct peer *peer, const char *path, int port)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int on = 1;

	signal(SIGPIPE, SIG_IGN);
	peer->fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(peer->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (path && strlen(path) < sizeof(un.sun_path))
		memcpy(un.sun_path, path, strlen(path));
	if (bind(peer->fd, path ? (void *)&un : (void *)&in, path ? sizeof(un) : sizeof(in)) ||
	    listen(peer->fd, 16) || pipe(peer->wake))
		abort();
	if (!path && getsockname(peer->fd, (void *)&in, &len))
		abort();
	peer->port = ntohs(in.sin_port);
	if (pthread_create(&peer->thread, NULL, peer_run, peer))
		abort();
}

static inline void peer_stop(struct peer *peer)
{
	if (write(peer->wake[1], "", 1) != 1)
		abort();
	pthread_join(peer->thread, NULL);
	close(peer->fd);
	close(peer->wake[0]);
	close(peer->wake[1]);
	SSL_CTX_free(peer->tls);
}

static inline X509 *peer_certificate(EVP_PKEY *key, const char *name, X509 *ca, EVP_PKEY *ca_key)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(ca ? ca : cert));
	X509V3_set_ctx(&ctx, ca ? ca : cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx,
					ca ? NID_subject_alt_name : NID_basic_constraints,
					ca ? "DNS:localhost" : "critical,CA:TRUE");
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(cert, ca_key, EVP_sha256());
	return cert;
}

/* Makes the peer speak TLS; `ca_file` becomes the authority to trust. Before peer_start(). */
static inline void peer_tls(struct peer *peer, const char *ca_file)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = peer_certificate(ca_key, "tests", NULL, ca_key);
	X509 *cert = peer_certificate(key, "localhost", ca, ca_key);
	FILE *f = fopen(ca_file, "w");

	peer->tls = SSL_CTX_new(TLS_server_method());
	if (!f || !PEM_write_X509(f, ca) || SSL_CTX_use_certificate(peer->tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(peer->tls, key) != 1)
		abort();
	fclose(f);
	X509_free(ca);
	X509_free(cert);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
}

#endif
