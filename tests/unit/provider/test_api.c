/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "provider/provider.h"

static void hosts_find_their_provider(void **state)
{
	static const struct {
		const char *host, *name;
	} rows[] = {
		{ "api.anthropic.com", "anthropic" },
		{ "eu.api.openai.com", "openai" },
		{ "jp.api.openai.com", "openai" },
		{ "us-central1-aiplatform.mtls.googleapis.com", "gcp.vertex_ai" },
		{ "my-res.openai.azure.com", "azure.ai.openai" },
		{ "x.services.ai.azure.com", "azure.ai.openai" },
		{ "generativelanguage.googleapis.com", "gcp.gemini" },
		{ "europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai" },
		{ "aiplatform.googleapis.com", "gcp.vertex_ai" },
		{ "bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock" },
		{ "api.x.ai", "x_ai" },
		{ "openrouter.ai", "openrouter" },
		{ "api.cohere.ai", "cohere" },
		{ "opencode.ai", "opencode" },
		{ "api.kilo.ai", "kilo" },
		{ "api.cline.bot", "cline" },
		{ "api.factory.ai", "factory" },
		{ "ampcode.com", "amp" },
		{ "api2.cursor.sh", "cursor" },
		{ "server.codeium.com", "windsurf" },
		{ "cloudcode-pa.googleapis.com", "gcp.gemini" },
		{ "api.githubcopilot.com", "github_copilot" },
		{ "dashscope-intl.aliyuncs.com", "dashscope" },
		{ "example.com", NULL },
		{ "evil-api.openai.com.example.com", NULL },
		{ ".openai.azure.com", NULL },
		{ "xapi.openai.com", NULL },
		{ "bedrock-runtime..amazonaws.com.evil", NULL },
		{ "", NULL },
		{ "bedrock-runtime.amazonaws.com", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct api_provider *provider = api_find(rows[i].host);

		if (rows[i].name)
			assert_string_equal(api_name(provider), rows[i].name);
		else
			assert_null(provider);
	}
	assert_null(api_find(NULL));
}

static void every_pattern_has_a_form_that_the_kernel_takes(void **state)
{
	const char *pattern, *star;
	size_t i = 0;

	for (; (pattern = api_pattern(i)); i++) {
		star = strchr(pattern, '*');
		assert_true(!star || !strchr(star + 1, '*'));
		assert_true(strlen(pattern) < 64);
		for (const char *at = pattern; *at; at++)
			assert_true(*at < 'A' || *at > 'Z');
	}
	assert_in_range(i, 40, 200);
}

static void operators_hosts_come_first(void **state)
{
	size_t i = 0;

	assert_int_equal(api_add_host("llm.corp.example", "nobody"), -ENOENT);
	assert_int_equal(api_add_host("*", "openai"), -EINVAL);
	assert_int_equal(api_add_host("*.com", "openai"), -EINVAL);
	assert_int_equal(api_add_host("a*b*c.example", "openai"), -EINVAL);
	assert_int_equal(api_add_host("UPPER.example", "openai"), -EINVAL);
	assert_int_equal(api_add_host("", "openai"), -EINVAL);
	assert_int_equal(api_add_host("host.example:0", "openai"), -EINVAL);
	assert_int_equal(api_add_host("host.example:65536", "openai"), -EINVAL);
	assert_int_equal(api_add_host("host.example:80x", "openai"), -EINVAL);
	assert_int_equal(api_add_host("host.example:", "openai"), -EINVAL);
	assert_int_equal(api_add_host(":4000", "openai"), -EINVAL);
	assert_int_equal(api_add_host("[fd00::1]", "openai"), -EINVAL);
	assert_int_equal(api_add_host("[fd00::x]:4000", "openai"), -EINVAL);
	assert_int_equal(api_add_host("llm.corp.example", "openai"), 0);
	assert_int_equal(api_add_host("*.gw.corp.example", "xai"), 0);
	assert_string_equal(api_name(api_find("llm.corp.example")), "openai");
	assert_string_equal(api_name(api_find("a.gw.corp.example")), "x_ai");
	assert_int_equal(api_add_host("llm.corp.example", "anthropic"), 0);
	assert_string_equal(api_name(api_find("llm.corp.example")), "anthropic");
	assert_int_equal(api_add_host("api.openai.com", "azure"), 0);
	assert_string_equal(api_name(api_find("api.openai.com")), "azure.ai.openai");
	assert_string_equal(api_pattern(0), "llm.corp.example");
	/* plain HTTP is known by its port, and the host by its name alone */
	assert_int_equal(api_port(0), 0);
	assert_int_equal(api_add_host("litellm.svc:4000", "litellm"), 0);
	assert_int_equal(api_add_host("litellm.svc:4001", "litellm"), 0);
	assert_int_equal(api_add_host("[fd00::1]:11434", "ollama"), 0);
	assert_int_equal(api_add_host("10.0.0.5:4000", "litellm"), 0);
	assert_int_equal(api_port(0), 4000);
	assert_int_equal(api_port(2), 11434);
	assert_int_equal(api_port(4), 0);
	assert_non_null(api_find("litellm.svc"));
	assert_non_null(api_find("[fd00::1]"));
	assert_non_null(api_find("10.0.0.5"));
	assert_null(api_find("litellm.svc:4000"));
	assert_string_equal(api_pattern(3), "litellm.svc");
	assert_int_equal(api_pattern_port(0), 0);
	assert_int_equal(api_pattern_port(4), 4001);
	while (api_pattern(i))
		i++;
	for (int n = 0; n < 300; n++) {
		char host[64];

		snprintf(host, sizeof(host), "h%d.corp.example", n);
		assert_int_equal(api_add_host(host, "openai"), n < 249 ? 0 : -ENOMEM);
	}
	assert_string_equal(api_pattern(i + 248), "ai-gateway.helicone.ai");
	assert_null(api_pattern(i + 249));
}

static void paths_tell_what_is_billed(void **state)
{
	static const struct {
		const char *provider, *path, *operation;
		enum dialect dialect;
	} rows[] = {
		{ "anthropic", "/v1/messages", "chat", DIALECT_ANTHROPIC },
		{ "deepseek", "/anthropic/v1/messages", "chat", DIALECT_ANTHROPIC },
		{ "openai", "/base/of/a/gateway/chat/completions", "chat", DIALECT_OPENAI },
		{ "openai", "/v1/responses/compact", "chat", DIALECT_OPENAI },
		{ "mistral_ai", "/v1/fim/completions", "text_completion", DIALECT_OPENAI },
		{ "gcp.gemini", "/v1beta/models/g:streamGenerateContent", "generate_content",
		  DIALECT_GEMINI },
		{ "gcp.gemini", "/v1beta/openai/chat/completions", "chat", DIALECT_OPENAI },
		{ "gcp.vertex_ai", "/v1/x/publishers/anthropic/models/c:streamRawPredict", "chat",
		  DIALECT_ANY },
		{ "aws.bedrock", "/model/m/converse", "chat", DIALECT_BEDROCK },
		{ "cohere", "/v2/embed", "embeddings", DIALECT_COHERE },
		{ "openai", "/v1/audio/speech", "speech", DIALECT_OPENAI },
		{ "openai", "/v1/chat/completions/", "chat", DIALECT_OPENAI },
		{ "openai", "/v1/videos/video_1/remix", "video", DIALECT_OPENAI },
		{ "openai", "/v1/videos//remix", NULL, 0 },
		{ "openai", "/v1/responses/resp_1", NULL, 0 },
		{ "mistral_ai", "/v1/ocr", "ocr", DIALECT_OPENAI },
		{ "mistral_ai", "/v1/conversations", "chat", DIALECT_OPENAI },
		{ "minimax", "/v1/text/chatcompletion_v2", "chat", DIALECT_OPENAI },
		{ "openai", "/api/generate", "text_completion", DIALECT_OLLAMA },
		{ "elevenlabs", "/v1/text-to-speech/voice/stream", "speech", DIALECT_OPENAI },
		{ "databricks", "/serving-endpoints/e/invocations", "chat", DIALECT_ANY },
		{ "fal_ai", "/fal-ai/flux/dev", "image", DIALECT_OPENAI },
		{ "fal_ai", "/fal-ai/flux/requests/r", NULL, 0 },
		{ "opencode", "/zen/v1/messages", "chat", DIALECT_ANTHROPIC },
		{ "opencode", "/zen/v1/responses", "chat", DIALECT_OPENAI },
		{ "kilo", "/api/openrouter/chat/completions", "chat", DIALECT_OPENAI },
		{ "cline", "/api/v1/chat/completions", "chat", DIALECT_OPENAI },
		{ "factory", "/api/llm/o/v1/responses", "chat", DIALECT_OPENAI },
		{ "github_copilot", "/v1/messages", "chat", DIALECT_ANTHROPIC },
		{ "code_assist", "/v1internal:streamGenerateContent", "generate_content",
		  DIALECT_GEMINI },
		/* What agents send beside their calls, as seen from Claude Code, Copilot, droid and kilo. */
		{ "anthropic", "/api/event_logging/v2/batch", NULL, 0 },
		{ "anthropic", "/api/eval/sdk-abc", NULL, 0 },
		{ "anthropic", "/mcp-registry/v0/servers", NULL, 0 },
		{ "github_copilot", "/mcp/readonly", NULL, 0 },
		{ "factory", "/api/sessions/create", NULL, 0 },
		{ "kilo", "/api/openrouter/models", NULL, 0 },
		{ "code_assist", "/v1internal:loadCodeAssist", NULL, 0 },
		{ "chatgpt", "/backend-api/plugins/featured", NULL, 0 },
		{ "openai", "/v1/files", NULL, 0 },
		{ "openai", "/v1/threads/t/messages", NULL, 0 },
		{ "openai", "/v1/responses/r/cancel", NULL, 0 },
		{ "openai", "/xchat/completion", NULL, 0 },
		{ "anthropic", "/v1/messages/count_tokens", NULL, 0 },
		{ "aws.bedrock", "/model/m/count-tokens", NULL, 0 },
		{ "openai", "", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct endpoint *endpoint = endpoint_find(provider_by_name(rows[i].provider),
								"POST", rows[i].path);

		if (!rows[i].operation) {
			assert_null(endpoint);
			continue;
		}
		assert_string_equal(endpoint->operation, rows[i].operation);
		assert_int_equal(endpoint->dialect, rows[i].dialect);
	}
}

static void a_path_may_name_who_is_behind_a_gateway(void **state)
{
	const struct api_provider *cloudflare = provider_by_name("cloudflare");

	assert_ptr_equal(provider_behind(cloudflare, "/v1/a/g/grok/v1/chat/completions"),
			 provider_by_name("xai"));
	assert_ptr_equal(provider_behind(cloudflare, "/v1/a/g/aws-bedrock"),
			 provider_by_name("bedrock"));
	assert_null(provider_behind(cloudflare, "/v1/a/g/compat/chat/completions"));
	assert_null(provider_behind(cloudflare, "/v1/a/g"));
	assert_null(provider_behind(cloudflare, ""));
	assert_null(provider_behind(provider_by_name("openai"), "/v1/a/g/grok"));
	assert_null(endpoint_find(cloudflare, "POST", "/v1/a/g/x/v1/any/thing"));
	assert_non_null(endpoint_find(cloudflare, "POST", "/v1/a/g"));
}

static void a_path_may_name_the_model(void **state)
{
	static const struct {
		const char *path, *model;
	} rows[] = {
		{ "/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro" },
		{ "/v1/projects/p/publishers/anthropic/models/claude-opus-4@20250514:rawPredict",
		  "claude-opus-4@20250514" },
		{ "/model/us.anthropic.claude-v1%3A0/converse", "us.anthropic.claude-v1:0" },
		{ "/openai/deployments/mine/chat/completions", "mine" },
		{ "/v1/models/meta/llama-3-70b/predictions", "meta/llama-3-70b" },
		{ "/endpoints/mine/invocations", "mine" },
		{ "/client/v4/accounts/a/ai/run/@cf/meta/llama-3", "@cf/meta/llama-3" },
		{ "/v1/inference/meta-llama/Llama-3.3", "meta-llama/Llama-3.3" },
		{ "/OpenAI/Deployments/Mine/chat/completions", "Mine" },
		{ "/v1/messages", "" },
		{ "/model/a%2", "a%2" },
		{ "/model/%00b/x", "%00b" },
	};
	char model[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		path_model(rows[i].path, model, sizeof(model));
		assert_string_equal(model, rows[i].model);
	}
	path_model("/model/abcdefgh/x", model, 4);
	assert_string_equal(model, "abc");
}

static void a_head_makes_no_call_anybody_elses(void **state)
{
	static const struct {
		const char *named, *claimed, *host;
	} rows[] = {
		{ "api.openai.com", "", "api.openai.com" },
		{ "api.openai.com", NULL, "api.openai.com" },
		{ "", "api.openai.com", "api.openai.com" },
		{ NULL, "api.openai.com", "api.openai.com" },
		{ "api.openai.com", "example.internal", "api.openai.com" },
		{ "example.internal", "api.openai.com", "api.openai.com" },
		{ "api.openai.com", "us.api.openai.com", "us.api.openai.com" },
		{ "api.openai.com", "api.anthropic.com", "api.openai.com" },
		{ "a.example", "b.example", "b.example" },
		{ "a.example", "", "a.example" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(api_host(rows[i].named, rows[i].claimed), rows[i].host);
}

static void a_path_that_is_encoded_is_the_same(void **state)
{
	const struct api_provider *openai = api_find("api.openai.com");
	const struct endpoint *chat = endpoint_find(openai, "POST", "/v1/chat/completions");

	assert_non_null(chat);
	assert_ptr_equal(endpoint_find(openai, "POST", "/v1/chat%2Fcompletions"), chat);
	assert_ptr_equal(endpoint_find(openai, "POST", "/v1/chat/completions/"), chat);
	assert_null(endpoint_find(openai, "POST", "/v1/chat%completions"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_makes_no_call_anybody_elses),
		cmocka_unit_test(a_path_that_is_encoded_is_the_same),
		cmocka_unit_test(hosts_find_their_provider),
		cmocka_unit_test(every_pattern_has_a_form_that_the_kernel_takes),
		cmocka_unit_test(paths_tell_what_is_billed),
		cmocka_unit_test(a_path_may_name_who_is_behind_a_gateway),
		cmocka_unit_test(a_path_may_name_the_model),
		cmocka_unit_test(operators_hosts_come_first),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
