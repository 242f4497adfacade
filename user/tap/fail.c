/* SPDX-License-Identifier: Apache-2.0 */
/* Why the kernel half does not come up, as a sentence. */
#include <stdarg.h>
#include <stdio.h>

#include "tap/tap_internal.h"

int tap_fail(char **ret_error, int err, const char *format, ...)
{
	va_list args;

	if (!ret_error)
		return err;
	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		*ret_error = NULL;
	va_end(args);
	return err;
}
