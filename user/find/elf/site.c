/* SPDX-License-Identifier: Apache-2.0 */
#include "find/elf/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/elf/disasm.h"

enum {
	WRITE,
	READ,
	WRITE_EX,
	READ_EX,
	WRITE_EX2,
	CTRL,
	FREE,
	BIO_WRITE,
	SET_HOST,
	GET1_PEER,
	LOAD_VERIFY_MEM,
	WRITE_INTERNAL,
	READ_INTERNAL,
	FUNCTIONS
};

/* The first decides whether there is anything to look for. */
static const char *const names[FUNCTIONS] = {
	[WRITE] = "SSL_write",
	[READ] = "SSL_read",
	[WRITE_EX] = "SSL_write_ex", /* since OpenSSL 1.1.1 */
	[READ_EX] = "SSL_read_ex",
	[WRITE_EX2] = "SSL_write_ex2", /* since OpenSSL 3.3 */
	[CTRL] = "SSL_ctrl",
	[FREE] = "SSL_free",
	[BIO_WRITE] = "BIO_write",                 /* in libcrypto, unless both lie in one file */
	[SET_HOST] = "SSL_set_tlsext_host_name",   /* a function in BoringSSL, else a macro */
	[GET1_PEER] = "SSL_get1_peer_certificate", /* since OpenSSL 3.0 */
	[LOAD_VERIFY_MEM] = "SSL_CTX_load_verify_mem", /* LibreSSL alone */
	[WRITE_INTERNAL] = "ssl_write_internal",       /* static: in .symtab only */
	[READ_INTERNAL] = "ssl_read_internal",
};

static const char *flavour_of(const struct elf_function *fn)
{
	if (fn[SET_HOST].addr)
		return fn[WRITE_EX].addr ? "aws-lc" : "boringssl";
	if (fn[LOAD_VERIFY_MEM].addr)
		return "libressl";
	if (fn[WRITE_EX2].addr)
		return "openssl-3.3";
	if (fn[GET1_PEER].addr)
		return "openssl-3";
	return fn[WRITE_EX].addr ? "openssl-1.1.1" : "openssl-1";
}

static int add_site(const struct elf *elf, struct sites *sites, enum tap_role role, uint64_t addr)
{
	uint64_t offset;

	if (sites->n == SITES_MAX)
		return -EOPNOTSUPP;
	if (elf_offset(elf, addr, &offset) < 0)
		return -EBADMSG;
	sites->at[sites->n++] = (struct tap_site){ .role = role, .offset = offset };
	return 0;
}

static int add(const struct elf *elf, struct sites *sites, enum tap_role role,
	       const struct elf_function *fn)
{
	bool for_return = role <= TAP_READ_ARG4;
	struct disasm_spot spot;
	int err;

	err = disasm_spot(elf, fn->addr, fn->size, for_return, &spot);
	if (err)
		return err;
	sites->n_stepped += spot.is_stepped;
	return add_site(elf, sites, role, spot.addr);
}

/*
 * The function behind both exported ones, proven twice: SSL_write calls it with (ssl, buf, num
 * widened, &written on its stack) and SSL_write_ex with its own four arguments unchanged. From 3.3
 * flags come fourth and `written` fifth, and SSL_write_ex goes through SSL_write_ex2. Inlined or
 * strange builds (Node's -O3) show no such pair and get probes on the exported functions.
 */
static uint64_t worker_of(const struct elf *elf, const struct elf_function *plain,
			  const struct elf_function *ex)
{
	uint64_t worker;

	if (!plain->addr || !ex->addr)
		return 0;
	worker = disasm_callee(elf, plain->addr, "abCs.");
	return worker && worker == disasm_callee(elf, ex->addr, "abcd.") ? worker : 0;
}

