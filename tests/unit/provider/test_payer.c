/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "provider/payer.h"

/* The table of docs/PROVIDERS.md is these rows, word for word. */
static void the_documented_table_is_the_one_in_use(void **state)
{
	char *text = calloc(1, 1 << 20), line[512];
	FILE *file = fopen("docs/PROVIDERS.md", "r");
	const struct payer_rule *rule;
	size_t rows = 0, documented = 0;

	assert_non_null(file);
	(void)!fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	for (; (rule = payer_each(rows)); rows++) {
		snprintf(line, sizeof(line), "| %s | %s | %s | %s |\n",
			 rule->provider ? rule->provider : "any other",
			 payer_moment_name(rule->moment), rule->is_billed ? "billed" : "free",
			 rule->basis);
		if (!strstr(text, line))
			fail_msg("docs/PROVIDERS.md lacks: %s", line);
	}
	for (const char *at = text; (at = strstr(at, "| billed |")); at++)
		documented++;
	for (const char *at = text; (at = strstr(at, "| free |")); at++)
		documented++;
	assert_int_equal(documented, rows);
	free(text);
}

static void each_moment_has_a_rule(void **state)
{
	for (int moment = 0; moment < MOMENTS; moment++) {
		assert_int_equal(payer_rule("nobody", moment)->moment, moment);
		assert_null(payer_rule("nobody", moment)->provider);
	}
	assert_true(payer_rule("azure.ai.openai", MOMENT_FILTERED)->is_billed);
	assert_false(payer_rule("openai", MOMENT_FILTERED)->is_billed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_table_is_the_one_in_use),
		cmocka_unit_test(each_moment_has_a_rule),
	};

	return cmocka_run_group_tests_name("payer", tests, NULL, NULL);
}
