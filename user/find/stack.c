/* SPDX-License-Identifier: Apache-2.0 */
#include "find/stack.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "find/anchor/sites.h"
#include "find/elf/gnutls.h"

static int by_symbols(int fd, bool by_instruction, struct sites *ret)
{
	int err = sites_find(fd, by_instruction, ret);

	return err == -ENOENT ? gnutls_find(fd, by_instruction, ret) : err;
}

int stack_search(int fd, const struct image *image, bool by_instruction, enum stack_depth depth,
		 struct anchor_memory *memory, struct sites *ret)
{
	struct anchors anchors;
	int err = by_symbols(fd, by_instruction, ret);

	if (err != -ENOENT)
		return err;
	if (image->code_bytes < STACK_CODE_MIN)
		return -ENOENT;
	if (depth == STACK_SYMBOLS)
		return -EAGAIN;
	err = anchors_find(fd, memory, &anchors);
	if (!err)
		err = anchors_sites(&anchors, fd, by_instruction, ret);
	return err == -E2BIG ? -EFBIG : err;
}

int stack_find(int fd, bool by_instruction, enum stack_depth depth, struct anchor_memory *memory,
	       struct sites *ret)
{
	struct image image;
	int err = image_open(&image, fd);

	if (!err && !machine_is_here(image.machine))
		err = -ENOEXEC;
	return err ? err : stack_search(fd, &image, by_instruction, depth, memory, ret);
}

static void describe_function(FILE *out, const char *name, const struct anchor_function *function)
{
	if (!function->addr)
		return;
	fprintf(out, "; %s at %#llx by %u mark%s, start by %s", name,
		(unsigned long long)function->addr, function->n_marks,
		function->n_marks == 1 ? "" : "s", code_proof_name(function->proof));
	if (function->n_callers)
		fprintf(out, ", called");
}

/* The functions of one stack, to its name's end of the line. */
static void describe_functions(FILE *out, const struct anchors *anchors, int from, int to)
{
	for (int i = from; i <= to; i++)
		describe_function(out, anchor_function_name(i), &anchors->functions[i]);
	for (size_t i = 0; i < anchors->n_ciphers && from == ANCHOR_RUSTLS_OUTGOING; i++)
		describe_function(out,
				  anchors->ciphers[i].is_encrypter ? "MessageEncrypter::encrypt" :
								     "MessageDecrypter::decrypt",
				  &anchors->ciphers[i].function);
}

void stack_describe(const struct anchors *anchors, char *buf, size_t size)
{
	static const struct {
		int from, to;
	} functions[ANCHOR_STACKS] = {
		[ANCHOR_BORINGSSL] = { ANCHOR_SSL_WRITE, ANCHOR_SET_HOST },
		[ANCHOR_AWSLC] = { ANCHOR_AEAD_INIT, ANCHOR_AEAD_OPEN },
		[ANCHOR_OPENSSL] = { ANCHOR_WRITE_INTERNAL, ANCHOR_CTRL },
		[ANCHOR_GO] = { ANCHOR_GO_WRITE, ANCHOR_GO_RECORD },
		[ANCHOR_RUSTLS] = { ANCHOR_RUSTLS_OUTGOING, ANCHOR_RUSTLS_OUTGOING },
	};
	FILE *out = fmemopen(buf, size, "w");
	const char *between = "";

	buf[0] = '\0';
	if (!out)
		return;
	for (int i = 0; i < ANCHOR_STACKS; i++) {
		const struct anchor_finding *finding = &anchors->stacks[i];

		if (!finding->is_present)
			continue;
		fprintf(out, "%s%s", between, anchor_stack_name(i));
		between = "\n";
		if (finding->is_proven)
			describe_functions(out, anchors, functions[i].from, functions[i].to);
		else
			fprintf(out, ": %s", finding->why ? finding->why : "not proven");
	}
	fclose(out);
	buf[size - 1] = '\0';
}
