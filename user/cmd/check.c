/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host can do, what is seen on it and what is not, and why: for the person who installs
 * aigress, and for the one who wonders about a figure. Changes nothing.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/check_config.h"
#include "cmd/check_files.h"
#include "cmd/check_plain.h"
#include "cmd/check_processes.h"
#include "cmd/check_url.h"
#include "cmd/cmd.h"
#include "cmd/coverage.h"
#include "cmd/metering.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "daemon/shortage.h"
#include "find/files.h"
#include "find/find.h"
#include "find/inspector.h"
#include "ledger/ledger.h"
#include "tap/tap.h"
#include "who/who.h"

#define DAY_US (86400 * US_PER_S)

struct options {
	/* config, url: that file, or what is served there, is checked instead */
	const char *state, *config, *url;
	enum table_format format;
};

/* One thing that the host has or lacks. */
struct feature {
	const char *name;
	bool is_there, is_needed;
	const char *without; /* what it means that it is missing, and what to do; or UNTRIED */
};
#define FEATURES 9
static const char UNTRIED[] = "only root can try it";

static void host_features(struct feature ret[FEATURES], const char *cgroup_root)
{
	struct tap_features has;

	tap_probe_features(&has);
	memcpy(ret,
	       (const struct feature[FEATURES]){
		       { "root, or the capabilities of SECURITY.md", geteuid() == 0, true,
			 "run as root" },
		       { "kernel type information (BTF)", has.has_btf, true,
			 "a kernel with CONFIG_DEBUG_INFO_BTF is needed: Debian 11, Ubuntu 20.10, RHEL 8.2 "
			 "and newer have it" },
		       { "BPF ring buffer", has.has_ring, true, "Linux 5.8 or newer is needed" },
		       { "cgroup v2 mount", cgroup_root[0] != '\0', true,
			 "mount -t cgroup2 none /sys/fs/cgroup/unified" },
		       { "flows below TLS (cgroup_skb)", has.has_cgroup_skb, true,
			 "CONFIG_CGROUP_BPF is needed" },
		       { "gate on connect", has.has_connect_gate, false,
			 "refuse drops ClientHellos only" },
		       { "reset of live connections (SOCK_DESTROY)", has.has_sock_destroy, false,
			 "the module tcp_diag or CONFIG_INET_DIAG_DESTROY is missing: refuse holds live "
			 "connections instead" },
		       { "uprobe_multi with a process filter", has.has_uprobe_multi, false,
			 "perf uprobes are used: they work, take 0.1 s each to remove, and want "
			 "CAP_SYS_ADMIN" },
		       { "mappings by their real inode (task_vma)", has.has_task_vma, false,
			 "Linux 5.12 has it: one library may be probed twice, which the programs notice" },
	       },
	       sizeof(struct feature) * FEATURES);
	/* What may not be tried looks like what is not there. */
	for (size_t i = 1; i < FEATURES && geteuid(); i++)
		if (!ret[i].is_there)
			ret[i].without = UNTRIED;
}

/* A fact of the ledger as JSON; NULL: none. */
static json_t *fact(struct ledger *ledger, const char *key)
{
	_cleanup_free_ char *text = ledger ? ledger_get(ledger, key) : NULL;

	return text ? json_loads(text, 0, NULL) : NULL;
}

static enum find_returns returns_of(struct ledger *ledger)
{
	json_t *daemon = fact(ledger, "daemon");
	const char *returns = json_string_value(json_object_get(daemon, "returns"));
	enum find_returns ret = returns && !strcmp(returns, "instructions") ?
					FIND_RETURN_INSTRUCTIONS :
					FIND_RETURN_PROBES;

