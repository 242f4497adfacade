/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "metrics/scrape.h"
#include "web/recent_spend.h"

#define LATER (SERIES_BIRTH_NS + 1)

struct calling {
	struct charge charge;
	struct who_group group;
	struct who_process process;
};

static void in_pod(struct calling *calling, const char *pod, const char *model, int64_t nanos)
{
	*calling = (struct calling){
		.charge = { .provider = "openai",
			    .host = "api.openai.com",
			    .status = 200,
			    .source = CHARGE_USAGE,
			    .is_priced = true,
			    .cost_nanos = nanos,
			    .usage = { .input = 10, .output = 3 },
			    .duration_ns = NS_PER_S,
			    .first_token_ns = 100 * NS_PER_MS },
		.group = { .path = "/kubepods/x",
			   .namespace = "agents",
			   .container_name = "main",
			   .workload = "Deployment/a" },
	};
	snprintf(calling->group.pod, sizeof(calling->group.pod), "%s", pod);
	snprintf(calling->charge.model, sizeof(calling->charge.model), "%s", model);
}

static void calls(struct metrics *metrics, struct calling *calling, uint64_t now_ns)
{
	struct ledger_call call = { .charge = &calling->charge,
				    .group = &calling->group,
				    .process = &calling->process,
				    .start_us = 1 };

	metrics_call(metrics, &call, now_ns);
}

/* A whole scrape, read in pieces of `piece` bytes. To be freed. */
static char *scraped(struct metrics *metrics, enum exposition_format format, size_t piece,
		     uint64_t now_ns)
{
	struct scrape_sources sources = { .version = "0", .max_series = 10 };
	struct scrape *scrape = scrape_new(metrics, &sources, format, now_ns, 0);
	char *text = calloc(1, 1);
	size_t len = 0;
	ssize_t n;

	assert_non_null(scrape);
	for (;;) {
		text = realloc(text, len + piece + 1);
		n = scrape_read(scrape, text + len, piece);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	assert_int_equal(n, 0);
	text[len] = '\0';
	scrape_free(scrape);
	return text;
}

/* The sum of a family's rows whose text has `part`. */
static double sum(const char *text, const char *family, const char *part)
{
	double total = 0;
	size_t len = strlen(family);

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += !!line) {
		size_t end = strcspn(line, "\n");
		const char *found = strstr(line, part);

		if (!strncmp(line, family, len) && (line[len] == '{' || line[len] == ' ') &&
		    found && found < line + end)
			total += atof(memrchr(line, ' ', end));
	}
	return total;
}

/* Rate() needs a 0 before the first value; what each cell shows may only grow. */
static void a_counter_begins_at_0_and_then_shows_its_value(void **state)
{
	struct metrics *metrics = metrics_new(100, "node-1");
	struct calling calling;
	char *text;

	in_pod(&calling, "pod-a", "gpt", 1500000000);
	calls(metrics, &calling, 1);
	text = scraped(metrics, EXPOSITION_TEXT, 4096, 2);
	assert_true(sum(text, "aigress_spend_usd_total", "pod-a") == 0);
	assert_non_null(strstr(text, "aigress_spend_usd_total{node=\"node-1\",namespace=\"agents\","
				     "pod=\"pod-a\",container=\"main\","
				     "workload=\"Deployment/a\",provider=\"openai\","
				     "model=\"gpt\",host=\"api.openai.com\"} 0\n"));
	assert_true(sum(text, "aigress_call_duration_seconds_count", "agents") == 0);
	assert_true(sum(text, "aigress_node_spend_usd_total", "node-1") == 1.5);
	free(text);
	text = scraped(metrics, EXPOSITION_TEXT, 4096, 2 + LATER);
	assert_true(sum(text, "aigress_spend_usd_total", "pod-a") == 1.5);
	assert_true(sum(text, "aigress_tokens_total", "type=\"input\"") == 10);
	free(text);
	metrics_free(metrics);
}

