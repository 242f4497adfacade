/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/sites.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "find/elf/site_add.h"

static const struct {
	enum anchor_stack stack;
	enum anchor_function_id function;
	enum tap_role role;
} wanted[] = {
	{ ANCHOR_BORINGSSL, ANCHOR_SSL_WRITE, TAP_WRITE },
	{ ANCHOR_BORINGSSL, ANCHOR_SSL_READ, TAP_READ },
	{ ANCHOR_BORINGSSL, ANCHOR_SET_HOST, TAP_SET_HOST },
	{ ANCHOR_AWSLC, ANCHOR_AEAD_INIT, TAP_AEAD_INIT },
	{ ANCHOR_AWSLC, ANCHOR_AEAD_INIT_DIRECTION, TAP_AEAD_INIT },
	{ ANCHOR_AWSLC, ANCHOR_AEAD_SEAL, TAP_AEAD_SEAL },
	{ ANCHOR_AWSLC, ANCHOR_AEAD_OPEN, TAP_AEAD_OPEN },
	{ ANCHOR_OPENSSL, ANCHOR_WRITE_INTERNAL, TAP_WRITE_ARG4 },
	{ ANCHOR_OPENSSL, ANCHOR_READ_INTERNAL, TAP_READ_ARG4 },
	{ ANCHOR_OPENSSL, ANCHOR_CTRL, TAP_CTRL },
	{ ANCHOR_RUSTLS, ANCHOR_RUSTLS_OUTGOING, TAP_RUSTLS_OUTGOING },
};

static int add_go(const struct anchors *anchors, const struct elf *elf, struct sites *sites)
{
	static const struct {
		enum anchor_function_id function;
		enum tap_role role;
	} entries[] = {
		{ ANCHOR_GO_WRITE, TAP_GO_WRITE },
		{ ANCHOR_GO_READ, TAP_GO_READ },
		{ ANCHOR_GO_CLOSE, TAP_GO_CLOSE },
		{ ANCHOR_GO_RECORD, TAP_GO_RECORD },
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(entries) && !err; i++)
		if (anchors->functions[entries[i].function].addr)
			err = sites_add_at(elf, sites, entries[i].role,
					   anchors->functions[entries[i].function].probe);
	for (size_t i = 0; i < anchors->n_go_returns && !err; i++) {
		err = sites_add_at(elf, sites, TAP_GO_RETURN, anchors->go_returns[i]);
		sites->n_stepped += !err; /* no kernel emulates a return */
	}
	return err;
}

static uint64_t size_of(const struct anchor_function *function)
{
	return function->end ? function->end - function->addr : 0;
}

static int add_ciphers(const struct anchors *anchors, const struct elf *elf, bool by_instruction,
		       struct sites *sites)
{
	int err = 0;

	for (size_t i = 0; i < anchors->n_ciphers && !err; i++) {
		const struct anchor_cipher *cipher = &anchors->ciphers[i];

		err = sites_add_function(
			elf, sites, cipher->is_encrypter ? TAP_RUSTLS_ENCRYPT : TAP_RUSTLS_DECRYPT,
			cipher->function.addr, size_of(&cipher->function), by_instruction);
	}
	return err;
}

/* For people: what of it is read. */
static const char *flavour_of(const struct anchors *anchors)
{
	const struct anchor_finding *stacks = anchors->stacks;

	if (stacks[ANCHOR_BORINGSSL].is_proven)
		return "boringssl";
	if (stacks[ANCHOR_GO].is_proven)
		return "go";
	if (stacks[ANCHOR_RUSTLS].is_proven && stacks[ANCHOR_AWSLC].is_proven)
		return stacks[ANCHOR_OPENSSL].is_proven ? "rustls-ring, aws-lc, openssl-3" :
							  "rustls-ring, aws-lc";
	if (stacks[ANCHOR_RUSTLS].is_proven)
		return stacks[ANCHOR_OPENSSL].is_proven ? "rustls-ring, openssl-3" : "rustls-ring";
	if (stacks[ANCHOR_AWSLC].is_proven)
		return stacks[ANCHOR_OPENSSL].is_proven ? "aws-lc, openssl-3" : "aws-lc";
	return "openssl-3";
}

int anchors_sites(const struct anchors *anchors, int fd, bool by_instruction, struct sites *ret)
{
	struct sites sites = {};
	struct elf elf;
	int err;

	if (!anchors_any(anchors))
		return -ENOENT;
	snprintf(sites.flavour, sizeof(sites.flavour), "%s", flavour_of(anchors));
	err = elf_open(&elf, fd);
	for (size_t i = 0; i < ARRAY_SIZE(wanted) && !err; i++) {
		const struct anchor_function *function = &anchors->functions[wanted[i].function];
		enum tap_role role = wanted[i].role;

		if (!anchors->stacks[wanted[i].stack].is_proven || !function->addr)
			continue;
		if (role == TAP_WRITE_ARG4 && anchors->has_write_flags)
			role = TAP_WRITE_ARG5;
		err = sites_add_function(&elf, &sites, role, function->addr, size_of(function),
					 by_instruction);
	}
	if (!err && anchors->stacks[ANCHOR_RUSTLS].is_proven)
		err = add_ciphers(anchors, &elf, by_instruction, &sites);
	if (!err && anchors->stacks[ANCHOR_GO].is_proven)
		err = add_go(anchors, &elf, &sites);
	if (err)
		return err;
	*ret = sites;
	return 0;
}
