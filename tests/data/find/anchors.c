/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stripped TLS code leaves behind, compiled by tests with one of STACK_* defined. Only the error
 * sites, their order and who calls whom are like the originals.
 */
#include <stddef.h>
#include <stdint.h>

/* Their headers are those of one machine. */
void *memset(void *at, int byte, size_t n);
size_t strlen(const char *text);
void free(void *at);

#define noinline __attribute__((noinline, noclone, noipa))
volatile int state;

/* OPENSSL_PUT_ERROR: with its dead argument, and without it as link-time optimisation leaves it. */
#ifdef DROPPED
noinline void put_error(int library, int reason, const char *file, unsigned int line)
{
	state += library + reason + (int)line + file[0];
}
#define PUT(library, reason, line) put_error(library, reason, FILE_NAME, line)
#else
noinline void put_error(int library, int function, int reason, const char *file, unsigned int line)
{
	state += library + function + reason + (int)line + file[0];
}
#define PUT(library, reason, line) put_error(library, 0, reason, FILE_NAME, line)
#endif

#if defined(STACK_BORINGSSL)
#define FILE_NAME "/build/src/ssl/ssl_lib.cc"
#ifndef SHIFT
#define SHIFT 0
#endif

noinline int ssl_read_impl(void *ssl)
{
	if (!ssl) {
		PUT(16, 226, 870 + SHIFT);
		return -1;
	}
	if (state == 3) {
		PUT(16, 215, 880 + SHIFT);
		return -1;
	}
	return state;
}

noinline int SSL_read(void *ssl, void *buf, int num)
{
	if (state == 9) {
		PUT(16, 66, 931 + SHIFT);
		return -1;
	}
	memset(buf, 1, (size_t)num);
	return ssl_read_impl(ssl) + num;
}

noinline int SSL_write(void *ssl, const void *buf, int num)
{
	if (state == 9) {
		PUT(16, 66, 953 + SHIFT);
		return -1;
	}
	if (!ssl) {
		PUT(16, 226, 958 + SHIFT);
		return -1;
	}
	if (state == 5) {
		PUT(16, 215, 973 + SHIFT);
		return -1;
	}
	if (num < 0) {
		PUT(16, 111, 979 + SHIFT);
		return -1;
	}
	return num + ((const char *)buf)[0];
}

#ifdef TWICE
noinline int SSL_write_again(void *ssl, const void *buf, int num)
{
	if (state == 9)
		PUT(16, 66, 1953);
	if (!ssl)
		PUT(16, 226, 1958);
	if (state == 5)
		PUT(16, 215, 1973);
	if (num < 0)
		PUT(16, 111, 1979);
	return num + ((const char *)buf)[1];
}
#endif

noinline int SSL_set_tlsext_host_name(void *ssl, const char *name)
{
	if (strlen(name) > 255) {
		PUT(16, 213, 2386);
		return 0;
	}
	return !!ssl;
}

int main(int argc, char **argv)
{
	char buf[16] = "";
	int n = SSL_set_tlsext_host_name(argv, argv[0]);

#ifndef NO_CALLERS
	n += SSL_write(argv, buf, argc) + SSL_read(argv, buf, argc);
#else
	int (*volatile hidden[2])(void *, void *, int) = { (int (*)(void *, void *, int))SSL_write,
							   SSL_read };

	n += hidden[0](argv, buf, argc) + hidden[1](argv, buf, argc);
#endif
#ifdef TWICE
	n += SSL_write_again(argv, buf, argc);
#endif
	return n;
}

#elif defined(STACK_AWSLC)
#define FILE_NAME "/build/aws-lc/crypto/fipsmodule/cipher/aead.c"

noinline int EVP_AEAD_CTX_init_with_direction(void *ctx, int key_len)
{
	if (key_len != state) {
		PUT(30, 120, 90);
		return 0;
	}
	return !!ctx;
}

noinline int EVP_AEAD_CTX_init(void *ctx, int key_len)
{
	if (state == 4) {
		PUT(30, 124, 70);
		return 0;
	}
	return EVP_AEAD_CTX_init_with_direction(ctx, key_len);
}

noinline int EVP_AEAD_CTX_seal(void *ctx, char *out, size_t len, size_t max)
{
	if (len + 16 < len) {
		PUT(30, 117, 172);
		return 0;
	}
	if (len > max) {
		PUT(30, 103, 177);
		return 0;
	}
	if (state == 7) {
		PUT(30, 115, 182);
		return 0;
	}
	memset(out, 2, len);
	return !!ctx;
}

noinline int EVP_AEAD_CTX_seal_scatter(void *ctx, char *out)
{
	if (state == 7)
		PUT(30, 115, 214);
	if (state == 8)
		PUT(30, 112, 219);
	return out[0] + !!ctx;
}

noinline int EVP_AEAD_CTX_open(void *ctx, char *out, size_t len, size_t max)
{
	if (state == 7) {
		PUT(30, 115, 244);
		return 0;
	}
	if (len < 16) {
		PUT(30, 101, 261);
		return 0;
	}
	if (len > max) {
		PUT(30, 103, 267);
		return 0;
	}
	memset(out, 3, len);
	return !!ctx;
}

int main(int argc, char **argv)
{
	char buf[64] = "";

	return EVP_AEAD_CTX_init(argv, argc) + EVP_AEAD_CTX_seal(argv, buf, (size_t)argc, 64) +
	       EVP_AEAD_CTX_open(argv, buf, (size_t)argc, 64) + EVP_AEAD_CTX_seal_scatter(argv, buf);
}

#elif defined(STACK_OPENSSL)

static const char version[] __attribute__((used)) = "OpenSSL " VERSION " 1 Jul 2025";

