/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/metering.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/show.h"
#include "ledger/gaps.h"
#include "tap/pin.h"

#define GAPS_SHOWN 10

static void on_gap(void *arg, const struct gap *gap)
{
	struct metering *metering = arg;

	if (!gap->is_open)
		return;
	metering->since_us = gap->from_us;
	metering->was_killed = gap->was_killed;
}

static long long pid_of(struct ledger *ledger)
{
	_cleanup_free_ char *text = ledger ? ledger_get(ledger, "daemon") : NULL;
	json_t *daemon = text ? json_loads(text, 0, NULL) : NULL;
	long long pid = json_integer_value(json_object_get(daemon, "pid"));

	json_decref(daemon);
	return pid;
}

/* bpffs is root's (mode 0700): for others what is in it is not known. */
static void look_for_pins(const char *dir, struct metering *metering)
{
	char pin[PIN_PATH_LEN];

	pin_dir(dir, pin);
	metering->has_pins = access(pin, F_OK) == 0;
	metering->knows_pins = metering->has_pins || errno == ENOENT;
}

void metering_read(struct ledger *ledger, const char *dir, int64_t now_us, struct metering *ret)
{
	*ret = (struct metering){ .is_running = ledger_is_written(dir), .pid = pid_of(ledger) };
	look_for_pins(dir, ret);
	if (ledger && !ret->is_running)
		(void)gaps_read(ledger, 0, now_us, false, on_gap, ret);
}

void metering_print(const struct metering *metering, FILE *out)
{
	char since[SHOW_LEN];

	if (metering->is_running)
		return;
	if (metering->since_us)
		fprintf(out, "NOTHING IS METERED since %s%s: aigress %s.\n",
			metering->was_killed ? "about " : "", text_time(metering->since_us, since),
			metering->was_killed ? "died or was killed" : "was stopped");
	else
		fprintf(out, "NOTHING IS METERED: aigress does not run.\n");
	fprintf(out, "%s\n\n",
		!metering->knows_pins ? "Whether gates are pinned shut is only shown to root." :
		metering->has_pins ? "Its gates are pinned (on-daemon-loss: hold): what was refused "
				     "stays refused. `aigress override open --all` opens them." :
				     "No gate is pinned: nothing is refused or paced.");
}

struct gap_printer {
	FILE *out;
	size_t n;
};

static void print_gap(void *arg, const struct gap *gap)
{
	struct gap_printer *printer = arg;
	char from[SHOW_LEN], until[SHOW_LEN], length[SHOW_LEN];

	if (printer->n++ >= GAPS_SHOWN)
		return;
	fprintf(printer->out, "%sno meter %s to %s (%s)%s\n", printer->n == 1 ? "\n" : "",
		text_time(gap->from_us, from),
		gap->is_open ? "now" : text_time(gap->until_us, until),
		show_duration((uint64_t)(gap->until_us - gap->from_us), length),
		gap->was_killed ? ": aigress died or was killed within a minute after the first "
				  "of these times" :
				  "");
}

int metering_print_gaps(struct ledger *ledger, const struct metering *metering, int64_t since_us,
			int64_t now_us, FILE *out)
{
	struct gap_printer printer = { .out = out };
	int err = gaps_read(ledger, since_us, now_us, metering->is_running, print_gap, &printer);

	if (printer.n > GAPS_SHOWN)
		fprintf(out, "and %zu more gaps\n", printer.n - GAPS_SHOWN);
	return err;
}
