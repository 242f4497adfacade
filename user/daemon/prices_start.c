/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/prices_start.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "price/price.h"

static int load(struct daemon *daemon, const char *file, char **ret_error)
{
	int err = prices_new(&daemon->prices);

	if (!err)
		err = prices_load_builtin(daemon->prices, ret_error);
	if (!err && file)
		err = prices_load(daemon->prices, file, "override", ret_error);
	return err;
}

int prices_start(struct daemon *daemon, char **ret_error)
{
	_cleanup_free_ char *sentence = NULL;
	const char *file = daemon->config.prices, *warning;
	int err = load(daemon, file, file ? &sentence : ret_error);

	if (err && file) {
		snprintf(daemon->prices_error, sizeof(daemon->prices_error),
			 "%s:%u: prices: %s%s%s", daemon->options.config,
			 daemon->config.prices_line, sentence ? sentence : file,
			 sentence ? "" : ": ", sentence ? "" : strerror(-err));
		log_error("%s; the built-in prices count until the file is right and aigress is "
			  "restarted",
			  daemon->prices_error);
		daemon->prices = prices_free(daemon->prices);
		err = load(daemon, NULL, ret_error);
	}
	for (size_t i = 0; !err && (warning = prices_warning(daemon->prices, i)); i++)
		log_debug("prices: %s", warning);
	return err;
}
