/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "metrics/otlp.h"
#include "peer.h"

#define LATER    (SERIES_BIRTH_NS + 1)
#define START_US 1700000000000000LL

/* One call of a pod, with a name that wants escaping if it has quotes. */
static void call_of(struct metrics *metrics, const char *pod, const char *model, int64_t nanos,
		    uint64_t now_ns)
{
	struct charge charge = { .provider = "openai",
				 .host = "api.openai.com",
				 .status = 200,
				 .source = CHARGE_USAGE,
				 .is_priced = true,
				 .cost_nanos = nanos,
				 .usage = { .input = 10, .output = 3 },
				 .duration_ns = 1500 * NS_PER_MS };
	struct who_group group = { .path = "/kubepods/x",
				   .namespace = "agents",
				   .container_name = "main",
				   .workload = "Deployment/a" };
	struct who_process process = { .user = "root" };
	struct ledger_call call = {
		.charge = &charge, .group = &group, .process = &process, .start_us = 1
	};

	snprintf(group.pod, sizeof(group.pod), "%s", pod);
	snprintf(charge.model, sizeof(charge.model), "%s", model);
	metrics_call(metrics, &call, now_ns);
}

static struct scrape *walk_of(struct metrics *metrics, enum exposition_format format,
			      uint64_t now_ns)
{
	struct scrape_sources sources = {
		.version = "0", .max_series = 10, .started_us = START_US, .is_pod = true
	};
	struct scrape *walk = scrape_new(metrics, &sources, format, now_ns,
					 START_US + (int64_t)(now_ns / 1000));

	assert_non_null(walk);
	return walk;
}

/* A whole push: the metrics of all its documents, each of which is JSON. To be given to json_decref(). */
static json_t *pushed(struct metrics *metrics, size_t enough, uint64_t now_ns, size_t *ret_documents)
{
	struct scrape *walk = walk_of(metrics, EXPOSITION_OTLP, now_ns);
	json_t *all = json_array();
	const char *text;
	size_t len;

	*ret_documents = 0;
	for (;;) {
		json_error_t error;
		json_t *root, *resource, *scope;

		assert_int_equal(scrape_document(walk, enough, &text, &len), 0);
		if (!len)
			break;
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
		if (!root)
			fail_msg("%s at %d: %.300s", error.text, error.position,
				 text + (error.position > 100 ? error.position - 100 : 0));
		assert_int_equal(json_array_size(json_object_get(root, "resourceMetrics")), 1);
		resource = json_array_get(json_object_get(root, "resourceMetrics"), 0);
		scope = json_array_get(json_object_get(resource, "scopeMetrics"), 0);
		assert_true(json_array_size(json_object_get(scope, "metrics")) > 0);
		json_array_extend(all, json_object_get(scope, "metrics"));
		json_decref(root);
		++*ret_documents;
	}
	scrape_free(walk);
	return all;
}

static const char *attribute_of(json_t *point, const char *key)
{
	json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(point, "attributes"), i, pair)
		if (!strcmp(json_string_value(json_object_get(pair, "key")), key))
			return json_string_value(
				json_object_get(json_object_get(pair, "value"), "stringValue"));
	return "";
}

/* The sum of a metric's points with such an attribute ("": all); `n` is how many there are. */
static double sum(json_t *metrics, const char *name, const char *key, const char *value, size_t *n)
{
	static const char *const kinds[] = { "sum", "gauge", "histogram" };
	double total = 0;
	json_t *metric, *point;
	size_t i, j;

	*n = 0;
	json_array_foreach(metrics, i, metric) {
		if (strcmp(json_string_value(json_object_get(metric, "name")), name))
			continue;
		for (size_t k = 0; k < 3; k++)
			json_array_foreach(
				json_object_get(json_object_get(metric, kinds[k]), "dataPoints"), j,
				point) {
				if (*key && strcmp(attribute_of(point, key), value))
					continue;
				++*n;
				total += json_is_string(json_object_get(point, "asInt")) ?
						 atof(json_string_value(
							 json_object_get(point, "asInt"))) :
						 json_number_value(
							 json_object_get(point, "asDouble"));
			}
	}
	return total;
}

static json_t *metric_of(json_t *metrics, const char *name)
{
	json_t *metric;
	size_t i;

	json_array_foreach(metrics, i, metric)
		if (!strcmp(json_string_value(json_object_get(metric, "name")), name))
			return metric;
	return NULL;
}

