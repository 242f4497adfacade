/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real library: a client and a server of the system's OpenSSL in one process, over a pair of
 * memory BIOs, probed at its exported functions and at the addresses that find/elf/site.h chooses.
 * Needs root.
 */
#include "seen.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "find/elf/site.h"
#include "who/who.h"

struct fixture {
	struct tap *tap;
	struct tap_probes *probes;
	struct seen seen;
	SSL_CTX *client_context, *server_context;
	SSL *client, *server;
};

static SSL_CTX *new_server_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

static void connect_pair(struct fixture *f, const char *host)
{
	BIO *ours, *theirs;

	assert_int_equal(BIO_new_bio_pair(&ours, 1 << 20, &theirs, 1 << 20), 1);
	f->client = SSL_new(f->client_context);
	f->server = SSL_new(f->server_context);
	SSL_set_bio(f->client, ours, ours);
	SSL_set_bio(f->server, theirs, theirs);
	if (host)
		SSL_set_tlsext_host_name(f->client, host);
	SSL_set_connect_state(f->client);
	SSL_set_accept_state(f->server);
	for (int i = 0;
	     i < 10 && !(SSL_is_init_finished(f->client) && SSL_is_init_finished(f->server)); i++) {
		SSL_do_handshake(f->client);
		SSL_do_handshake(f->server);
	}
	assert_true(SSL_is_init_finished(f->client));
	assert_true(SSL_is_init_finished(f->server));
}

static void disconnect_pair(struct fixture *f)
{
	SSL_free(f->client);
	SSL_free(f->server);
	f->client = f->server = NULL;
}

