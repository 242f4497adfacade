/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which TLS code a file holds and where it is probed, by whatever it can be found by: symbols, which take a
 * handful of reads, or anchors, which take a look at the whole file.
 */
#ifndef FIND_STACK_H
#define FIND_STACK_H

#include "find/anchor/anchor.h"
#include "find/anchor/image.h"
#include "find/elf/site.h"

/* Less code than this holds no TLS library; the smallest Go program with TLS has 2 MB. */
#define STACK_CODE_MIN (1u << 20)

enum stack_depth {
	STACK_SYMBOLS,
	STACK_ANCHORS, /* both */
};

/*
 * memory: as anchors_find() says. 0; -ENOENT: no TLS functions here; -EAGAIN: none by symbols, but there is enough code
 * that anchors might find some (STACK_SYMBOLS only); -ENOEXEC: it is no program or library of this host's machine;
 * -EOPNOTSUPP, -EBADMSG, -errno as sites_find and anchors_find.
 */
int stack_find(int fd, bool by_instruction, enum stack_depth depth, struct anchor_memory *memory,
	       struct sites *ret);

/* The same in a file of any machine that is known, whose image was opened: to be told of, not to be probed. */
int stack_search(int fd, const struct image *image, bool by_instruction, enum stack_depth depth,
		 struct anchor_memory *memory, struct sites *ret);

/*
 * For people: how the functions were found and proven, or why they are not probed: a line a stack, its functions
 * behind semicolons. Into buf, cut to fit.
 */
void stack_describe(const struct anchors *anchors, char *buf, size_t size);

/* The explanation of a file for a person. */
#define STACK_HOW_LEN   2048
#define STACK_BRIEF_LEN 128
struct stack_explanation {
	struct sites sites; /* flavour is set where there is TLS code, n where it is probed */
	char how[STACK_HOW_LEN]; /* found and proven, or why not; each function with its address and proofs */
	char brief[STACK_BRIEF_LEN]; /* the same in a few words */
	uint16_t machine; /* e_machine of another machine's file, which cannot run here; 0: this one's */
};
/* Looks as deep as there is, whatever the machine. 0, also where it cannot be probed; -ENOENT: no TLS code; -errno as stack_find. */
int stack_explain(int fd, bool by_instruction, struct stack_explanation *ret);

#endif
