/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "usage/charge.h"
#include "meter/redact.h"

static const struct {
	const char *path, *shown;
} paths[] = {
	{ "/v1/messages", "/v1/messages" },
	{ "/", "/" },
	{ "", "" },
	{ "//v1//", "//v1//" },
	{ "/v1beta/models/gemini-2.5-flash-lite-preview-09-2025:streamGenerateContent",
	  "/v1beta/models/gemini-2.5-flash-lite-preview-09-2025:streamGenerateContent" },
	{ "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke-with-response-stream",
	  "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke-with-response-stream" },
	{ "/models/meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo",
	  "/models/meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo" },
	{ "/openai/deployments/gpt-4o-mini-2024-07-18/chat/completions",
	  "/openai/deployments/gpt-4o-mini-2024-07-18/chat/completions" },
	/* keys */
	{ "/sk-ant-api03-abc/v1/messages", "/*/v1/messages" },
	{ "/AIzaSyD/v1", "/*/v1" },
	{ "/bot/eyJhbGciOi.eyJ.sig", "/bot/*" },
	{ "/x/Zm9vYmFyMQ/y", "/x/*/y" },
	/* ids */
	{ "/v1/responses/resp_68a1b2c3d4e5f60718293a4b/cancel", "/v1/responses/*/cancel" },
	{ "/v1/acct/123456789012/ai", "/v1/acct/*/ai" },
	{ "/u/0d9f5f7e-3b1a-4c2d-9e8f-a1b2c3d4e5f6/x", "/u/*/x" },
	{ "/u/abcdefab-aaaa-bbbb-cccc-abcdefabcdef", "/u/*" },
	/* what moves a cursor or turns the reading direction */
	{ "/v1/\x1b[2J\xe2\x80\xae/x", "/v1/?"
				       "?2J??"
				       "?/x" },
};

static void keys_and_ids_leave_a_path(void **state)
{
	char shown[CHARGE_PATH_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		redact_path(paths[i].path, shown, sizeof(shown));
		assert_string_equal(shown, paths[i].shown);
	}
	for (size_t size = 1; size < 40; size++) {
		redact_path("/v1/sk-a/resp_68a1b2c3d4e5f60718293a4b/cancel/all/of/it", shown, size);
		assert_true(strlen(shown) < size);
		assert_null(strstr(shown, "68"));
	}
}

static void a_prompt_is_no_model(void **state)
{
	char model[CHARGE_MODEL_LEN];

	strcpy(model, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.x@v1");
	redact_model(model);
	assert_string_equal(model,
			    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.x@v1");
	strcpy(model, "Ignore all of it");
	redact_model(model);
	assert_string_equal(model, "Ignore?");
	strcpy(model, "gpt\n5");
	redact_model(model);
	assert_string_equal(model, "gpt?");
	strcpy(model, "sk-ant-x");
	redact_model(model);
	assert_string_equal(model, "*");
	memset(model, 'a', sizeof(model) - 1);
	model[sizeof(model) - 1] = '\0';
	redact_model(model);
	assert_int_equal(strlen(model), REDACT_MODEL_MAX);
	strcpy(model, "");
	redact_model(model);
	assert_string_equal(model, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_ids_leave_a_path),
		cmocka_unit_test(a_prompt_is_no_model),
	};

	return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
