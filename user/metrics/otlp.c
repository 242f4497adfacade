/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/otlp.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

#define ANSWER_MAX        65536
#define RETRY_AFTER_MAX_S 3600

struct otlp {
	struct fetcher *fetcher;
	const struct otlp_config *config;
	struct scrape *(*scrape)(void *arg, enum exposition_format format);
	void *arg;
	struct loop_source *timer;
	struct scrape *walk; /* of the push under way; NULL: none is */
	struct fetch *fetch; /* its present request */
	uint64_t begun_ns;
	unsigned failures; /* in a row */
	bool is_partial;   /* the last push had points that were rejected; logged once */
};

void otlp_config_done(struct otlp_config *config)
{
	free(config->endpoint);
	free(config->bearer_file);
	free(config->header_file);
	free(config->ca_file);
	free(config->proxy);
	*config = (struct otlp_config){ 0 };
}

static bool is_same(const char *a, const char *b)
{
	return !a == !b && (!a || !strcmp(a, b));
}

bool otlp_config_is_same(const struct otlp_config *a, const struct otlp_config *b)
{
	return is_same(a->endpoint, b->endpoint) && is_same(a->bearer_file, b->bearer_file) &&
	       is_same(a->header_file, b->header_file) && is_same(a->ca_file, b->ca_file) &&
	       is_same(a->proxy, b->proxy) && a->interval_ns == b->interval_ns;
}

static uint64_t interval_of(const struct otlp *otlp)
{
	return otlp->config->interval_ns ?: OTLP_INTERVAL_NS;
}

/* From half of it to all of it. */
static uint64_t about(uint64_t ns)
{
	uint64_t draw = 0;

	(void)!getrandom(&draw, sizeof(draw), GRND_NONBLOCK);
	return ns / 2 + draw % (ns / 2 + 1);
}

static void end_push(struct otlp *otlp, uint64_t next_ns)
{
	otlp->walk = scrape_free(otlp->walk);
	(void)loop_arm(otlp->timer, next_ns);
}

/* What was not taken is in the next push, too: the sums only grow. */
static void failed(struct otlp *otlp, uint32_t retry_after_s, const char *why)
{
	uint64_t after_ns = interval_of(otlp) << (otlp->failures < 6 ? otlp->failures : 6);

	if (!otlp->failures++)
		log_warn("metrics cannot be pushed: %s, proceeding and trying again", why);
	if (after_ns > OTLP_BACKOFF_MAX_NS)
		after_ns = OTLP_BACKOFF_MAX_NS;
	if (after_ns < interval_of(otlp))
		after_ns = interval_of(otlp);
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	after_ns = about(after_ns);
	end_push(otlp, after_ns > retry_after_s * NS_PER_S ? after_ns : retry_after_s * NS_PER_S);
}

static void succeeded(struct otlp *otlp)
{
	uint64_t taken_ns = clock_mono_ns() - otlp->begun_ns, interval_ns = interval_of(otlp);

	if (otlp->failures)
		log_info("metrics are pushed again");
	otlp->failures = 0;
	end_push(otlp, taken_ns < interval_ns / 2 ? interval_ns - taken_ns : interval_ns / 2);
}

/* A 200 may say that some points were not taken. What it says of them is not logged: it is another's text. */
static void look_at_answer(struct otlp *otlp, const struct fetch_answer *answer)
{
	json_t *root = json_loadb(answer->body, answer->len, 0, NULL);
	json_t *n = json_object_get(json_object_get(root, "partialSuccess"), "rejectedDataPoints");
	long long rejected = json_is_string(n) ? atoll(json_string_value(n)) : json_integer_value(n);

	json_decref(root);
	if (rejected > 0 && !otlp->is_partial)
		log_warn("metrics are pushed, but %lld points of a request were rejected", rejected);
	otlp->is_partial = rejected > 0;
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct otlp *otlp = arg;
	char why[64];

	otlp->fetch = NULL;
	if (answer->err) {
		failed(otlp, 0, answer->error);
	} else if (answer->status < 200 || answer->status >= 300) {
		snprintf(why, sizeof(why), "the answer has status %d", answer->status);
		failed(otlp, answer->retry_after_s, why);
	} else {
		look_at_answer(otlp, answer);
		/* Others first: a document may take a millisecond to write. */
		(void)loop_arm(otlp->timer, NS_PER_MS);
	}
}

static int post(struct otlp *otlp, const char *document, size_t len)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	const struct otlp_config *config = otlp->config;
	const struct fetch_request request = {
		.url = config->endpoint,
		.headers = headers,
		.body = document,
		.body_len = len,
		.bearer_file = config->bearer_file,
		.header_file = config->header_file,
		.tls.ca_file = config->ca_file,
		.proxy = config->proxy,
		.timeout_ms = OTLP_TIMEOUT_MS,
		.max_bytes = ANSWER_MAX,
		.done = on_done,
		.arg = otlp,
	};

	return fetch_start(otlp->fetcher, &request, &otlp->fetch);
}

/* The next document of the push, or its end. */
static void go_on(struct otlp *otlp)
{
	const char *document;
	size_t len;
	int err = scrape_document(otlp->walk, OTLP_DOCUMENT_BYTES, &document, &len);

	if (!err && !len) {
		succeeded(otlp);
		return;
	}
	/* Rows that the walk may still come to are kept: not for a receiver that dawdles. */
	if (!err && clock_mono_ns() - otlp->begun_ns > interval_of(otlp))
		err = -ETIMEDOUT;
	if (!err)
		err = post(otlp, document, len);
	if (err)
		failed(otlp, 0, err == -EINVAL ? "its URL or a header is not one" : strerror(-err));
}

static void on_timer(void *arg)
{
	struct otlp *otlp = arg;

	if (!otlp->walk) {
		otlp->begun_ns = clock_mono_ns();
		otlp->walk = otlp->scrape(otlp->arg, EXPOSITION_OTLP);
		if (!otlp->walk) {
			failed(otlp, 0, strerror(ENOMEM));
			return;
		}
	}
	go_on(otlp);
}

int otlp_new(struct otlp **ret, struct loop *loop, struct fetcher *fetcher,
	     const struct otlp_config *config,
	     struct scrape *(*scrape)(void *arg, enum exposition_format format), void *arg)
{
	struct otlp *otlp = calloc(1, sizeof(*otlp));
	int err;

	if (!otlp)
		return -ENOMEM;
	*otlp = (struct otlp){ .fetcher = fetcher, .config = config, .scrape = scrape, .arg = arg };
	err = loop_add_timer(loop, interval_of(otlp), on_timer, otlp, &otlp->timer);
	if (!err)
		err = loop_arm(otlp->timer, about(interval_of(otlp)));
	if (err) {
		otlp_free(otlp);
		return err;
	}
	*ret = otlp;
	return 0;
}

struct otlp *otlp_free(struct otlp *otlp)
{
	if (!otlp)
		return NULL;
	fetch_cancel(otlp->fetch);
	scrape_free(otlp->walk);
	loop_remove(otlp->timer);
	free(otlp);
	return NULL;
}