static void sums_are_those_of_the_calls_however_many_callers(void **state)
{
	struct metrics *metrics = metrics_new(50, "n");
	struct calling calling;
	char pod[16], *text;
	uint64_t now_ns = 1;

	for (int i = 0; i < 500; i++) {
		snprintf(pod, sizeof(pod), "pod-%d", i % 200);
		in_pod(&calling, pod, "gpt", 1000000000);
		calls(metrics, &calling, now_ns);
	}
	free(scraped(metrics, EXPOSITION_OPEN, 1000, now_ns));
	now_ns += LATER;
	text = scraped(metrics, EXPOSITION_OPEN, 1000, now_ns);
	assert_true(sum(text, "aigress_spend_usd_total", "") == 500);
	assert_true(sum(text, "aigress_spend_usd_total", "pod=\"other\"") == 500 - 150);
	assert_true(sum(text, "aigress_calls_total", "source=\"usage\",outcome=\"ok\"") == 500);
	assert_true(sum(text, "aigress_series", "table=\"calls\"") == 50);
	assert_true(sum(text, "aigress_series_overflowed_calls_total", "") == 350);
	assert_true(sum(text, "aigress_call_duration_seconds_bucket", "le=\"1.28\"") == 500);
	assert_true(sum(text, "aigress_call_duration_seconds_bucket", "le=\"0.64\"") == 0);
	assert_true(sum(text, "aigress_call_first_token_seconds_bucket", "le=\"0.1\"") == 500);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
	metrics_free(metrics);
}

/* Who names a new model with each call gets one row for the rest, and takes nobody's place. */
static void models_of_one_caller_are_bounded(void **state)
{
	struct metrics *metrics = metrics_new(1000, "n");
	struct calling calling;
	char model[32], *text;

	for (int i = 0; i < 5000; i++) {
		snprintf(model, sizeof(model), "model-%d", i);
		in_pod(&calling, "hostile", model, 1000000);
		calls(metrics, &calling, 1);
	}
	assert_int_equal(series_count(metrics->calls), METRICS_MODELS);
	assert_int_equal(metrics->overflowed, 0);
	free(scraped(metrics, EXPOSITION_TEXT, 999, 1));
	text = scraped(metrics, EXPOSITION_TEXT, 999, 1 + LATER);
	assert_true(sum(text, "aigress_calls_total", "pod=\"hostile\"") == 5000);
	assert_true(sum(text, "aigress_calls_total", "model=\"other\"") == 5000 - METRICS_MODELS + 1);
	free(text);
	metrics_free(metrics);
}

/* Without its version, so that an update neither ends a series nor begins one. */
static void a_client_is_a_label_without_its_version(void **state)
{
	struct metrics *metrics = metrics_new(100, "n");
	struct calling calling;
	char *text;

	for (int version = 0; version < 200; version++) {
		in_pod(&calling, "pod-a", "gpt", 1000000);
		snprintf(calling.charge.client, sizeof(calling.charge.client), "claude-cli/2.1.%d",
			 version);
		calls(metrics, &calling, 1);
	}
	assert_int_equal(series_count(metrics->calls), 1);
	free(scraped(metrics, EXPOSITION_TEXT, 999, 1));
	text = scraped(metrics, EXPOSITION_TEXT, 999, 1 + LATER);
	assert_true(sum(text, "aigress_calls_total", "client=\"claude-cli\"") == 200);
	free(text);
	metrics_free(metrics);
}

/* What was not read of a connection is one row of as many calls as it had requests. */
static void an_estimate_of_several_calls_counts_as_so_many(void **state)
{
	struct metrics *metrics = metrics_new(100, "n");
	struct calling calling;
	char *text;

	in_pod(&calling, "pod-a", "", 1000000);
	calling.charge.source = CHARGE_SIZE;
	calling.charge.is_priced = false;
	calling.charge.count = 20;
	calls(metrics, &calling, 1);
	free(scraped(metrics, EXPOSITION_TEXT, 999, 1));
	text = scraped(metrics, EXPOSITION_TEXT, 999, 1 + LATER);
	assert_true(sum(text, "aigress_calls_total", "source=\"size\"") == 20);
	assert_true(sum(text, "aigress_unpriced_calls_total", "pod-a") == 20);
	free(text);
	metrics_free(metrics);
}

