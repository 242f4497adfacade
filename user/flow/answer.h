/* SPDX-License-Identifier: Apache-2.0 */
/* A name server's answer (RFC 1035 4.1): which addresses a host has. Whoever sent it may have put anything there. */
#ifndef FLOW_ANSWER_H
#define FLOW_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_HOST_LEN 256
/* More addresses of one answer are left out. */
#define ANSWER_MAX 32

struct answer_address {
	uint8_t family;   /* AF_INET or AF_INET6 */
	uint8_t addr[16]; /* IPv4 in the first four bytes */
};

struct answer {
	char host[ANSWER_HOST_LEN]; /* that was asked about, in lower case */
	struct answer_address addresses[ANSWER_MAX];
	size_t n;
};

/*
 * Reads a message with one question. Of one that is cut off or whose end makes no sense, what came before counts. False:
 * it is no answer, or not to a question about a host's addresses.
 */
bool answer_read(const uint8_t *bytes, size_t len, struct answer *ret);

#endif