static uint64_t worker5_of(const struct elf *elf, const struct elf_function *fn)
{
	uint64_t worker, by_ex;

	if (!fn[WRITE].addr || !fn[WRITE_EX].addr || !fn[WRITE_EX2].addr)
		return 0;
	worker = disasm_callee(elf, fn[WRITE].addr, "abC0s");
	by_ex = disasm_callee(elf, fn[WRITE_EX].addr, "abc0d");
	if (by_ex == fn[WRITE_EX2].addr)
		by_ex = disasm_callee(elf, fn[WRITE_EX2].addr, "abcde");
	return worker == by_ex ? worker : 0;
}

/*
 * A name in .symtab that says otherwise breaks the proof. Asked only where there is one to break: Node's
 * table has 21 MB, and is read within 50 ms.
 */
static uint64_t unless_denied(uint64_t worker, const struct elf_function *named)
{
	return named->addr && named->addr != worker ? 0 : worker;
}

static void ask_names(const struct elf *elf, struct elf_function *fn)
{
	struct elf_function named[FUNCTIONS] = {};

	if (fn[WRITE_INTERNAL].addr || elf_find_symtab(elf, names, FUNCTIONS, named))
		return;
	fn[WRITE_INTERNAL] = named[WRITE_INTERNAL];
	fn[READ_INTERNAL] = named[READ_INTERNAL];
}

/* Probes for one direction: the worker, or the exported functions. */
static int add_direction(const struct elf *elf, struct sites *sites, uint64_t worker,
			 enum tap_role worker_role, const struct elf_function *plain,
			 const struct elf_function *ex, bool writes)
{
	int err;

	if (worker)
		return add(elf, sites, worker_role, &(struct elf_function){ .addr = worker });
	err = add(elf, sites, writes ? TAP_WRITE : TAP_READ, plain);
	if (err || !ex->addr)
		return err;
	/* AWS-LC and LibreSSL: the _ex form only calls the plain one */
	if (disasm_callee(elf, ex->addr, "ab...") == plain->addr)
		return 0;
	return add(elf, sites, writes ? TAP_WRITE_ARG4 : TAP_READ_ARG4, ex);
}

/* The exported functions that move plaintext, as they are called, and what each returns by. */
static const struct {
	int function;
	enum tap_role role;
} exported[] = {
	{ WRITE, TAP_WRITE }, { WRITE_EX, TAP_WRITE_ARG4 }, { WRITE_EX2, TAP_WRITE_ARG5 },
	{ READ, TAP_READ },   { READ_EX, TAP_READ_ARG4 },
};

static bool is_exported(const struct elf_function *fn, uint64_t addr)
{
	for (size_t i = 0; i < ARRAY_SIZE(exported); i++)
		if (fn[exported[i].function].addr == addr)
			return true;
	return false;
}

/* Entry and returns. A jump to another of them is a return of that one, entered with the same stack. */
static int add_whole(const struct elf *elf, struct sites *sites, const struct elf_function *fn,
		     int function, enum tap_role role)
{
	struct disasm_exits exits;
	int err;

	err = disasm_exits(elf, fn[function].addr, fn[function].size, &exits);
	for (size_t i = 0; !err && i < exits.n_tails; i++)
		if (!is_exported(fn, exits.tails[i]))
			err = -EOPNOTSUPP;
	for (size_t i = 0; !err && i < exits.n_returns; i++)
		err = add_site(elf, sites, TAP_RETURN, exits.returns[i]);
	sites->n_stepped += err ? 0 : exits.n_returns; /* no kernel emulates a return */
	return err ? err : add(elf, sites, role, &fn[function]);
}

/* Where calls that carry names are entered, and where a connection ends: nothing returns there. */
static int add_entries(const struct elf *elf, struct sites *sites, const struct elf_function *fn)
{
	int err = 0;

	if (fn[CTRL].addr)
		err = add(elf, sites, TAP_CTRL, &fn[CTRL]);
	if (!err && fn[SET_HOST].addr)
		err = add(elf, sites, TAP_SET_HOST, &fn[SET_HOST]);
	if (!err && fn[FREE].addr)
		err = add(elf, sites, TAP_FREE, &fn[FREE]);
	if (!err && fn[BIO_WRITE].addr)
		err = add(elf, sites, TAP_BIO_WRITE, &fn[BIO_WRITE]);
	return err;
}

