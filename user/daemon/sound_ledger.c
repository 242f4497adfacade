/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sound_ledger.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/salvage.h"

/* The longest window: POLICY_MONTH. */
#define WINDOW_US (31 * 24 * 3600 * US_PER_S)

static int open_and_probe(struct ledger **ret, const char *dir, char **ret_error)
{
	int err = ledger_open(ret, dir, true, ret_error);

	if (!err)
		err = ledger_probe(*ret, clock_wall_us() - WINDOW_US);
	/* Another error than damage is met again where it matters. */
	if (err != -EBADMSG || !*ret)
		return *ret ? 0 : err;
	*ret = ledger_free(*ret);
	return err;
}

int sound_ledger(struct ledger **ret, const char *dir, char **ret_error)
{
	struct salvage salvage;
	int err;

	*ret = NULL;
	err = open_and_probe(ret, dir, ret_error);
	if (err != -EBADMSG)
		return err;
	if (ret_error) {
		free(*ret_error);
		*ret_error = NULL;
	}
	err = ledger_salvage(dir, clock_wall_us(), &salvage);
	if (err) {
		log_error("the ledger is damaged and cannot be set aside: %s", strerror(-err));
		return err;
	}
	log_error("the ledger was damaged and is now %s; %llu rows of it were read%s: what was spent "
		  "before this start is not known in full",
		  salvage.aside, (unsigned long long)salvage.rows,
		  salvage.holes ? ", others could not" : "");
	return ledger_open(ret, dir, true, ret_error);
}