static void a_push_is_what_a_scrape_is(void **state)
{
	struct metrics *metrics = metrics_new(1000, "node-1");
	size_t n_documents, n;
	json_t *told;

	for (int i = 0; i < 300; i++) {
		char pod[32];

		snprintf(pod, sizeof(pod), "pod-%d", i);
		call_of(metrics, pod, "gpt", 1500000001, 1);
	}
	json_decref(pushed(metrics, 4096, 2, &n_documents)); /* each begins at 0 */
	told = pushed(metrics, 4096, 2 + LATER, &n_documents);
	assert_true(n_documents > 20);
	assert_true(sum(told, "aigress_spend_usd", "", "", &n) > 450);
	assert_int_equal(n, 300);
	assert_true(sum(told, "aigress_tokens", "type", "input", &n) == 3000);
	assert_true(sum(told, "aigress_spend_usd", "k8s.pod.name", "pod-7", &n) == 1.500000001);
	assert_int_equal(n, 1);
	json_decref(told);
	/* As one document, the same. */
	told = pushed(metrics, 1 << 20, 2 + LATER, &n_documents);
	assert_int_equal(n_documents, 1);
	sum(told, "aigress_spend_usd", "", "", &n);
	assert_int_equal(n, 300);
	json_decref(told);
	metrics_free(metrics);
}

static void what_the_conventions_name_has_their_name(void **state)
{
	struct metrics *metrics = metrics_new(10, "node-1");
	size_t n;
	json_t *told, *histogram, *point, *bounds, *counts;

	call_of(metrics, "a", "gpt", 1, NS_PER_S);
	json_decref(pushed(metrics, 1 << 20, NS_PER_S, &n));
	told = pushed(metrics, 1 << 20, NS_PER_S + LATER, &n);
	assert_null(metric_of(told, "aigress_call_duration_seconds"));
	histogram = metric_of(told, "gen_ai.client.operation.duration");
	assert_string_equal(json_string_value(json_object_get(histogram, "unit")), "s");
	histogram = json_object_get(histogram, "histogram");
	assert_int_equal(json_integer_value(json_object_get(histogram, "aggregationTemporality")),
			 2);
	point = json_array_get(json_object_get(histogram, "dataPoints"), 0);
	bounds = json_object_get(point, "explicitBounds");
	counts = json_object_get(point, "bucketCounts");
	assert_int_equal(json_array_size(bounds), METRICS_DURATIONS);
	assert_int_equal(json_array_size(counts), METRICS_DURATIONS + 1);
	/* 1.5 s is above 1.28 and not above 2.56; buckets are not cumulative */
	assert_true(json_number_value(json_array_get(bounds, 8)) == 2.56);
	assert_string_equal(json_string_value(json_array_get(counts, 8)), "1");
	assert_string_equal(json_string_value(json_array_get(counts, 9)), "0");
	assert_string_equal(json_string_value(json_object_get(point, "count")), "1");
	assert_true(json_number_value(json_object_get(point, "sum")) == 1.5);
	assert_string_equal(attribute_of(point, "k8s.namespace.name"), "agents");
	assert_string_equal(attribute_of(point, "gen_ai.response.model"), "gpt");
	assert_string_equal(attribute_of(point, "gen_ai.provider.name"), "openai");
	/* since the row was made, not since the daemon was */
	assert_string_equal(json_string_value(json_object_get(point, "startTimeUnixNano")),
			    "1700000001000000000");
	json_decref(told);
	metrics_free(metrics);
}

static void names_cannot_break_out(void **state)
{
	static const char hostile[] = "x\"}]}\\\",\n{\xff\u202e";
	struct metrics *metrics = metrics_new(10, "no\"de\\");
	size_t n;
	json_t *told;

	call_of(metrics, hostile, hostile, 1, 1);
	told = pushed(metrics, 1, 1, &n);
	assert_true(n > 5);
	sum(told, "aigress_spend_usd", "k8s.pod.name", "x\"}]}\\\",\\x0a{\\xff\\xe2\\x80\\xae", &n);
	assert_int_equal(n, 1);
	json_decref(told);
	metrics_free(metrics);
}

/* Who is pushed to does not take the 0 that a scraper needs, nor the other way round. */
static void each_reader_sees_its_own_0(void **state)
{
	struct metrics *metrics = metrics_new(10, "n");
	struct scrape *scrape;
	char text[65536];
	size_t n;
	json_t *told;

	call_of(metrics, "a", "gpt", 1000000000, 1);
	told = pushed(metrics, 1 << 20, 1, &n);
	assert_true(sum(told, "aigress_spend_usd", "", "", &n) == 0);
	assert_int_equal(n, 1);
	json_decref(told);
	scrape = walk_of(metrics, EXPOSITION_TEXT, 1 + LATER);
	text[scrape_read(scrape, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "host=\"api.openai.com\"} 0\n"));
	scrape_free(scrape);
	told = pushed(metrics, 1 << 20, 1 + LATER, &n);
	assert_true(sum(told, "aigress_spend_usd", "", "", &n) == 1);
	json_decref(told);
	metrics_free(metrics);
}

/* A receiver that fails at first. */
struct world {
	struct peer peer;
	struct metrics *metrics;
	struct loop *loop;
	struct fetcher *fetcher;
	struct otlp *otlp;
	struct loop_source *look;
	uint64_t begin_ns, at_ns[64]; /* when each request came */
	atomic_int n, n_bad;
	int fail_first, wanted;
	const char *failure;
};