	json_decref(daemon);
	return ret;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool can_run(const struct feature features[FEATURES])
{
	for (size_t i = 0; i < FEATURES; i++)
		if (features[i].is_needed && !features[i].is_there)
			return false;
	return true;
}

static void print_features(const struct feature features[FEATURES])
{
	printf("This host\n");
	for (size_t i = 0; i < FEATURES; i++) {
		const struct feature *feature = &features[i];

		printf("  %-7s  %s%s%s\n",
		       feature->is_there           ? "ok" :
		       feature->without == UNTRIED ? "untried" :
		       feature->is_needed          ? "MISSING" :
						     "without",
		       feature->name, feature->is_there ? "" : ": ",
		       feature->is_there ? "" : feature->without);
	}
}

static void print_shortage(void *arg, uint64_t n, const char *what)
{
	bool *has_any = arg;

	if (!*has_any)
		printf("\nTables that tenants share\n");
	*has_any = true;
	printf("  %llu %s\n", (unsigned long long)n, what);
}

/* Only of what happened since the daemon began. */
static void print_shortages(struct ledger *ledger)
{
	json_t *health = fact(ledger, "health");
	bool has_any = false;

	shortage_each(health, print_shortage, &has_any);
	json_decref(health);
}

/* On a node of Kubernetes: where names come from, and whose annotations count. */
static void print_kube(json_t *sources, json_t *annotations)
{
	size_t i;
	json_t *row;

	if (json_array_size(sources))
		printf("\nNames of pods\n");
	json_array_foreach(sources, i, row) {
		bool works = json_is_true(json_object_get(row, "works"));

		printf("  %-7s  %s%s%s\n", works ? "ok" : "without", string(row, "source"),
		       works ? "" : ": ", works ? "" : string(row, "why"));
	}
	if (json_array_size(annotations))
		printf("\nBudgets by annotation\n");
	json_array_foreach(annotations, i, row) {
		_cleanup_free_ char *text = NULL;
		json_t *shown = text_json(string(row, "budget"));

		text = json_dumps(shown, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		json_decref(shown);
		printf("  %s: %s: %s\n", string(row, "subject"), text ? text : "",
		       string(row, "state"));
	}
}

static void print_ledger(struct ledger *ledger, const char *dir, const char *why,
			 const struct metering *metering)
{
	printf("\nLedger\n");
	if (!ledger && why)
		printf("  %s\n", why);
	else if (!ledger)
		printf("  none in %s yet: `aigress run` makes it\n", dir);
	else if (metering->life != GAPS_NOBODY)
		printf("  %s/" LEDGER_FILE ", kept by pid %lld\n", dir, metering->pid);
	else
		printf("  %s/" LEDGER_FILE "; no daemon is running: nothing is metered\n", dir);
	metering_print_faults(metering, stdout);
}

static int print_json(const struct feature features[FEATURES], const struct check_scan *scan,
		      struct ledger *ledger, const char *cgroup_root,
		      const struct metering *metering)
{
	char since[SHOW_LEN];
	json_t *list = json_array(), *config = fact(ledger, "config"), *root;
	struct check_plain plain[CHECK_PLAIN_MAX];

	for (size_t i = 0; i < FEATURES; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s}", "name",
						      features[i].name, "ok", features[i].is_there,
						      "needed", features[i].is_needed, "without",
						      features[i].without));
	root = json_pack("{s:b, s:s, s:b, s:o, s:o, s:o*, s:o*, s:o*, s:o*, s:o*}", "supported",
			 can_run(features), "cgroup_root", cgroup_root, "running",
			 metering->life == GAPS_MEASURING, "features", list, "processes",
			 check_processes_json(scan), "coverage", fact(ledger, "coverage"),
			 "estimates", fact(ledger, "estimates"), "health", fact(ledger, "health"),
			 "names", fact(ledger, "names"), "annotations", fact(ledger, "annotations"));
	json_object_set_new(root, "plain_candidates",
			    check_plain_json(plain, check_plain_scan("/proc", config, plain)));
	json_object_set_new(root, "config", config);
	json_object_set_new(root, "prices", fact(ledger, "prices"));
	if (!root)
		return -ENOMEM;
	if (metering->since_us)
		json_object_set_new(root, "not_metered_since",
				    json_string(text_time(metering->since_us, since)));
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(root);
	return 0;
}

