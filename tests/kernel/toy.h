/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions in the shape of a TLS library's, in the test's own program, that do what the test says.
 * One test program includes this once.
 */
#ifndef TOY_H
#define TOY_H

#include "seen.h"

/*
 * A frame pointer's push comes first: an instruction that the kernel emulates. noipa: the compiler
 * must not see that nobody reads the buffers.
 */
#define TOY __attribute__((noipa, used, optimize("no-omit-frame-pointer")))

/* What the next toy call does inside, once, and what it returns. */
static void (*toy_inside)(void);
static int toy_result;

static __attribute__((noinline)) void toy_body(void)
{
	void (*inside)(void) = toy_inside;

	toy_inside = NULL;
	if (inside)
		inside();
}

TOY int toy_write(uint64_t ssl, const void *buf, int num)
{
	toy_body();
	return toy_result;
}

TOY int toy_read(uint64_t ssl, void *buf, int num)
{
	toy_body();
	return toy_result;
}

TOY int toy_write_ex(uint64_t ssl, const void *buf, size_t num, size_t *written)
{
	toy_body();
	return toy_result;
}

TOY int toy_write_ex2(uint64_t ssl, const void *buf, size_t num, uint64_t flags, size_t *written)
{
	toy_body();
	return toy_result;
}

TOY int toy_read_ex(uint64_t ssl, void *buf, size_t num, size_t *readbytes)
{
	toy_body();
	return toy_result;
}

TOY long toy_ctrl(uint64_t ssl, int cmd, long larg, void *parg)
{
	toy_body();
	return toy_result;
}

TOY int toy_set_host(uint64_t ssl, const char *name)
{
	toy_body();
	return toy_result;
}

TOY void toy_free(uint64_t ssl)
{
	toy_body();
}

/* Probes on all toys of this program file, for process `pid` or for all (0). */
static inline struct tap_probes *toy_attach(struct tap *tap, pid_t pid)
{
	const struct {
		enum tap_role role;
		void *function;
	} toys[] = {
		{ TAP_WRITE, toy_write },          { TAP_WRITE_ARG4, toy_write_ex },
		{ TAP_WRITE_ARG5, toy_write_ex2 }, { TAP_READ, toy_read },
		{ TAP_READ_ARG4, toy_read_ex },    { TAP_CTRL, toy_ctrl },
		{ TAP_SET_HOST, toy_set_host },    { TAP_FREE, toy_free },
	};
	struct tap_site sites[ARRAY_SIZE(toys)];
	struct tap_probes *probes;
	char path[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(toys); i++) {
		struct site_search at = site_find(toys[i].function);

		sites[i] = (struct tap_site){ .role = toys[i].role, .offset = at.offset };
		snprintf(path, sizeof(path), "%s", at.path);
	}
	assert_int_equal(tap_attach(tap, path, pid, sites, ARRAY_SIZE(sites), &probes), 0);
	return probes;
}

static inline void toy_name(uint64_t ssl, const char *host)
{
	toy_ctrl(ssl, 55, 0, (void *)host);
}

static inline void toy_write_n(uint64_t ssl, const void *buf, int n)
{
	toy_result = n;
	toy_write(ssl, buf, n);
}

static inline void toy_read_n(uint64_t ssl, void *buf, int n)
{
	toy_result = n;
	toy_read(ssl, buf, n);
}

#endif
