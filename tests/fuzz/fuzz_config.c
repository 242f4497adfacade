/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	char *error = NULL;

	if (config_parse(&config, "f", (const char *)data, size, &error) < 0) {
		/* An error is one printable line that begins with the file. */
		assert(error && !strncmp(error, "f:", 2));
		for (const char *c = error; *c; c++)
			assert((unsigned char)*c >= 0x20 && *c != 0x7f);
		free(error);
		return 0;
	}
	for (size_t i = 0; i < config.rules.n_budgets; i++) {
		const struct policy_budget *budget = &config.rules.budgets[i];

		assert(budget->name && budget->n_steps);
		assert((budget->limit_nanos > 0) != (budget->limit_tokens > 0));
		for (size_t j = 1; j < budget->n_steps; j++)
			assert(budget->steps[j - 1].at_permille <= budget->steps[j].at_permille);
	}
	config_done(&config);
	return 0;
}
