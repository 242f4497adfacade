/* SPDX-License-Identifier: Apache-2.0 */
/* Bills for images, and for what is neither chat nor text. Prices as in test_money.c. */
#include "money.h"

/* gpt-image-1: text 5 USD a million, images in 10, images out 40; read 1.25. */
static void images_cost_their_own_tokens(void **state)
{
	static const char request[] = "{\"model\":\"gpt-image-1\",\"prompt\":\"a cat\"}";

	assert_costs(ASK(OPENAI, "/v1/images/generations", request,
			 "{\"created\":1,\"data\":[{\"b64_json\":\"aGVsbG8=\"}],\"usage\":{"
			 "\"total_tokens\":4210,\"input_tokens\":50,\"output_tokens\":4160,"
			 "\"input_tokens_details\":{\"text_tokens\":50,\"image_tokens\":0}}}",
			 JSON),
		     CHARGE_USAGE, 50 * 5000 + 4160 * 40000);
	/* An edit shows an image as well. */
	assert_costs(ASK(OPENAI, "/v1/images/edits", request,
			 "{\"data\":[{\"b64_json\":\"aGVsbG8=\"}],\"usage\":{\"input_tokens\":373,"
			 "\"output_tokens\":272,\"input_tokens_details\":{\"text_tokens\":50,"
			 "\"image_tokens\":323}}}",
			 JSON),
		     CHARGE_USAGE, 50 * 5000 + 323 * 10000 + 272 * 40000);
	/* gpt-image-1.5 also writes: text out 10, images out 32. */
	assert_costs(ASK(OPENAI, "/v1/images/generations", "{\"model\":\"gpt-image-1.5\"}",
			 "{\"usage\":{\"input_tokens\":50,\"output_tokens\":1100,"
			 "\"output_tokens_details\":{\"text_tokens\":44,\"image_tokens\":1056}}}",
			 JSON),
		     CHARGE_USAGE, 50 * 5000 + 44 * 10000 + 1056 * 32000);
	/* gemini-2.5-flash-image: 1,290 tokens an image at 30. */
	assert_costs(ASK(GEMINI, "/v1beta/models/gemini-2.5-flash-image:generateContent", "{}",
			 "{\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":1300,"
			 "\"totalTokenCount\":1310,\"candidatesTokensDetails\":[{\"tokenCount\":1290,"
			 "\"modality\":\"IMAGE\"}]},\"modelVersion\":\"gemini-2.5-flash-image\"}",
			 JSON),
		     CHARGE_USAGE, 10 * 300 + 10 * 2500 + 1290 * 30000);
}

/* DALL-E tells no usage: by the piece, by size and quality. */
static void images_without_tokens_cost_by_the_piece(void **state)
{
	static const char two[] = "{\"data\":[{\"url\":\"https://x/1\"},{\"url\":\"https://x/2\"}]}";

	assert_costs(ASK(OPENAI, "/v1/images/generations", "{\"model\":\"dall-e-3\",\"n\":2}", two,
			 JSON),
		     CHARGE_USAGE, 2 * 40000000);
	assert_true(ASK(OPENAI, "/v1/images/generations",
			"{\"model\":\"dall-e-3\",\"size\":\"1792x1024\",\"quality\":\"hd\",\"n\":2}",
			two, JSON)
			    .cost_nanos > 2 * 119000000);
}

static char *with_image(const char *before, size_t image, const char *after)
{
	size_t len = strlen(before);
	char *text = malloc(len + image + strlen(after) + 1);

	memcpy(text, before, len);
	memset(text + len, 'A', image);
	strcpy(text + len + image, after);
	return text;
}

