/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the reasons why something was not read. */
#include "flow/reconcile.h"

const char *unmetered_why_name(enum unmetered_why why)
{
	static const char *const names[UNMETERED_WHYS] = {
		[UNMETERED_READ] = "",           [UNMETERED_QUIC] = "quic",
		[UNMETERED_OLDER] = "older",     [UNMETERED_SHARED] = "shared",
		[UNMETERED_NEVER] = "never",     [UNMETERED_RETURNS] = "returns",
		[UNMETERED_REFUSED] = "refused", [UNMETERED_UNREAD] = "unread",
		[UNMETERED_LOST] = "lost",       [UNMETERED_UPGRADED] = "upgraded",
		[UNMETERED_LATE] = "late",
	};

	return (unsigned)why < UNMETERED_WHYS ? names[why] : "";
}
