/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#define ASK_MS   5000
#define ASK_MAX  (64u << 20) /* /metrics of a large node */
#define LINE_LEN 256

struct asking {
	struct loop *loop;
	const char *url;
	uint64_t begin_ns;
	int code;
};

/* The first line alone: of a page, or of /metrics, the rest is of no use here. */
static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct asking *asking = arg;
	const char *text = (answer->err ? answer->error : answer->body) ?: "";
	char line[LINE_LEN], shown[SHOW_TEXT_LEN(LINE_LEN)], took[SHOW_LEN];

	loop_stop(asking->loop);
	show_duration((clock_mono_ns() - asking->begin_ns) / 1000, took);
	if (!answer->err && answer->status / 100 == 2) {
		printf("%s: %d after %s\n", asking->url, answer->status, took);
		asking->code = CMD_OK;
		return;
	}
	snprintf(line, sizeof(line), "%s", text);
	line[strcspn(line, "\r\n")] = '\0';
	show_text(line, shown, sizeof(shown));
	fprintf(stderr, "aigress check: %s: ", asking->url);
	if (answer->err)
		fprintf(stderr, "%s\n", shown);
	else
		fprintf(stderr, "%d%s%s\n", answer->status, *shown ? ": " : "", shown);
}

int check_url(const char *url)
{
	struct asking asking = { .url = url, .begin_ns = clock_mono_ns(), .code = CMD_FAILED };
	const struct fetch_request request = {
		.url = url, .max_bytes = ASK_MAX, .timeout_ms = ASK_MS, .done = on_done, .arg = &asking
	};
	struct fetcher *fetcher = NULL;
	int err = loop_new(&asking.loop);

	if (!err)
		err = fetcher_new(&fetcher, asking.loop);
	if (!err)
		err = fetch_start(fetcher, &request, NULL);
	if (!err)
		err = loop_run(asking.loop);
	fetcher_free(fetcher);
	loop_free(asking.loop);
	if (err == -EINVAL)
		fprintf(stderr,
			"aigress check: --url: give a URL, as http://127.0.0.1:24473/readyz\n");
	else if (err)
		fprintf(stderr, "aigress check: %s: %s\n", url, strerror(-err));
	return err == -EINVAL ? CMD_USAGE : err ? CMD_FAILED : asking.code;
}