static struct fixture *start(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct tap_config config = { .ring_bytes = 4u << 20 };
	static char root[128];
	char *error = NULL;

	f->client_context = SSL_CTX_new(TLS_client_method());
	f->server_context = new_server_context();
	f->seen.tgid = (uint32_t)getpid();
	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	config.cgroup_root = root;
	if (tap_new(&f->tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(f->tap, "api.anthropic.com"), 0);
	return f;
}

static int setup_exported(void **state)
{
	const struct {
		enum tap_role role;
		void *function;
	} functions[] = {
		{ TAP_WRITE, SSL_write },         { TAP_READ, SSL_read },
		{ TAP_WRITE_ARG4, SSL_write_ex }, { TAP_READ_ARG4, SSL_read_ex },
		{ TAP_CTRL, SSL_ctrl },           { TAP_FREE, SSL_free },
	};
	struct fixture *f = start();
	struct tap_site sites[ARRAY_SIZE(functions)];
	char path[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct site_search at = site_find(functions[i].function);

		sites[i] = (struct tap_site){ .role = functions[i].role, .offset = at.offset };
		snprintf(path, sizeof(path), "%s", at.path);
	}
	assert_int_equal(tap_attach(f->tap, path, getpid(), sites, ARRAY_SIZE(sites), &f->probes),
			 0);
	*state = f;
	return 0;
}

static int setup_found(void **state)
{
	struct fixture *f = start();
	struct site_search library = site_find(SSL_write);
	_cleanup_close_ int fd = open(library.path, O_RDONLY | O_CLOEXEC);
	struct sites sites;
	char path[64];

	assert_int_equal(sites_find(fd, false, &sites), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(tap_attach(f->tap, path, getpid(), sites.at, sites.n, &f->probes), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tap_detach(f->probes);
	tap_free(f->tap);
	SSL_CTX_free(f->client_context);
	SSL_CTX_free(f->server_context);
	free(f->seen.bytes[EV_OUT]);
	free(f->seen.bytes[EV_IN]);
	free(f);
	return 0;
}

static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n{}";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/* One exchange; the server's side of it goes through the same probed functions. */
static void exchange(struct fixture *f)
{
	char buf[1024];
	size_t n;

	assert_int_equal(SSL_read(f->client, buf, sizeof(buf)), -1); /* nothing yet */
	assert_int_equal(SSL_write(f->client, request, sizeof(request) - 1), sizeof(request) - 1);
	assert_int_equal(SSL_read(f->server, buf, sizeof(buf)), sizeof(request) - 1);
	assert_int_equal(SSL_write_ex(f->server, answer, sizeof(answer) - 1, &n), 1);
	assert_int_equal(SSL_read_ex(f->client, buf, sizeof(buf), &n), 1);
	assert_int_equal(n, sizeof(answer) - 1);
}

static void sees_the_client_and_not_the_server(void **state)
{
	struct fixture *f = *state;
	uint64_t client;

	connect_pair(f, "api.anthropic.com");
	client = (uintptr_t)f->client;
	exchange(f);
	exchange(f);
	disconnect_pair(f);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_int_equal(f->seen.open.ssl, client);
	assert_string_equal(f->seen.open.host, "api.anthropic.com");
	assert_int_equal(f->seen.n_of[EV_DATA], 4);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 2 * (sizeof(request) - 1));
	assert_memory_equal(f->seen.bytes[EV_OUT], request, sizeof(request) - 1);
	assert_memory_equal(f->seen.bytes[EV_OUT] + sizeof(request) - 1, request,
			    sizeof(request) - 1);
	assert_int_equal(f->seen.n_bytes[EV_IN], 2 * (sizeof(answer) - 1));
	assert_memory_equal(f->seen.bytes[EV_IN], answer, sizeof(answer) - 1);
	assert_int_equal(f->seen.gap_bytes[EV_OUT] + f->seen.gap_bytes[EV_IN], 0);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
	assert_int_equal(f->seen.close.bytes[EV_OUT], 2 * (sizeof(request) - 1));
	assert_int_equal(f->seen.close.bytes[EV_IN], 2 * (sizeof(answer) - 1));
}

static void says_nothing_of_another_host(void **state)
{
	struct fixture *f = *state;

	connect_pair(f, "example.com");
	exchange(f);
	disconnect_pair(f);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n, 0);
}

/* A client without a name comes up as unknown; its server does not come up at all. */
static void asks_about_a_client_without_a_name(void **state)
{
	struct fixture *f = *state;

	connect_pair(f, NULL);
	exchange(f);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_int_equal(f->seen.open.verdict, CTL_UNKNOWN);
	assert_int_equal(f->seen.n_bytes[EV_OUT], sizeof(request) - 1);
	assert_int_equal(tap_decide(f->tap, f->seen.open.head.id, CTL_IGNORE), 0);
	exchange(f);
	disconnect_pair(f);
	seen_read(&f->seen, f->tap);
	/* Of what is ignored only the end is told: user space has a row for it until then. */
	assert_int_equal(f->seen.n, 1);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
}

static void carries_a_megabyte_through_real_records(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *sent = malloc(900000), *got = malloc(900000);
	size_t n, have = 0;

	for (size_t i = 0; i < 900000; i++)
		sent[i] = (char)(i * 2654435761u >> 13);
	memcpy(sent, "POST ", 5); /* so that the server is known for one */
	connect_pair(f, "api.anthropic.com");
	assert_int_equal(SSL_write_ex(f->client, sent, 900000, &n), 1);
	while (have < 900000 && SSL_read_ex(f->server, got + have, 900000 - have, &n) == 1)
		have += n;
	assert_memory_equal(got, sent, 900000);
	disconnect_pair(f);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 900000);
	assert_memory_equal(f->seen.bytes[EV_OUT], sent, 900000);
	assert_int_equal(f->seen.n_bytes[EV_IN], 0);
}

#define EXPORTED(test) cmocka_unit_test_setup_teardown(test, setup_exported, teardown)
#define FOUND(test)                                                         \
	{                                                                   \
#test "_at_chosen_sites", test, setup_found, teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EXPORTED(sees_the_client_and_not_the_server),
		EXPORTED(says_nothing_of_another_host),
		EXPORTED(asks_about_a_client_without_a_name),
		EXPORTED(carries_a_megabyte_through_real_records),
		FOUND(sees_the_client_and_not_the_server),
		FOUND(says_nothing_of_another_host),
		FOUND(asks_about_a_client_without_a_name),
		FOUND(carries_a_megabyte_through_real_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
