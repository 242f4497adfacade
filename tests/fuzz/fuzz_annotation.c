/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant may write: the budget's text, a NUL, the mode. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "kube/annotations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct annotations_wish meant;
	struct who_wish wish = { .budget = "" };
	const uint8_t *nul = memchr(data, '\0', size);
	size_t len = nul ? (size_t)(nul - data) : size;

	snprintf(wish.budget, sizeof(wish.budget), "%.*s", (int)len, (const char *)data);
	if (nul)
		snprintf(wish.mode, sizeof(wish.mode), "%.*s", (int)(size - len - 1),
			 (const char *)nul + 1);
	if (annotations_read(&wish, &meant))
		return 0;
	assert((meant.limit_nanos > 0) != (meant.limit_tokens > 0));
	assert(meant.limit_nanos >= 0 && meant.window <= POLICY_MONTH);
	assert(!(meant.is_off && meant.is_rehearsed));
	return 0;
}