static void print_text(const struct feature features[FEATURES], struct check_scan *scan,
		       struct ledger *ledger, const char *dir, const char *why,
		       const struct metering *metering)
{
	json_t *coverage = fact(ledger, "coverage"), *estimates = fact(ledger, "estimates");
	json_t *sources = fact(ledger, "names"), *annotations = fact(ledger, "annotations");
	json_t *config = fact(ledger, "config"), *prices = fact(ledger, "prices");
	struct check_plain plain[CHECK_PLAIN_MAX];
	int64_t now_us = clock_wall_us();

	if (ledger)
		metering_print(metering, stdout);
	check_files_config(config, stdout);
	print_features(features);
	print_ledger(ledger, dir, why, metering);
	if (ledger)
		(void)metering_print_gaps(ledger, metering, now_us - DAY_US, now_us, METERING_GAPS,
					  stdout);
	check_files_prices(prices, now_us, stdout);
	check_processes_print(scan);
	if (ledger)
		coverage_print(coverage, estimates, check_processes_name, (void *)scan);
	print_shortages(ledger);
	print_kube(sources, annotations);
	check_plain_print(plain, check_plain_scan("/proc", config, plain), stdout);
	json_decref(sources);
	json_decref(annotations);
	json_decref(config);
	json_decref(prices);
	json_decref(coverage);
	json_decref(estimates);
}

static const struct argp_option rows[] = {
	{ "format", 'f', "FORMAT", 0, "table or json (default table)", 0 },
	{ "json", 'j', NULL, 0, "The same as --format json", 0 },
	{ "config", 'c', "FILE", 0,
	  "Check a configuration instead: all errors, or what it would change", 0 },
	{ "url", 'u', "URL", 0,
	  "Check what a daemon serves instead, as http://127.0.0.1:24473/readyz", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'f':
		options->format = options_format(state, arg, false);
		return 0;
	case 'j':
		options->format = TABLE_JSON;
		return 0;
	case 'c':
		options->config = arg;
		return 0;
	case 'u':
		options->url = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.doc = "What this host supports, what is seen and what is not, "
		       "and why."
	};
	struct options options = { 0 };
	char cgroup_root[WHO_PATH_LEN] = "";
	struct feature features[FEATURES];
	struct ledger *ledger = NULL;
	struct metering metering;
	static struct noes noes;
	struct check_scan scan = { 0 };
	_cleanup_free_ char *sentence = NULL;
	int err;

	options_read(&argp, argc, argv, &options, &options.state);
	if (options.config)
		return check_config(options.config, options.state);
	if (options.url)
		return check_url(options.url);
	(void)who_cgroup_mount(cgroup_root, sizeof(cgroup_root));
	host_features(features, cgroup_root);
	/* No ledger is a finding here, not an error. */
	if (ledger_open(&ledger, options.state, false, &sentence) == -ENOENT)
		free(take(sentence));
	metering_read(ledger, options.state, gaps_now(), &metering);
	scan.how.returns = returns_of(ledger);
	scan.daemon = metering.life == GAPS_NOBODY ? 0 : (unsigned)metering.pid;
	scan.how.noes = &noes;
	err = inspector_new(&scan.how.inspector);
	if (!err)
		err = check_processes(&scan);
	if (!err && options.format == TABLE_JSON)
		err = print_json(features, &scan, ledger, cgroup_root, &metering);
	else if (!err)
		print_text(features, &scan, ledger, options.state, sentence, &metering);
	check_processes_done(&scan);
	ledger_free(ledger);
	if (err) {
		fprintf(stderr, "aigress check: %s\n", strerror(-err));
		return CMD_FAILED;
	}
	return can_run(features) ? CMD_OK : CMD_UNSUPPORTED;
}
