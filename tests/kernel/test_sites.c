/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites that are chosen in this host's own libssl, with the programs on them: each form of call
 * is heard once, with the bytes that it moved. The choice itself is tested in tests/unit/test_site.c.
 */
#include "seen.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <string.h>

#include "find/elf/site.h"

/* A client and a server of this process, joined by memory: no certificate, no network. */
static SSL *end_new(SSL_CTX *ctx, bool is_server)
{
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (is_server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

static void carry(SSL *from, SSL *to)
{
	char bytes[4096];
	int n;

	while ((n = BIO_read(SSL_get_wbio(from), bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(to), bytes, n), n);
}

/* Plaintext of the one connection that named its server. */
struct heard {
	uint64_t id;
	size_t n[2];
	char bytes[2][256];
};

static void hear(void *arg, const struct ev_head *event, size_t size)
{
	struct heard *heard = arg;
	const struct ev_open *open = (const void *)event;
	const struct ev_data *data = (const void *)event;

	if (event->tgid != (uint32_t)getpid())
		return;
	if (event->type == EV_OPEN && !strcmp(open->host, "api.openai.com"))
		heard->id = event->id;
	if (event->type != EV_DATA || event->id != heard->id)
		return;
	assert_true(heard->n[data->dir] + data->len < sizeof(heard->bytes[0]));
	memcpy(heard->bytes[data->dir] + heard->n[data->dir], data->bytes, data->len);
	heard->n[data->dir] += data->len;
}

static void hear_each_form_of_call_once(bool by_instruction)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *client, *server;
	struct heard heard = {};
	char root[256], *error = NULL;
	struct tap_probes *probes;
	struct sites sites;
	struct tap *tap;
	FILE *mounts;
	int fd;
	const struct site_search library = site_find(SSL_write);
	char buf[64];
	size_t n;

	/* anonymous key exchange: TLS 1.2 has it, and no security level but 0 allows it */
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, "aNULL:@SECLEVEL=0"), 1);
	SSL_CTX_set_dh_auto(ctx, 1);

	mounts = popen("findmnt -n -o TARGET -t cgroup2 | head -1", "r");
	assert_int_equal(fscanf(mounts, "%255s", root), 1);
	pclose(mounts);
	if (tap_new(&tap, &(struct tap_config){ .cgroup_root = root }, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	fd = open(library.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(sites_find(fd, by_instruction, &sites), 0);
	close(fd);
	assert_int_equal(tap_attach(tap, library.path, getpid(), sites.at, sites.n, &probes), 0);

	client = end_new(ctx, false);
	server = end_new(ctx, true);
	SSL_set_tlsext_host_name(client, "api.openai.com");
	for (int i = 0; i < 8 && !(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	     i++) {
		SSL_do_handshake(client);
		carry(client, server);
		SSL_do_handshake(server);
		carry(server, client);
	}
	assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));

	assert_int_equal(SSL_write(client, "plain,", 6), 6);
	assert_int_equal(SSL_write_ex(client, "ex;", 3, &n), 1);
	carry(client, server);
	assert_int_equal(SSL_read(server, buf, sizeof(buf)), 6);
	assert_int_equal(SSL_write(server, "answer", 6), 6);
	carry(server, client);
	assert_int_equal(SSL_peek(client, buf, 3), 3); /* takes nothing */
	assert_int_equal(SSL_read(client, buf, 3), 3);
	assert_int_equal(SSL_read_ex(client, buf, sizeof(buf), &n), 1);
	assert_int_equal(SSL_read(client, buf, sizeof(buf)), -1); /* nothing there: no bytes */
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);

	assert_int_equal(tap_drain(tap, hear, &heard), 0);
	assert_true(heard.id);
	assert_string_equal(heard.bytes[EV_OUT], "plain,ex;");
	assert_string_equal(heard.bytes[EV_IN], "answer");
	tap_detach(probes);
	tap_free(tap);
}

static void hears_each_form_of_call_once_at_the_chosen_sites(void **state)
{
	hear_each_form_of_call_once(false);
}

/* As on a kernel whose return probes are not safe. */
static void hears_the_same_at_return_instructions(void **state)
{
	hear_each_form_of_call_once(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hears_each_form_of_call_once_at_the_chosen_sites),
		cmocka_unit_test(hears_the_same_at_return_instructions),
	};

	return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
