/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was not read. */
#include "flow/reconcile_internal.h"

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

void reconcile_missed(struct reconcile *reconcile, uint32_t tgid, const char *host,
		      enum unmetered_why why, uint64_t bytes)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (account)
		*(why == UNMETERED_UPGRADED ? &account->upgraded : &account->lost) += bytes;
}

void reconcile_left_out(struct reconcile *reconcile, uint32_t tgid, const char *host,
			enum unmetered_why why)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (account)
		account->left_out = why;
}
