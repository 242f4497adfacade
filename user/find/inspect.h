/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inspector.h and its processes say to each other. The processes parse files of tenants, so one may be a tenant's
 * own by the time that it answers: an answer holds no pointer, and each number in it may be a lie.
 */
#ifndef FIND_INSPECT_H
#define FIND_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "find/stack.h"

/* The argument with which a program that uses inspector.h is such a process. */
#define INSPECT_COMMAND "--inspect-files"
/* As ps(1) shows it. */
#define INSPECT_NAME "aigress-find"

/* CPU time of one file. The largest that is known takes 0.2 s; look.h gives up a look after 5. */
#define INSPECT_CPU_S 4
/* Its memory: two tables of ELF_TABLE_MAX, and as much again. */
#define INSPECT_DATA_BYTES (256ULL << 20)

enum inspect_kind { INSPECT_FIND, INSPECT_EXPLAIN };

/* With it come the socket to answer to, the file, and the record of an earlier search if there is one. */
struct inspect_request {
	uint32_t kind; /* enum inspect_kind */
	uint32_t by_instruction;
	uint32_t depth; /* enum stack_depth */
};
#define INSPECT_FDS_MAX 3

/* The first message: before the process has looked at the file, and so true. */
struct inspect_hello {
	int32_t pid;
};

/* The second and last. */
struct inspect_answer {
	int32_t err; /* as stack_find() or stack_explain() */
	uint32_t n, n_stepped, has_records_only;
	uint32_t machine, reserved;
	uint64_t write_worker, read_worker;
	char flavour[SITES_FLAVOUR_LEN];
	char how[STACK_HOW_LEN], brief[STACK_BRIEF_LEN];
	struct {
		uint64_t offset;
		uint32_t role, reserved;
	} at[SITES_MAX];
	uint32_t record_size; /* of what follows: of an anchor_memory, to be kept and not looked into */
	uint8_t record[CACHE_RECORD_MAX];
};

/* Does what is asked. memory: as anchors_find() says. */
void inspect(const struct inspect_request *request, int fd, struct anchor_memory *memory,
	     struct inspect_answer *ret);
/* How much of an answer is sent. */
size_t inspect_answer_size(const struct inspect_answer *answer);
/*
 * The same answer in the structs of this process, if all of it can be true of a file of `size` bytes. 0, and then
 * what the search returned is in *ret_err; -EBADMSG.
 */
int inspect_check(const struct inspect_answer *answer, size_t answer_size, uint64_t size,
		  struct stack_explanation *ret, int *ret_err);

/* The process that makes the others; returns an exit code. Its standard input is the socket of requests. */
int inspect_main(void);

#endif