static void serve(struct peer *peer)
{
	struct world *world = peer->arg;
	char bytes[32768], *end, *at;
	size_t len = 0, body = SIZE_MAX;
	json_t *root;
	int n = atomic_load(&world->n);

	while (len < body) {
		ssize_t got = peer_read(peer, bytes + len, sizeof(bytes) - 1 - len);

		if (got <= 0)
			return;
		bytes[len += (size_t)got] = '\0';
		end = strstr(bytes, "\r\n\r\n");
		at = end ? strcasestr(bytes, "Content-Length: ") : NULL;
		body = at ? (size_t)(end + 4 - bytes) + (size_t)atoi(at + 16) : SIZE_MAX;
	}
	root = json_loads(strstr(bytes, "\r\n\r\n") + 4, 0, NULL);
	if (!root || strncmp(bytes, "POST /v1/metrics HTTP/1.1\r\n", 27) ||
	    !strcasestr(bytes, "\r\nContent-Type: application/json\r\n") || n >= 64)
		atomic_fetch_add(&world->n_bad, 1);
	else
		world->at_ns[n] = clock_mono_ns();
	json_decref(root);
	peer_say(peer, n < world->fail_first ?
			       world->failure :
			       "HTTP/1.1 200 OK\r\nContent-Length: 45\r\nConnection: close\r\n\r\n"
			       "{\"partialSuccess\":{\"rejectedDataPoints\":\"0\"}}");
	atomic_fetch_add(&world->n, 1);
}

static struct scrape *on_scrape(void *arg, enum exposition_format format)
{
	struct world *world = arg;

	return walk_of(world->metrics, format, clock_mono_ns());
}

static void on_look(void *arg)
{
	struct world *world = arg;

	if (atomic_load(&world->n) >= world->wanted ||
	    clock_mono_ns() - world->begin_ns > 60 * NS_PER_S)
		loop_stop(world->loop);
}

static void push(struct world *world, uint64_t interval_ns)
{
	struct otlp_config config = { .interval_ns = interval_ns };
	char url[64];

	world->metrics = metrics_new(10, "n");
	call_of(world->metrics, "a", "gpt", 1, clock_mono_ns());
	world->peer = (struct peer){ .serve = serve, .arg = world };
	peer_start(&world->peer, NULL, 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/metrics", world->peer.port);
	config.endpoint = url;
	assert_int_equal(loop_new(&world->loop), 0);
	assert_int_equal(loop_add_timer(world->loop, 5 * NS_PER_MS, on_look, world, &world->look),
			 0);
	assert_int_equal(fetcher_new(&world->fetcher, world->loop), 0);
	assert_int_equal(
		otlp_new(&world->otlp, world->loop, world->fetcher, &config, on_scrape, world), 0);
	world->begin_ns = clock_mono_ns();
	assert_int_equal(loop_run(world->loop), 0);
	otlp_free(world->otlp);
	fetcher_free(world->fetcher);
	loop_free(world->loop);
	peer_stop(&world->peer);
	metrics_free(world->metrics);
	assert_int_equal(atomic_load(&world->n_bad), 0);
	assert_true(atomic_load(&world->n) >= world->wanted);
}

static void it_goes_on_interval_by_interval(void **state)
{
	struct world world = { .wanted = 4 };

	push(&world, 50 * NS_PER_MS);
	for (int i = 1; i < 4; i++)
		assert_true(world.at_ns[i] - world.at_ns[i - 1] >= 24 * NS_PER_MS);
}

static void who_does_not_take_it_is_asked_more_seldom(void **state)
{
	struct world world = { .wanted = 5,
			       .fail_first = 4,
			       .failure = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n"
					  "Connection: close\r\n\r\n" };

	push(&world, 40 * NS_PER_MS);
	/* after the fourth: 8 intervals, of which half is by chance */
	assert_true(world.at_ns[4] - world.at_ns[3] >= 160 * NS_PER_MS);
}

static void retry_after_is_heeded(void **state)
{
	struct world world = { .wanted = 2,
			       .fail_first = 1,
			       .failure = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n"
					  "Content-Length: 0\r\nConnection: close\r\n\r\n" };

	push(&world, 20 * NS_PER_MS);
	assert_true(world.at_ns[1] - world.at_ns[0] >= 950 * NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_push_is_what_a_scrape_is),
		cmocka_unit_test(what_the_conventions_name_has_their_name),
		cmocka_unit_test(names_cannot_break_out),
		cmocka_unit_test(each_reader_sees_its_own_0),
		cmocka_unit_test(it_goes_on_interval_by_interval),
		cmocka_unit_test(who_does_not_take_it_is_asked_more_seldom),
		cmocka_unit_test(retry_after_is_heeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
