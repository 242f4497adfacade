/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/metering.h"

#include <errno.h>
#include <jansson.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/show.h"
#include "tap/pin.h"

static void on_gap(void *arg, const struct gap *gap)
{
	struct metering *metering = arg;

	if (!gap->is_open)
		return;
	metering->since_us = gap->from_us;
	metering->why = gap->why;
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

/* Less than a transaction needs. */
#define ROOM_MIN (256 * 1024)

static void look_for_faults(struct ledger *ledger, const char *dir, struct metering *metering)
{
	_cleanup_free_ char *text = ledger ? ledger_get(ledger, "damage") : NULL;
	json_t *damage = text ? json_loads(text, 0, NULL) : NULL;
	const char *when = json_string_value(json_object_get(damage, "time"));
	const char *aside = json_string_value(json_object_get(damage, "aside"));
	struct statvfs fs;

	if (statvfs(dir, &fs) == 0) {
		metering->is_full = fs.f_bavail * fs.f_frsize < ROOM_MIN;
		metering->is_read_only = fs.f_flag & ST_RDONLY;
	}
	if (when && aside)
		snprintf(metering->damage, sizeof(metering->damage),
			 "SPEND BEFORE %s IS NOT KNOWN IN FULL: the ledger was damaged, and is %s",
			 when, aside);
	json_decref(damage);
}

void metering_read(struct ledger *ledger, const char *dir, struct gaps_time now,
		   struct metering *ret)
{
	bool is_written = ledger_is_written(dir);

	*ret = (struct metering){
		.life = ledger     ? gaps_life(ledger, is_written, now) :
			is_written ? GAPS_MEASURING :
				     GAPS_NOBODY,
		.pid = pid_of(ledger),
	};
	look_for_pins(dir, ret);
	look_for_faults(ledger, dir, ret);
	if (ledger)
		(void)gaps_read(ledger, 0, now.wall_us, ret->life, on_gap, ret);
}

bool metering_is_over(const struct metering *metering)
{
	return metering->life == GAPS_NOBODY && metering->knows_pins && !metering->has_pins;
}

static void print_since(const struct metering *metering, FILE *out)
{
	char since[SHOW_LEN];

	fprintf(out, "NOTHING IS METERED");
	if (metering->since_us)
		fprintf(out, " since %s%s", metering->why == GAP_STOPPED ? "" : "about ",
			text_time(metering->since_us, since));
}

void metering_print(const struct metering *metering, FILE *out)
{
	if (metering->life == GAPS_MEASURING)
		return;
	print_since(metering, out);
	if (metering->life == GAPS_HANGING)
		fprintf(out, ": aigress (pid %lld) hangs, or cannot write its ledger.\n",
			metering->pid);
	else if (metering->life == GAPS_STARTING)
		fprintf(out, ": aigress is starting.\n");
	else
		fprintf(out, ": aigress %s.\n",
			!metering->since_us          ? "does not run" :
			metering->why == GAP_STOPPED ? "was stopped" :
						       "died or was killed");
	fprintf(out, "%s\n\n",
		!metering->knows_pins ? "Whether gates are pinned shut is only shown to root." :
		metering->has_pins ? "Its gates are pinned (on-daemon-loss: hold): what was refused "
				     "stays refused. `aigress override open --all` opens them." :
				     "No gate is pinned: nothing is refused or paced.");
}

void metering_print_faults(const struct metering *metering, FILE *out)
{
	if (metering->is_full)
		fprintf(out,
			"THE LEDGER'S DISK IS FULL: what is not written waits in aigress, which goes on "
			"enforcing, and is not shown here.\n");
	if (metering->is_read_only)
		fprintf(out,
			"THE LEDGER'S FILE SYSTEM IS READ-ONLY: what is not written waits in aigress, which "
			"goes on enforcing, and is not shown here.\n");
	if (*metering->damage)
		fprintf(out, "%s\n", metering->damage);
}

static void count(void *arg, const struct gap *gap)
{
	++*(size_t *)arg;
}

struct gap_printer {
	FILE *out;
	size_t n, skipped; /* gaps so far, and how many of them the first line stands for */
	int64_t skipped_us;
};

static void print_gap(void *arg, const struct gap *gap)
{
	static const char *const whys[] = {
		[GAP_STOPPED] = "",
		[GAP_KILLED] = ": aigress died or was killed within a minute after the first of these "
			       "times",
		[GAP_HUNG] = ": aigress hung, from within a minute after the first of these times",
	};
	struct gap_printer *printer = arg;
	char from[SHOW_LEN], until[SHOW_LEN], length[SHOW_LEN];

	printer->n++;
	if (printer->n <= printer->skipped)
		printer->skipped_us += gap->until_us - gap->from_us;
	if (printer->n == printer->skipped)
		fprintf(printer->out, "no meter in %zu %s before (%s together)\n", printer->skipped,
			printer->skipped == 1 ? "gap" : "gaps",
			show_duration((uint64_t)printer->skipped_us, length));
	if (printer->n <= printer->skipped)
		return;
	fprintf(printer->out, "no meter %s to %s (%s)%s\n", text_time(gap->from_us, from),
		gap->is_open ? "now" : text_time(gap->until_us, until),
		show_duration((uint64_t)(gap->until_us - gap->from_us), length),
		(unsigned)gap->why < ARRAY_SIZE(whys) ? whys[gap->why] : "");
}

/* "11-30 21:39:05Z" */
static const char *short_time(int64_t us, char text[SHOW_LEN])
{
	char whole[SHOW_LEN];

	text_time(us, whole);
	snprintf(text, SHOW_LEN, "%.5s %.8sZ", whole + 5, whole + 11);
	return text;
}

static void keep_last(void *arg, const struct gap *gap)
{
	*(struct gap *)arg = *gap;
}

int metering_print_last_gap(struct ledger *ledger, const struct metering *metering,
			    int64_t since_us, int64_t until_us, FILE *out)
{
	static const char *const whys[] = {
		[GAP_STOPPED] = "", [GAP_KILLED] = ": aigress died", [GAP_HUNG] = ": aigress hung"
	};
	char from[SHOW_LEN], until[SHOW_LEN], length[SHOW_LEN];
	struct gap gap = { .why = GAP_STOPPED };
	size_t n = 0;
	int err = gaps_read(ledger, since_us, until_us, metering->life, count, &n);

	if (!err && n)
		err = gaps_read(ledger, since_us, until_us, metering->life, keep_last, &gap);
	if (err || !n)
		return err;
	fprintf(out, "no meter %s to %s (%s)%s", short_time(gap.from_us, from),
		gap.is_open ? "now" : short_time(gap.until_us, until),
		show_duration((uint64_t)(gap.until_us - gap.from_us), length),
		(unsigned)gap.why < ARRAY_SIZE(whys) ? whys[gap.why] : "");
	if (n > 1)
		fprintf(out, ", +%zu more", n - 1);
	fputc('\n', out);
	return 1;
}

int metering_print_gaps(struct ledger *ledger, const struct metering *metering, int64_t since_us,
			int64_t until_us, size_t most, FILE *out)
{
	struct gap_printer printer = { .out = out };
	size_t n = 0;
	int err = gaps_read(ledger, since_us, until_us, metering->life, count, &n);

	if (err || !n)
		return err;
	/* the latest say most */
	printer.skipped = n > most ? n - most : 0;
	fputc('\n', out);
	err = gaps_read(ledger, since_us, until_us, metering->life, print_gap, &printer);
	return err ? err : 1 + (int)(printer.skipped ? most + 1 : n);
}
