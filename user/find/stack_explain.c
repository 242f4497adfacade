/* SPDX-License-Identifier: Apache-2.0 */
/* Tells of one file what TLS code it holds: for a person who asks, so whole files are read, which costs time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "find/anchor/sites.h"
#include "find/stack.h"

#define SEARCH_MAX   (512u << 20) /* bytes of one file; Codex's has 315 MB */
#define SEARCH_CHUNK (1u << 20)
#define MARK_MAX     64

/*
 * What TLS code that is not found leaves in a file: Rust's panic locations, and the paths and names that
 * the anchors are (docs/facts/kernel.md, "TLS code without symbols").
 */
static const struct {
	const char *flavour, *mark;
} marks[] = {
	{ "boringssl", "ssl/ssl_lib.cc" },
	{ "openssl", "ssl/ssl_lib.c" },
	{ "go", "crypto/tls.(*Conn).Write" },
	{ "rustls", "/rustls-0." },
};

/* Which TLS code the file holds by its marks, NULL: none. */
static const char *mark_of(int fd)
{
	_cleanup_free_ char *buf = malloc(SEARCH_CHUNK + MARK_MAX);
	off_t at = 0;
	ssize_t n;

	while (buf && at < SEARCH_MAX && (n = pread(fd, buf, SEARCH_CHUNK + MARK_MAX, at)) > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
			if (memmem(buf, (size_t)n, marks[i].mark, strlen(marks[i].mark)))
				return marks[i].flavour;
		at += SEARCH_CHUNK;
	}
	return NULL;
}

/* The weakest proof among the probed functions. */
static enum code_proof proof_of(const struct anchors *anchors)
{
	enum code_proof proof = CODE_TABLE;

	for (int i = 0; i < ANCHOR_FUNCTIONS; i++)
		if (anchors->functions[i].addr && anchors->functions[i].proof > proof)
			proof = anchors->functions[i].proof;
	return proof;
}

/* Of a stack that is there and not proven: which and why. False: none is. */
static bool name_unproven(const struct anchors *anchors, struct stack_explanation *ret)
{
	for (int i = 0; i < ANCHOR_STACKS; i++) {
		if (!anchors->stacks[i].is_present)
			continue;
		snprintf(ret->sites.flavour, sizeof(ret->sites.flavour), "%s", anchor_stack_name(i));
		snprintf(ret->brief, sizeof(ret->brief), "%s",
			 anchors->stacks[i].why ?: "not proven");
		return true;
	}
	return false;
}

static int explain_anchors(int fd, bool by_instruction, struct stack_explanation *ret)
{
	struct anchors anchors;
	int err = anchors_find(fd, NULL, &anchors);

	if (err)
		return err;
	stack_describe(&anchors, ret->how, sizeof(ret->how));
	err = anchors_sites(&anchors, fd, by_instruction, &ret->sites);
	if (!err)
		snprintf(ret->brief, sizeof(ret->brief), "anchors, start by %s",
			 code_proof_name(proof_of(&anchors)));
	else if (err == -EOPNOTSUPP)
		snprintf(ret->brief, sizeof(ret->brief), "found, its returns are not known");
	else if (err != -ENOENT || !name_unproven(&anchors, ret))
		return err;
	return 0;
}

int stack_explain(int fd, bool by_instruction, struct stack_explanation *ret)
{
	const char *flavour;
	struct image image;
	int err = image_open(&image, fd);

	*ret = (struct stack_explanation){};
	if (err)
		return err;
	ret->machine = machine_is_here(image.machine) ? 0 : image.machine->elf;
	err = stack_search(fd, &image, by_instruction, STACK_SYMBOLS, NULL, &ret->sites);
	if (!err) {
		snprintf(ret->brief, sizeof(ret->brief), "symbols");
		snprintf(ret->how, sizeof(ret->how), "%s by its symbols, %zu probes",
			 ret->sites.flavour, ret->sites.n);
	}
	if (err == -EAGAIN)
		err = explain_anchors(fd, by_instruction, ret);
	if (err == -ENOENT && (flavour = mark_of(fd))) {
		snprintf(ret->sites.flavour, sizeof(ret->sites.flavour), "%s", flavour);
		snprintf(ret->brief, sizeof(ret->brief), "its functions cannot be told apart");
		snprintf(ret->how, sizeof(ret->how), "%s: its functions cannot be told apart",
			 ret->sites.flavour);
		return 0;
	}
	return err;
}