/* One event of 2 MB: the usage behind the image is read, in any cuts, and nothing is held. */
static void usage_in_an_event_of_any_size_is_read(void **state)
{
	_cleanup_free_ char *image = with_image(
		"event: image_generation.completed\n"
		"data: {\"type\":\"image_generation.completed\",\"b64_json\":\"",
		2 << 20,
		"\",\"usage\":{\"input_tokens\":50,\"output_tokens\":4160,"
		"\"input_tokens_details\":{\"text_tokens\":50,\"image_tokens\":0}}}\n\n");
	_cleanup_free_ char *response = with_image(
		"data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-4o\",\"output\":["
		"{\"type\":\"image_generation_call\",\"result\":\"",
		3 << 20,
		"\"}],\"usage\":{\"input_tokens\":1000,\"output_tokens\":100,\"total_tokens\":1100}}}"
		"\n\n");
	_cleanup_free_ char *gemini = with_image(
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"data\":\"",
		2 << 20,
		"\"}}]}}],\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":1290,"
		"\"candidatesTokensDetails\":[{\"modality\":\"IMAGE\",\"tokenCount\":1290}]},"
		"\"modelVersion\":\"gemini-2.5-flash-image\"}\n\n");
	struct ask asks[] = {
		{ OPENAI, "/v1/images/generations", "{\"model\":\"gpt-image-1\",\"stream\":true}",
		  image, SSE, .end = 0 },
		{ OPENAI, RESPONSES, "{\"model\":\"gpt-4o\",\"stream\":true}", response, SSE,
		  .end = 0 },
		{ GEMINI, "/v1beta/models/gemini-2.5-flash-image:streamGenerateContent", "{}",
		  gemini, SSE, .end = 0 },
	};
	const int64_t sums[] = { 50 * 5000 + 4160 * 40000, 1000 * 2500 + 100 * 10000,
				 10 * 300 + 1290 * 30000 };

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++)
		for (size_t step = 1000; step < 8 << 20; step = step * 77 + 1)
			assert_costs(ask_in(&asks[i], step), CHARGE_USAGE, sums[i]);
}