noinline void ERR_set_debug(const char *file, int line, const char *func)
{
	state += file[0] + line + func[0];
}
#define RAISE() ERR_set_debug("ssl/ssl_lib.c", __LINE__, __func__)

noinline long ssl3_ctrl(void *ssl, int cmd, long larg, void *parg)
{
	if (!parg)
		RAISE();
	return ssl ? cmd + larg : 0;
}

#ifdef FLAGS
noinline int ssl_write_internal(void *ssl, const void *buf, size_t num, uint64_t flags,
				size_t *written)
{
	if (!ssl)
		RAISE();
	if (flags)
		RAISE();
	*written = num;
	return ((const char *)buf)[0];
}
#define WRITE(ssl, buf, num, written) ssl_write_internal(ssl, buf, num, 0, written)
#else
noinline int ssl_write_internal(void *ssl, const void *buf, size_t num, size_t *written)
{
	if (!ssl)
		RAISE();
	*written = num;
	return ((const char *)buf)[0];
}
#define WRITE(ssl, buf, num, written) ssl_write_internal(ssl, buf, num, written)
#endif

noinline int ssl_read_internal(void *ssl, void *buf, size_t num, size_t *readbytes)
{
	if (!ssl)
		RAISE();
	*readbytes = num;
	return ((char *)buf)[0];
}

int main(int argc, char **argv)
{
	char buf[64] = "";
	size_t n;
	int rc = WRITE(argv, buf, (size_t)argc, &n);

	return rc + ssl_read_internal(argv, buf, (size_t)argc, &n) +
	       (int)ssl3_ctrl(argv, argc, 0, buf);
}

#elif defined(STACK_RUSTLS)
/* core::panic::Location; its path ends without a NUL. */
struct location {
	const char *path;
	size_t path_len;
	uint32_t line, column;
};
#define REGISTRY "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/rustls-0.23.31"
static const char layer_path[] __attribute__((nonstring)) = REGISTRY "/src/record_layer.rs";
static const char tls12_path[] = REGISTRY "/src/crypto/ring/tls12.rs??";
static const char tls13_path[] = REGISTRY "/src/crypto/ring/tls13.rs??";
#define LAYER(line, column)                                      \
	{                                                        \
		layer_path, sizeof(layer_path) - 1, line, column \
	}
#define CRYPTO(path, line, column)                       \
	{                                                \
		path, sizeof(path) - 1 - 2, line, column \
	}
static const struct location layer_assert = LAYER(112, 9), layer_unwrap = LAYER(117, 14);
static const struct location encrypter_unwrap = CRYPTO(tls13_path, 175, 89);
static const struct location decrypter_unwrap = CRYPTO(tls13_path, 183, 89);
static const struct location encrypter12_unwrap = CRYPTO(tls12_path, 146, 84);
static const struct location decrypter12_unwrap = CRYPTO(tls12_path, 127, 84);

noinline void panic(const struct location *at, const void *error)
{
	state += (int)at->line + !!error;
}

noinline size_t payload_len(void *self, size_t n)
{
	return n + 17;
}

noinline size_t show(void *self, size_t n)
{
	return n * (size_t)state;
}

#define CIPHER(name, x)                               \
	noinline size_t name(void *self, size_t n)    \
	{                                             \
		for (size_t i = 0; i < n; i++)        \
			state += (int)i * x + !!self; \
		return (size_t)state;                 \
	}
CIPHER(encrypt13, 2)
CIPHER(decrypt13, 3)
CIPHER(encrypt12, 5)
CIPHER(decrypt12, 7)

typedef size_t (*method)(void *self, size_t n);
struct table {
	void (*drop)(void *self);
	size_t size, align;
	method methods[];
};
/* What is shown of an error, and named by each that may fail. */
static const struct table error_table = { NULL, 40, 8, { show } };
static const struct table encrypter_table = { NULL, 560, 16, { encrypt13, payload_len } };
static const struct table encrypter12_table = { NULL, 560, 16, { encrypt12, payload_len } };
static const struct {
	struct {
		void (*drop)(void *self);
		size_t size, align;
		method only;
	} table, next;
} decrypter_table = { { NULL, 560, 16, decrypt13 }, { free, 24, 8, show } },
  decrypter12_table = { { NULL, 560, 16, decrypt12 }, { NULL, 0, 1, show } };

#define MAKER(name, table, unwrap)                    \
	noinline const void *name(int n)              \
	{                                             \
		if (n < 0)                            \
			panic(&unwrap, &error_table); \
		state += n;                           \
		return &table;                        \
	}
MAKER(make_encrypter, encrypter_table, encrypter_unwrap)
MAKER(make_decrypter, decrypter_table, decrypter_unwrap)
#ifndef NO_PAIR
MAKER(make_encrypter12, encrypter12_table, encrypter12_unwrap)
#endif
MAKER(make_decrypter12, decrypter12_table, decrypter12_unwrap)

noinline size_t encrypt_outgoing(const struct table *encrypter, size_t n)
{
	if (!n)
		panic(&layer_assert, NULL);
	n = encrypter->methods[0](NULL, n);
	if (!n)
		panic(&layer_unwrap, &error_table);
	return n;
}

#ifdef TWICE
noinline size_t encrypt_outgoing_again(size_t n)
{
	if (n == 2)
		panic(&layer_assert, NULL);
	if (n == 3)
		panic(&layer_unwrap, &error_table);
	return n;
}
#endif

int main(int argc, char **argv)
{
	size_t n = encrypt_outgoing(make_encrypter(argc), (size_t)argc);

#ifdef TWICE
	n += encrypt_outgoing_again(n);
#endif
#ifndef NO_PAIR
	n += encrypt_outgoing(make_encrypter12(argc), n);
#endif
	return (int)n + !!make_decrypter(argc) + !!make_decrypter12(argc);
}
#endif
