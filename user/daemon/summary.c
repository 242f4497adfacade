/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/summary.h"

#include <sys/utsname.h>

#include "base/cleanup.h"
#include "daemon/daemon.h"
#include "provider/api.h"
#include "price/price.h"
#include "tap/tap.h"

#define NAMES_SHOWN 8 /* of budgets */

static void write_mode(const struct daemon *daemon, FILE *out)
{
	const struct config *config = &daemon->config;

	fprintf(out, "aigress %s on %s: %s; %s\n",
		daemon->options.version ? daemon->options.version : "", daemon->node,
		!config->rules.n_budgets ? "watching, nothing is limited" :
		config->rules.enforce    ? "ENFORCING" :
					   "rehearsing, no action is carried out (enforce: false)",
		daemon->options.config ? daemon->options.config : "no configuration");
}

static void write_budgets(const struct policy_rules *rules, FILE *out)
{
	fprintf(out, "budgets: %zu", rules->n_budgets);
	for (size_t i = 0; i < rules->n_budgets && i < NAMES_SHOWN; i++)
		fprintf(out, "%s%s", i ? ", " : ": ", rules->budgets[i].name);
	if (rules->n_budgets > NAMES_SHOWN)
		fprintf(out, " and %zu more", rules->n_budgets - NAMES_SHOWN);
	fputc('\n', out);
}

static void write_hosts(const struct config *config, FILE *out)
{
	size_t n = 0;

	while (api_pattern(n))
		n++;
	fprintf(out, "AI hosts: %zu patterns, %zu of them of the configuration\n", n,
		config->n_hosts);
}

static void write_prices(const struct prices *prices, FILE *out)
{
	const char *origin;

	fprintf(out, "prices: %zu models", prices_count(prices));
	for (size_t i = 0; (origin = prices_origin(prices, i)); i++)
		fprintf(out, "%s%s", i ? ", " : "; ", origin);
	fputc('\n', out);
}

static void write_kernel(FILE *out)
{
	struct tap_features has;
	struct utsname name = { .release = "?" };

	tap_probe_features(&has);
	(void)uname(&name);
	fprintf(out, "Linux %s: %s uprobe_multi, %s task_vma, %s gate on connect, %s resets\n",
		name.release, has.has_uprobe_multi ? "with" : "without",
		has.has_task_vma ? "with" : "without", has.has_connect_gate ? "with" : "without",
		has.has_sock_destroy ? "with" : "without");
}

void summary_write(const struct daemon *daemon, FILE *out)
{
	write_mode(daemon, out);
	write_budgets(&daemon->config.rules, out);
	write_hosts(&daemon->config, out);
	write_prices(daemon->prices, out);
	write_kernel(out);
}
