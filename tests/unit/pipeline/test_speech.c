/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in which one speaks: OpenAI Realtime, Gemini Live. */
#include "websocket_stage.h"

/* OpenAI Realtime. */

static const char session_created[] =
	"{\"type\":\"session.created\",\"event_id\":\"event_1\",\"session\":{\"type\":\"realtime\","
	"\"object\":\"realtime.session\",\"id\":\"sess_1\",\"model\":\"gpt-realtime\",\"audio\":"
	"{\"input\":{\"transcription\":{\"model\":\"gpt-4o-mini-transcribe\"}}}}}";
static const char response_created[] =
	"{\"event_id\":\"event_2\",\"type\":\"response.created\",\"response\":{\"object\":"
	"\"realtime.response\",\"id\":\"resp_A\",\"status\":\"in_progress\",\"usage\":null}}";
static const char response_done[] =
	"{\"event_id\":\"event_9\",\"type\":\"response.done\",\"response\":{\"object\":"
	"\"realtime.response\",\"id\":\"resp_A\",\"status\":\"completed\",\"usage\":{\"total_tokens\":"
	"1400,\"input_tokens\":150,\"output_tokens\":1250,\"input_token_details\":{\"text_tokens\":50,"
	"\"audio_tokens\":100,\"image_tokens\":0,\"cached_tokens\":0,\"cached_tokens_details\":"
	"{\"text_tokens\":0,\"audio_tokens\":0}},\"output_token_details\":{\"text_tokens\":50,"
	"\"audio_tokens\":1200}}}}";
static const char heard[] =
	"{\"type\":\"conversation.item.input_audio_transcription.completed\",\"event_id\":\"event_4\","
	"\"item_id\":\"item_3\",\"content_index\":0,\"transcript\":\"Hello?\",\"usage\":{\"type\":"
	"\"tokens\",\"total_tokens\":22,\"input_tokens\":13,\"input_token_details\":"
	"{\"text_tokens\":0,\"audio_tokens\":13},\"output_tokens\":9}}";

static char *audio_event(const char *before, size_t pcm_bytes, const char *behind)
{
	size_t len = (pcm_bytes + 2) / 3 * 4, at = strlen(before);
	char *text = malloc(at + len + strlen(behind) + 1);

	strcpy(text, before);
	for (size_t i = 0; i < len; i++)
		text[at + i] = "AbCd/09+"[i * 7 % 8];
	strcpy(text + at + len, behind);
	return text;
}

/* 60 pieces of speech, of which the size says nothing; the turn says what it used. */
static void speech_is_charged_by_its_usage(void **state)
{
	_cleanup_free_ char *in =
		audio_event("{\"type\":\"input_audio_buffer.append\",\"audio\":\"", 48000, "\"}");
	_cleanup_free_ char *out = audio_event("{\"event_id\":\"event_3\",\"type\":"
					       "\"response.output_audio.delta\",\"response_id\":"
					       "\"resp_A\",\"item_id\":\"item_5\",\"delta\":\"",
					       48000, "\"}");
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/realtime?model=gpt-realtime", "");
	says(stage, EV_IN, session_created);
	for (size_t i = 0; i < 20; i++)
		says(stage, EV_OUT, in);
	says(stage, EV_IN, response_created);
	for (size_t i = 0; i < 60; i++)
		says(stage, EV_IN, out);
	assert_int_equal(stage->n_charges, 0);
	says(stage, EV_IN, response_done);
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->charges[0].model, "gpt-realtime");
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_int_equal(stage->charges[0].usage.input, 50);
	assert_int_equal(stage->charges[0].usage.audio_input, 100);
	assert_int_equal(stage->charges[0].usage.output, 50);
	assert_int_equal(stage->charges[0].usage.audio_output, 1200);
	assert_int_equal(stage->charges[0].cost_nanos, 81000000);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

/* Of a turn that is cut nothing is told: 4 s of speech are 80 tokens, at the price of speech. */
static void speech_that_is_cut_is_charged_as_far_as_it_came(void **state)
{
	_cleanup_free_ char *out = audio_event("{\"event_id\":\"event_3\",\"type\":"
					       "\"response.output_audio.delta\",\"response_id\":"
					       "\"resp_A\",\"delta\":\"",
					       96000, "\"}");
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/realtime?model=gpt-realtime", "");
	says(stage, EV_IN, response_created);
	says(stage, EV_IN, out);
	says(stage, EV_IN, out);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->charges[0].model, "gpt-realtime");
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_int_equal(stage->charges[0].usage.audio_output, 80);
	assert_in_range(stage->charges[0].cost_nanos, 80 * 64000, 80 * 64000 + 1000000);
	stage_free(stage);
}