static void dead_pods_make_room_but_not_under_a_scrape(void **state)
{
	struct metrics *metrics = metrics_new(2, "n");
	struct calling calling;

	in_pod(&calling, "old", "m", 1);
	calls(metrics, &calling, 1);
	in_pod(&calling, "new", "m", 1);
	calls(metrics, &calling, SERIES_IDLE_NS);
	in_pod(&calling, "third", "m", 1);
	metrics_pin(metrics, true);
	calls(metrics, &calling, SERIES_IDLE_NS + 2);
	assert_int_equal(metrics->overflowed, 1);
	metrics_pin(metrics, false);
	calls(metrics, &calling, SERIES_IDLE_NS + 3);
	assert_int_equal(metrics->overflowed, 1);
	assert_int_equal(series_count(metrics->calls), 2);
	metrics_expire(metrics, 3 * SERIES_KEEP_NS);
	assert_int_equal(series_count(metrics->calls), 0);
	assert_null(metrics->callers);
	calls(metrics, &calling, 4 * SERIES_KEEP_NS);
	assert_int_equal(series_count(metrics->calls), 1);
	metrics_free(metrics);
}

static void names_cannot_break_a_line(void **state)
{
	char labels[256] = "";

	assert_true(metrics_label(labels, sizeof(labels), "a", "x\"} 1\nfake 2\\\xff\u202e"));
	assert_string_equal(labels, "a=\"x\\\"} 1\\\\x0afake 2\\\\\\\\xff\\\\xe2\\\\x80\\\\xae\"");
	assert_true(metrics_label(labels, 64 + 8, "empty", ""));
	assert_false(metrics_label(labels, strlen(labels) + 8, "b", "too long for this"));
	assert_null(strstr(labels, ",b"));
}

static void unpriced_is_not_0_usd_and_unconfirmed_is_told_apart(void **state)
{
	struct metrics *metrics = metrics_new(10, "n");
	struct calling calling;
	char *text;

	in_pod(&calling, "p", "unheard-of", 0);
	calling.charge.is_priced = false;
	calls(metrics, &calling, 1);
	in_pod(&calling, "p", "gpt", 2000000000);
	snprintf(calling.charge.destination, sizeof(calling.charge.destination), CHARGE_UNCONFIRMED);
	calls(metrics, &calling, 1);
	free(scraped(metrics, EXPOSITION_TEXT, 77, 1));
	text = scraped(metrics, EXPOSITION_TEXT, 77, 1 + LATER);
	assert_true(sum(text, "aigress_spend_usd_total", "unheard-of") == 0);
	assert_true(sum(text, "aigress_unconfirmed_calls_total", "gpt") == 1);
	assert_true(sum(text, "aigress_unconfirmed_spend_usd_total", "gpt") == 2);
	assert_true(sum(text, "aigress_unconfirmed_calls_total", "unheard-of") == 0);
	assert_true(sum(text, "aigress_node_unconfirmed_calls_total", "") == 1);
	assert_true(sum(text, "aigress_unpriced_calls_total", "unheard-of") == 1);
	assert_true(sum(text, "aigress_node_unpriced_calls_total", "") == 1);
	free(text);
	metrics_free(metrics);
}

/* No time decides here: what one turn of the loop costs is told. */
static void ten_thousand_series_come_in_pieces(void **state)
{
	struct metrics *metrics = metrics_new(10000, "node-1");
	struct scrape_sources sources = { .version = "0", .max_series = 10 };
	uint64_t longest_ns = 0, began_ns = clock_mono_ns(), turns = 0;
	struct calling calling;
	struct scrape *scrape;
	char pod[32], buf[16384];
	size_t len = 0;
	ssize_t n;

	for (int i = 0; i < 10000; i++) {
		snprintf(pod, sizeof(pod), "agents-7d9c5b6f4-%05d", i);
		in_pod(&calling, pod, "claude-sonnet-5", 1000000);
		calls(metrics, &calling, 1);
	}
	printf("note: %.1f us a call into the counters\n",
	       (double)(clock_mono_ns() - began_ns) / 10000 / 1000);
	began_ns = clock_mono_ns();
	scrape = scrape_new(metrics, &sources, EXPOSITION_OPEN, 1, 0);
	do {
		uint64_t from_ns = clock_mono_ns(), took_ns;

		n = scrape_read(scrape, buf, sizeof(buf));
		took_ns = clock_mono_ns() - from_ns;
		longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
		len += (size_t)n;
		turns++;
	} while (n > 0);
	assert_int_equal(n, 0);
	assert_true(turns > 100);
	printf("note: 10,000 callers: %zu kB in %lu turns of at most %lu us, %lu ms\n", len / 1000,
	       turns, longest_ns / 1000, (unsigned long)((clock_mono_ns() - began_ns) / NS_PER_MS));
	scrape_free(scrape);
	metrics_free(metrics);
}

