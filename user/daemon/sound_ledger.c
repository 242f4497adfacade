/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sound_ledger.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/counters_file.h"
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

int sound_ledger(struct ledger **ret, const char *dir, bool *ret_has_holes, char **ret_error)
{
	struct salvage salvage;
	int err;

	*ret = NULL;
	*ret_has_holes = false;
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
	*ret_has_holes = salvage.holes;
	log_error("the ledger was damaged and is now %s; %llu rows of it were read%s: what was spent "
		  "before this start is not known in full",
		  salvage.aside, (unsigned long long)salvage.rows,
		  salvage.holes ? ", others could not" : "");
	return ledger_open(ret, dir, true, ret_error);
}

bool sound_ledger_fill(const char *dir, struct policy *policy, int64_t now_us)
{
	char at[TEXT_TIME_LEN];
	int64_t at_us;
	int n = counters_file_load(dir, policy, now_us, &at_us);

	if (n < 0) {
		log_error("what the damaged ledger lacks stands nowhere else (%s/" COUNTERS_FILE
			  ": %s): gates that are shut stay so until their windows end",
			  dir, strerror(-n));
		return false;
	}
	log_warn("%d budget counters are taken to be where they were at %s", n,
		 text_time(at_us, at));
	return true;
}