/* What is said is written down by another model, at its own price. */
static void what_was_heard_is_another_models_call(void **state)
{
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/realtime?model=gpt-realtime", "");
	says(stage, EV_IN, session_created);
	says(stage, EV_IN, response_created);
	says(stage, EV_IN, heard);
	says(stage, EV_IN, response_done);
	assert_int_equal(stage->n_charges, 2);
	assert_string_equal(stage->charges[0].model, "gpt-4o-mini-transcribe");
	assert_string_equal(stage->charges[0].operation, "transcription");
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_int_equal(stage->charges[0].usage.audio_input, 13);
	assert_int_equal(stage->charges[0].usage.output, 9);
	assert_true(stage->charges[0].is_priced && stage->charges[0].cost_nanos > 0);
	assert_string_equal(stage->charges[1].model, "gpt-realtime");
	assert_int_equal(stage->charges[1].usage.audio_output, 1200);
	stage_free(stage);
}

/* Gemini Live: JSON in binary frames, as it is printed there. */

static void says_binary(struct stage *stage, enum ev_dir dir, const char *message)
{
	_cleanup_bytes_ struct bytes frames = { 0 };

	frame_add(&frames, FRAME_FIN | FRAME_BINARY, dir == EV_OUT, message, strlen(message));
	says_bytes(stage, dir, &frames, EV_PIECE_MAX);
}

static void each_turn_of_gemini_live_is_a_call(void **state)
{
	struct stage *stage = stage_new();

	opens_websocket(stage, "generativelanguage.googleapis.com",
			"/ws/google.ai.generativelanguage.v1beta.GenerativeService."
			"BidiGenerateContent?key=secret",
			"");
	says(stage, EV_OUT,
	     "{\"setup\":{\"model\":\"models/gemini-2.5-flash\",\"generationConfig\":{}}}");
	says_binary(stage, EV_IN, "{\n  \"setupComplete\": {}\n}\n");
	for (size_t turn = 0; turn < 2; turn++) {
		says(stage, EV_OUT,
		     "{\"clientContent\":{\"turns\":[{\"parts\":[{\"text\":\"Hi\"}]}],"
		     "\"turnComplete\":true}}");
		says_binary(stage, EV_IN,
			    "{\n  \"serverContent\": {\n    \"modelTurn\": {\n      \"parts\": [\n"
			    "{ \"text\": \"Hello\" }\n ]\n}\n}\n}\n");
		says_binary(stage, EV_IN,
			    "{\n \"serverContent\": {\n \"generationComplete\": true\n}\n}");
		says_binary(
			stage, EV_IN,
			"{\n \"serverContent\": {\n \"turnComplete\": true\n },\n "
			"\"usageMetadata\": {\n \"promptTokenCount\": 143,\n \"responseTokenCount\": "
			"19,\n \"totalTokenCount\": 162,\n \"promptTokensDetails\": [ { \"modality\": "
			"\"TEXT\", \"tokenCount\": 143 } ]\n}\n}");
		assert_int_equal(stage->n_charges, turn + 1);
	}
	/* a tool is called: the model begins anew when it has the tool's answer */
	says_binary(stage, EV_IN, "{\"toolCall\":{\"functionCalls\":[{\"name\":\"f\"}]}}");
	says_binary(stage, EV_IN,
		    "{\"usageMetadata\":{\"promptTokenCount\":200,\"responseTokenCount\":9,"
		    "\"totalTokenCount\":209}}");
	assert_int_equal(stage->n_charges, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(stage->charges[i].model, "gemini-2.5-flash");
		assert_string_equal(stage->charges[i].provider, "gcp.gemini");
		assert_int_equal(stage->charges[i].source, CHARGE_USAGE);
		assert_int_equal(stage->charges[i].usage.input, i < 2 ? 143 : 200);
		assert_int_equal(stage->charges[i].usage.output, i < 2 ? 19 : 9);
	}
	closes(stage);
	assert_int_equal(stage->n_charges, 3);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speech_is_charged_by_its_usage),
		cmocka_unit_test(speech_that_is_cut_is_charged_as_far_as_it_came),
		cmocka_unit_test(what_was_heard_is_another_models_call),
		cmocka_unit_test(each_turn_of_gemini_live_is_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