static void actions_are_counted_by_their_word(void **state)
{
	struct metrics *metrics = metrics_new(10, "n");
	struct ledger_action action = { .budget = "b", .action = "refuse", .outcome = ACTION_DONE };
	char *text;

	metrics_action(metrics, &action, 1);
	action.outcome = ACTION_FAILED;
	metrics_action(metrics, &action, 1);
	/* The label does not know the halves of a kill apart. */
	action.action = "kill";
	action.outcome = ACTION_DONE;
	metrics_action(metrics, &action, 1);
	action.outcome = ACTION_FINISHED;
	metrics_action(metrics, &action, 1);
	free(scraped(metrics, EXPOSITION_TEXT, 50, 1));
	text = scraped(metrics, EXPOSITION_TEXT, 50, 1 + LATER);
	assert_non_null(strstr(text, "aigress_actions_total{node=\"n\",budget=\"b\",action=\"refuse\","
				     "mode=\"real\",result=\"done\"} 1\n"));
	assert_true(sum(text, "aigress_actions_total", "result=\"failed\"") == 1);
	assert_non_null(strstr(text, "action=\"kill\",mode=\"real\",result=\"done\"} 2\n"));
	free(text);
	metrics_free(metrics);
}

#define MINUTE (60 * US_PER_S)

static void spent(struct spend *spend, const char *pod, int64_t at_us, int64_t nanos)
{
	struct calling calling;
	struct ledger_call call = { .charge = &calling.charge,
				    .group = &calling.group,
				    .process = &calling.process,
				    .start_us = at_us };

	in_pod(&calling, pod, "gpt", nanos);
	calling.charge.duration_ns = 0;
	spend_call(spend, &call, 1);
}

static void spend_slides_by_minutes_and_hours(void **state)
{
	struct spend *spend = spend_new();
	const struct spend_row *rows[4], *total;
	int64_t now = 1000000 * MINUTE;
	size_t more;

	spent(spend, "a", now - 61 * MINUTE, 4);
	spent(spend, "a", now - 30 * MINUTE, 2);
	spent(spend, "b", now, 1);
	spent(spend, "b", now - 5 * MINUTE, 10); /* ended later, began earlier */
	total = spend_total(spend, now);
	assert_int_equal(spend_last_minutes(total, 1), 1);
	assert_int_equal(spend_last_minutes(total, 6), 11);
	assert_int_equal(spend_last_minutes(total, 60), 13);
	assert_int_equal(spend_day(total).priced, 17);
	assert_int_equal(spend_top(spend, now, rows, 4, &more), 2);
	assert_string_equal(rows[0]->name, "b");
	assert_int_equal(more, 0);
	assert_int_equal(spend_top(spend, now + 3 * MINUTE, rows, 1, &more), 1);
	assert_int_equal(more, 1);
	total = spend_total(spend, now + 25 * 60 * MINUTE);
	assert_int_equal(spend_day(total).priced, 0);
	spend_free(spend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_begins_at_0_and_then_shows_its_value),
		cmocka_unit_test(sums_are_those_of_the_calls_however_many_callers),
		cmocka_unit_test(models_of_one_caller_are_bounded),
		cmocka_unit_test(a_client_is_a_label_without_its_version),
		cmocka_unit_test(an_estimate_of_several_calls_counts_as_so_many),
		cmocka_unit_test(dead_pods_make_room_but_not_under_a_scrape),
		cmocka_unit_test(names_cannot_break_a_line),
		cmocka_unit_test(unpriced_is_not_0_usd_and_unconfirmed_is_told_apart),
		cmocka_unit_test(ten_thousand_series_come_in_pieces),
		cmocka_unit_test(actions_are_counted_by_their_word),
		cmocka_unit_test(spend_slides_by_minutes_and_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