static int choose_exported(const struct elf *elf, const struct elf_function *fn, struct sites *sites)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(exported) && !err; i++)
		if (fn[exported[i].function].addr)
			err = add_whole(elf, sites, fn, exported[i].function, exported[i].role);
	return err ? err : add_entries(elf, sites, fn);
}

static int choose(const struct elf *elf, struct elf_function *fn, struct sites *sites)
{
	uint64_t writer4, writer5, reader;
	int err;

	writer4 = worker_of(elf, &fn[WRITE], &fn[WRITE_EX]);
	writer5 = worker5_of(elf, fn);
	reader = worker_of(elf, &fn[READ], &fn[READ_EX]);
	if (writer4 || writer5 || reader)
		ask_names(elf, fn);
	writer4 = unless_denied(writer4, &fn[WRITE_INTERNAL]);
	writer5 = unless_denied(writer5, &fn[WRITE_INTERNAL]);
	reader = unless_denied(reader, &fn[READ_INTERNAL]);
	/* one function for both directions is a helper of both, not the worker of either */
	if (reader && (reader == writer4 || reader == writer5))
		reader = writer4 = writer5 = 0;
	sites->write_worker = writer5 ? writer5 : writer4;
	sites->read_worker = reader;
	err = add_direction(elf, sites, sites->write_worker,
			    writer5 ? TAP_WRITE_ARG5 : TAP_WRITE_ARG4, &fn[WRITE], &fn[WRITE_EX],
			    true);
	/* SSL_write_ex2 is probed only if it has no worker function behind it */
	if (!err && !sites->write_worker && fn[WRITE_EX2].addr)
		err = add(elf, sites, TAP_WRITE_ARG5, &fn[WRITE_EX2]);
	if (!err)
		err = add_direction(elf, sites, reader, TAP_READ_ARG4, &fn[READ], &fn[READ_EX],
				    false);
	return err ? err : add_entries(elf, sites, fn);
}

/* A library that TLS libraries hand their records to: libcrypto. */
static int find_records(const struct elf *elf, struct sites *ret)
{
	static const char *const wanted[] = { "BIO_write", "BIO_s_socket" };
	struct elf_function fn[ARRAY_SIZE(wanted)] = {};
	struct sites sites = { .flavour = "libcrypto", .has_records_only = true };
	int err = elf_find_dynamic(elf, wanted, ARRAY_SIZE(wanted), fn);

	if (!err && !fn[1].addr)
		err = -ENOENT;
	if (!err)
		err = add(elf, &sites, TAP_BIO_WRITE, &fn[0]);
	if (!err)
		*ret = sites;
	return err;
}

int sites_find(int fd, bool by_instruction, struct sites *ret)
{
	struct elf_function fn[FUNCTIONS] = {};
	struct sites sites = {};
	struct elf elf;
	int err;

	err = elf_open(&elf, fd);
	if (err)
		return err;
	err = elf_find_dynamic(&elf, names, FUNCTIONS, fn);
	if (err == -ENOENT && !find_records(&elf, ret))
		return 0;
	if (err == -ENOENT)
		err = elf_find_symtab(&elf, names, FUNCTIONS, fn);
	if (err)
		return err;
	if (!fn[READ].addr)
		return -ENOENT;
	snprintf(sites.flavour, sizeof(sites.flavour), "%s", flavour_of(fn));
	err = by_instruction ? choose_exported(&elf, fn, &sites) : choose(&elf, fn, &sites);
	if (err)
		return err;
	*ret = sites;
	return 0;
}
