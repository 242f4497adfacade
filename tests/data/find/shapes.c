/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call shapes of TLS libraries that no Debian 12 package has, compiled by test_site.c with one of
 * SHAPE_* defined. Only who calls whom with which arguments is like the original.
 */
#include <stddef.h>
#include <stdint.h>

struct ssl {
	int state;
	int (*method)(struct ssl *, void *, size_t, size_t *);
};
#define noinline __attribute__((noinline, noclone, noipa))
#define hidden   __attribute__((visibility("hidden")))

noinline hidden int ssl_fail(int line)
{
	return -line;
}

int SSL_ctrl(struct ssl *s, int cmd, long larg, void *parg)
{
	return cmd == 55 && parg ? s->state + (int)larg : 0;
}

void SSL_free(struct ssl *s)
{
	if (s)
		s->state = 0;
}

#if defined(SHAPE_OPENSSL_3_3)
/* ssl/ssl_lib.c of openssl-3.3: flags come before the counter */
noinline hidden int ssl_write_internal(struct ssl *s, const void *buf, size_t num, uint64_t flags,
				       size_t *written)
{
	if (!s->method || flags)
		return ssl_fail(1);
	return s->method(s, (void *)buf, num, written);
}
noinline hidden int ssl_read_internal(struct ssl *s, void *buf, size_t num, size_t *readbytes)
{
	if (!s->method)
		return ssl_fail(2);
	return s->method(s, buf, num, readbytes);
}
int SSL_write_ex2(struct ssl *s, const void *buf, size_t num, uint64_t flags, size_t *written)
{
	int ret = ssl_write_internal(s, buf, num, flags, written);

	return ret < 0 ? 0 : ret;
}
int SSL_write_ex(struct ssl *s, const void *buf, size_t num, size_t *written)
{
	return SSL_write_ex2(s, buf, num, 0, written);
}
int SSL_write(struct ssl *s, const void *buf, int num)
{
	size_t written;
	int ret;

	if (num < 0)
		return ssl_fail(3);
	ret = ssl_write_internal(s, buf, (size_t)num, 0, &written);
	return ret > 0 ? (int)written : ret;
}
int SSL_read_ex(struct ssl *s, void *buf, size_t num, size_t *readbytes)
{
	int ret = ssl_read_internal(s, buf, num, readbytes);

	return ret < 0 ? 0 : ret;
}
int SSL_read(struct ssl *s, void *buf, int num)
{
	size_t readbytes;
	int ret;

	if (num < 0)
		return ssl_fail(4);
	ret = ssl_read_internal(s, buf, (size_t)num, &readbytes);
	return ret > 0 ? (int)readbytes : ret;
}
#elif defined(SHAPE_HELPER_FIRST)
/* As an inlining build: all four call one helper first, with the object and a constant */
noinline hidden int check_finish_init(struct ssl *s, int sending)
{
	return s->state + sending;
}
#define BODY(sending)                                  \
	do {                                           \
		if (check_finish_init(s, sending) < 0) \
			return -1;                     \
	} while (0)
int SSL_write_ex(struct ssl *s, const void *buf, size_t num, size_t *written)
{
	BODY(1);
	return s->method(s, (void *)buf, num, written);
}
int SSL_write(struct ssl *s, const void *buf, int num)
{
	size_t written;

	BODY(1);
	return s->method(s, (void *)buf, (size_t)num, &written) > 0 ? (int)written : -1;
}
int SSL_read_ex(struct ssl *s, void *buf, size_t num, size_t *readbytes)
{
	BODY(0);
	return s->method(s, buf, num, readbytes);
}
int SSL_read(struct ssl *s, void *buf, int num)
{
	size_t readbytes;

	BODY(0);
	return s->method(s, buf, (size_t)num, &readbytes) > 0 ? (int)readbytes : -1;
}
#elif defined(SHAPE_SHARED_HELPER)
/* One function behind both directions with the very arguments of a worker: still no worker */
noinline hidden int transfer(struct ssl *s, void *buf, size_t num, size_t *n)
{
	return s->method(s, buf, num, n);
}
#define PAIR(name, constness)                                                       \
	int name##_ex(struct ssl *s, constness void *buf, size_t num, size_t *n)    \
	{                                                                           \
		int ret = transfer(s, (void *)buf, num, n);                         \
		return ret < 0 ? 0 : ret;                                           \
	}                                                                           \
	int name(struct ssl *s, constness void *buf, int num)                       \
	{                                                                           \
		size_t n;                                                           \
		int ret = num < 0 ? -1 : transfer(s, (void *)buf, (size_t)num, &n); \
		return ret > 0 ? (int)n : ret;                                      \
	}
PAIR(SSL_write, const)
PAIR(SSL_read, )
#else
/* BoringSSL: plain functions and a real name setter; AWS-LC: thin _ex forms over them */
int SSL_set_tlsext_host_name(struct ssl *s, const char *name)
{
	return s->state && name;
}
noinline int SSL_write(struct ssl *s, const void *buf, int num)
{
	size_t n = 0;

	if (!s->method)
		return ssl_fail(1);
	return s->method(s, (void *)buf, (size_t)num, &n) ? (int)n : -1;
}
noinline int SSL_read(struct ssl *s, void *buf, int num)
{
	size_t n = 0;

	if (!s->method)
		return ssl_fail(2);
	return s->method(s, buf, (size_t)num, &n) ? (int)n : -1;
}
#if defined(SHAPE_AWS_LC)
int SSL_write_ex(struct ssl *s, const void *buf, size_t num, size_t *written)
{
	int ret = SSL_write(s, buf, (int)num);

	*written = ret > 0 ? (size_t)ret : 0;
	return ret > 0;
}
int SSL_read_ex(struct ssl *s, void *buf, size_t num, size_t *readbytes)
{
	int ret = SSL_read(s, buf, (int)num);

	*readbytes = ret > 0 ? (size_t)ret : 0;
	return ret > 0;
}
#endif
#endif
