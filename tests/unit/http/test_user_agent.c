/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "http/head.h"
#include "http/user_agent.h"

static void expect(const char *value, const char *product, const char *name)
{
	char client[HTTP_CLIENT_LEN], bare[HTTP_CLIENT_LEN];
	/* a copy of exact size, without a NUL: nothing behind it may be looked at */
	size_t len = strlen(value);
	_cleanup_free_ char *copy = malloc(len ? len : 1);

	memcpy(copy, value, len);
	user_agent_product(copy, len, client, sizeof(client));
	assert_string_equal(client, product);
	user_agent_name(client, bare, sizeof(bare));
	assert_string_equal(bare, name);
}

static void products_of_the_programs_that_people_run(void **state)
{
	expect("claude-cli/2.1.332 (external, cli)", "claude-cli/2.1.332", "claude-cli");
	expect("codex_cli_rs/0.171.0 (Debian 12.0.0; x86_64) xterm-256color",
	       "codex_cli_rs/0.171.0", "codex_cli_rs");
	expect("GitHubCopilotChat/0.26.7", "GitHubCopilotChat/0.26.7", "GitHubCopilotChat");
	expect("OpenAI/Python 1.109.1", "OpenAI/Python/1.109.1", "OpenAI/Python");
	expect("Anthropic/JS 1.12.0", "Anthropic/JS/1.12.0", "Anthropic/JS");
	expect("GeminiCLI/0.61.0/gemini-2.5-pro (linux; x64)", "GeminiCLI/0.61.0", "GeminiCLI");
	expect("ai-sdk/anthropic/2.0.1 runtime/bun/1.4.5", "ai-sdk/anthropic/2.0.1",
	       "ai-sdk/anthropic");
	expect("google-genai-sdk/1.20.0 gl-node/v24.1.0", "google-genai-sdk/1.20.0",
	       "google-genai-sdk");
	expect("grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)", "grpc-python/1.51.1",
	       "grpc-python");
	expect("curl/7.88.1", "curl/7.88.1", "curl");
	expect("node", "node", "node");
	expect("Deno/v2.9.6", "Deno/v2.9.6", "Deno");
}

static void a_browser_is_asked_what_it_is(void **state)
{
	expect("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
	       "Cursor/0.45.14 Chrome/128.0 Electron/32.2 Safari/537.36",
	       "Cursor/0.45.14", "Cursor");
	expect("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	       "Firefox/140.0", "Firefox");
	expect("Mozilla/5.0 (X11)", "", "");
}

/* It is the word of whoever calls: what is kept of it is one short word of few characters. */
static void what_is_no_product_is_left_out(void **state)
{
	char lengthy[300];

	expect("", "", "");
	expect("   ", "", "");
	expect("(((unclosed claude-cli/1", "", "");
	expect("(a \\) b/1 (c/2) d/3) e/4", "e/4", "e");
	expect(")))", "", "");
	expect("x\x1b[31m/1.0 y/2", "x", "x");
	expect("my\xc3\xa4gent/1", "my", "my");
	expect("tell me, please: what is 6 times 7", "tell", "tell");
	expect("a\"b", "a", "a");
	expect("tool///", "tool", "tool");
	expect("/", "", "");
	expect("tool 1/2", "tool", "tool");
	expect("tool v", "tool", "tool");
	expect("tool/1.0 2.0", "tool/1.0", "tool");
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	lengthy[HTTP_CLIENT_LEN - 1] = '\0';
	expect(lengthy, lengthy, lengthy);
	lengthy[HTTP_CLIENT_LEN - 1] = 'x';
	{
		char client[HTTP_CLIENT_LEN];

		user_agent_product(lengthy, strlen(lengthy), client, sizeof(client));
		assert_int_equal(strlen(client), HTTP_CLIENT_LEN - 1);
	}
	lengthy[HTTP_CLIENT_LEN - 2] = ' ';
	memcpy(lengthy + HTTP_CLIENT_LEN - 1, "1.0", 4);
	{
		char client[HTTP_CLIENT_LEN];

		user_agent_product(lengthy, strlen(lengthy), client, sizeof(client));
		assert_int_equal(strlen(client), HTTP_CLIENT_LEN - 2 + 1);
		assert_int_equal(client[HTTP_CLIENT_LEN - 2], '/');
	}
}

static void a_head_has_it(void **state)
{
	struct http_head head = { 0 };
	static const char value[] = " claude-cli/2.1.332 (external, cli) ";

	assert_int_equal(head_field("User-Agent", 10), HEAD_CLIENT);
	head_set(&head, HEAD_CLIENT, value, strlen(value));
	assert_string_equal(head.client, "claude-cli/2.1.332");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_of_the_programs_that_people_run),
		cmocka_unit_test(a_browser_is_asked_what_it_is),
		cmocka_unit_test(what_is_no_product_is_left_out),
		cmocka_unit_test(a_head_has_it),
	};

	return cmocka_run_group_tests_name("user_agent", tests, NULL, NULL);
}
