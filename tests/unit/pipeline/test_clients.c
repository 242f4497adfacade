/* SPDX-License-Identifier: Apache-2.0 */
/* Which program calls, by its own word: on the charge, in budgets, and how many names a tenant may have. */
#include "stage.h"

#include "meter/call.h"
#include "pipeline/clients.h"

#define DAY_NS CLIENTS_FRESH_NS

static const char *admit(struct clients *clients, uint64_t tenant, unsigned n, uint64_t now_ns)
{
	static char name[32];

	snprintf(name, sizeof(name), "tool-%u/1.0", n);
	return clients_admit(clients, tenant, name, now_ns);
}

static void a_tenant_has_so_many_names_and_then_others(void **state)
{
	struct clients *clients = clients_new();

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < CLIENTS_OF_TENANT; i++)
			assert_string_not_equal(admit(clients, 7, i, 1), CLIENTS_OTHER);
	for (unsigned i = 0; i < 10000; i++)
		assert_string_equal(admit(clients, 7, CLIENTS_OF_TENANT + i, 2), CLIENTS_OTHER);
	/* It takes no place of its own first names', and none of another tenant's. */
	assert_string_equal(admit(clients, 7, 3, 3), "tool-3/1.0");
	assert_string_equal(admit(clients, 8, 99, 3), "tool-99/1.0");
	assert_string_equal(admit(clients, 0, 99, 3), "tool-99/1.0");
	assert_string_equal(clients_admit(clients, 7, "", 3), "");
	clients_free(clients);
}

/* Programs are updated: what was not heard of for a day makes room for the next version. */
static void a_name_that_is_no_longer_used_makes_room(void **state)
{
	struct clients *clients = clients_new();

	for (unsigned i = 0; i < CLIENTS_OF_TENANT; i++)
		admit(clients, 7, i, 1);
	assert_string_equal(admit(clients, 7, 5, DAY_NS / 2), "tool-5/1.0");
	assert_string_equal(admit(clients, 7, 50, DAY_NS), CLIENTS_OTHER);
	for (unsigned i = 0; i < CLIENTS_OF_TENANT - 1; i++)
		assert_string_not_equal(admit(clients, 7, 100 + i, DAY_NS + 2), CLIENTS_OTHER);
	assert_string_equal(admit(clients, 7, 50, DAY_NS + 3), CLIENTS_OTHER);
	assert_string_equal(admit(clients, 7, 5, DAY_NS + 3), "tool-5/1.0");
	clients_free(clients);
}

static void very_many_tenants_forget_the_oldest(void **state)
{
	struct clients *clients = clients_new();

	for (unsigned tenant = 1; tenant <= 3 * CLIENTS_TENANTS; tenant++)
		for (unsigned i = 0; i < 3; i++)
			assert_string_not_equal(admit(clients, tenant, i, tenant), CLIENTS_OTHER);
	clients_free(clients);
}

static void call(struct stage *stage, const char *agent)
{
	static const char body[] = "{\"model\":\"gpt-4o-mini\",\"messages\":[]}";
	static const char answer[] =
		"{\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,"
		"\"completion_tokens\":2,\"total_tokens\":12}}";
	char text[512];

	snprintf(text, sizeof(text),
		 "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nUser-Agent: %s\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 agent, strlen(body), body);
	sends(stage, EV_OUT, text, 0);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(answer), answer);
	sends(stage, EV_IN, text, 0);
}

static void a_charge_says_which_program_called(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	call(stage, "claude-cli/2.1.332 (external, cli)");
	call(stage, "OpenAI/Python 1.109.1");
	/* a key is no product, wherever somebody puts it */
	call(stage, "sk-proj-0123456789abcdef");
	assert_int_equal(stage->n_charges, 3);
	assert_string_equal(stage->charges[0].client, "claude-cli/2.1.332");
	assert_string_equal(stage->charges[1].client, "OpenAI/Python/1.109.1");
	assert_string_equal(stage->charges[2].client, "*");
	for (unsigned i = 0; i < CLIENTS_OF_TENANT; i++) {
		char agent[32];

		snprintf(agent, sizeof(agent), "made-up/%u", i);
		call(stage, agent);
	}
	assert_string_equal(stage->charges[stage->n_charges - 1].client, CLIENTS_OTHER);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tenant_has_so_many_names_and_then_others),
		cmocka_unit_test(a_name_that_is_no_longer_used_makes_room),
		cmocka_unit_test(very_many_tenants_forget_the_oldest),
		cmocka_unit_test(a_charge_says_which_program_called),
	};

	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
