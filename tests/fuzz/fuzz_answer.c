/* SPDX-License-Identifier: Apache-2.0 */
/* A name server's answer: what is read of it is a host's name and addresses of a known family, or nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "flow/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer answer;
	size_t n;

	if (!answer_read(data, size, &answer))
		return 0;
	n = strnlen(answer.host, sizeof(answer.host));
	if (!n || n > 254 || strspn(answer.host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != n)
		abort();
	if (answer.n > ANSWER_MAX)
		abort();
	for (size_t i = 0; i < answer.n; i++)
		if (answer.addresses[i].family != AF_INET && answer.addresses[i].family != AF_INET6)
			abort();
	return 0;
}