static void what_is_no_chat_has_its_own_units(void **state)
{
	/* rerank-v3.5: 0.002 USD a search unit. */
	assert_costs(ASK("api.cohere.com", "/v2/rerank", "{\"model\":\"rerank-v3.5\"}",
			 "{\"results\":[],\"meta\":{\"billed_units\":{\"search_units\":1}}}", JSON),
		     CHARGE_USAGE, 2000000);
	/* voyage-3.5: 0.06 a million. */
	assert_costs(ASK("api.voyageai.com", "/v1/embeddings", "{\"model\":\"voyage-3.5\"}",
			 "{\"data\":[{\"embedding\":[0.1]}],\"model\":\"voyage-3.5\",\"usage\":{"
			 "\"total_tokens\":1000}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 60);
	/* whisper-1: 0.0001 a second. */
	assert_costs(
		ASK(OPENAI, "/v1/audio/transcriptions",
		    "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x--\r\n",
		    "{\"text\":\"hi\",\"usage\":{\"type\":\"duration\",\"seconds\":60}}", JSON, 0,
		    NULL, HTTP_CONTENT_MULTIPART),
		CHARGE_USAGE, 60 * 100000);
	/* gpt-4o-transcribe, named in the form alone, behind the file: audio 2.5, out 10. */
	assert_costs(
		ASK(OPENAI, "/v1/audio/transcriptions",
		    "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n"
		    "Content-Type: audio/mpeg\r\n\r\nname=\"model\"\r\n\r\nwhisper-1\r\n-\r\n--y\r\n"
		    "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
		    "gpt-4o-transcribe\r\n--x--\r\n",
		    "{\"text\":\"hi\",\"usage\":{\"type\":\"tokens\",\"total_tokens\":1445,"
		    "\"input_tokens\":1400,\"input_token_details\":{\"text_tokens\":0,"
		    "\"audio_tokens\":1400},\"output_tokens\":45}}",
		    JSON, 0, NULL, HTTP_CONTENT_MULTIPART),
		CHARGE_USAGE, 1400 * 2500 + 45 * 10000); /* 0.00395 */
	/* tts-1: 15 USD a million characters, of any script. */
	assert_costs(
		ASK(OPENAI, "/v1/audio/speech",
		    "{\"model\":\"tts-1\",\"voice\":\"alloy\",\"input\":\"Gr\\u00fc\xc3\x9f dich\"}",
		    "\xff\xf3\x44", HTTP_CONTENT_OTHER),
		CHARGE_USAGE, 9 * 15000);
	/* sora-2: 0.1 a second. */
	assert_costs(
		ASK(OPENAI, "/v1/videos", "{\"model\":\"sora-2\",\"seconds\":\"8\"}",
		    "{\"id\":\"video_1\",\"object\":\"video\",\"model\":\"sora-2\",\"status\":\"queued\"}",
		    JSON),
		CHARGE_USAGE, 8 * 100000000LL);
	/* imagen-4.0-generate-001: 0.04 an image; text-embedding-005: 0.1 a million; veo-3.1: 0.4 a second. */
	assert_costs(
		ASK(GEMINI, "/v1beta/models/imagen-4.0-generate-001:predict",
		    "{\"instances\":[{\"prompt\":\"a cat\"}],\"parameters\":{\"sampleCount\":2}}",
		    "{\"predictions\":[{\"mimeType\":\"image/png\",\"bytesBase64Encoded\":\"aGk=\"},"
		    "{\"bytesBase64Encoded\":\"aGk=\"}]}",
		    JSON),
		CHARGE_USAGE, 2 * 40000000);
	assert_costs(
		ASK("us-central1-aiplatform.googleapis.com",
		    "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
		    "{\"instances\":[{\"content\":\"a\"},{\"content\":\"b\"}]}",
		    "{\"predictions\":[{\"embeddings\":{\"statistics\":{\"token_count\":600,"
		    "\"truncated\":false},\"values\":[0.1]}},{\"embeddings\":{\"statistics\":{"
		    "\"token_count\":400},\"values\":[0.2]}}]}",
		    JSON),
		CHARGE_USAGE, 1000 * 100);
	assert_costs(
		ASK(GEMINI, "/v1beta/models/veo-3.1-generate-preview:predictLongRunning",
		    "{\"instances\":[{\"prompt\":\"a cat\"}],\"parameters\":{\"durationSeconds\":6}}",
		    "{\"name\":\"models/veo-3.1-generate-preview/operations/x\"}", JSON),
		CHARGE_USAGE, 6 * 400000000LL);
	/* mistral-ocr-latest: 0.004 a page. */
	assert_costs(ASK("api.mistral.ai", "/v1/ocr", "{\"model\":\"mistral-ocr-latest\"}",
			 "{\"pages\":[{},{},{}],\"model\":\"mistral-ocr-latest\",\"usage_info\":{"
			 "\"pages_processed\":3,\"doc_size_bytes\":100}}",
			 JSON),
		     CHARGE_USAGE, 3 * 4000000);
}

/* Pictures in a request whose stream tells no usage, by the documented formula. */
static void pictures_are_estimated_by_their_formula(void **state)
{
	/* The head of a PNG of 2,048 x 1,024 in base64: 3 x 2 tiles once its shorter side is 768. */
	static const char *const urls[] = {
		"https://example.com/cat.jpg",
		"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAACAAAAAQACAIAAABq",
	};
	static const uint64_t tokens[] = { 85 + 170 * 4, 85 + 170 * 6 };
	char request[512];

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		for (int is_low = 0; is_low < 2; is_low++) {
			struct charge charge;
			uint64_t want = is_low ? 85 : tokens[i];

			snprintf(request, sizeof(request),
				 "{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[{\"role\":"
				 "\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
				 "\"url\":\"%s\",\"detail\":\"%s\"}}]}]}",
				 urls[i], is_low ? "low" : "high");
			charge = ASK(
				OPENAI, CHAT, request,
				"data: {\"model\":\"gpt-4o\",\"choices\":[{\"delta\":{\"content\":"
				"\"A cat\"}}]}\n\ndata: [DONE]\n\n",
				SSE);
			assert_int_equal(charge.source, CHARGE_TEXT);
			assert_in_range(charge.usage.input, want, want + 30);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_cost_their_own_tokens),
		cmocka_unit_test(images_without_tokens_cost_by_the_piece),
		cmocka_unit_test(usage_in_an_event_of_any_size_is_read),
		cmocka_unit_test(what_is_no_chat_has_its_own_units),
		cmocka_unit_test(pictures_are_estimated_by_their_formula),
	};

	return cmocka_run_group_tests_name("media", tests, setup, teardown);
}
