# SPDX-License-Identifier: Apache-2.0
"""Shapes of few: gateways, streams of other names, tools of old, tasks, and what LiteLLM's file has wrong."""
from bodies import (BEDROCK, CHAT, GEMINI, OPENAI, OPENROUTER, RESPONSES, VERTEX, Answer, Exchange, Case, aws, js, native, one,
                    sse, text, typed)
from cases_openai import FORM, form, made, session, spoke

IN_OUT = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
GROQ = ("api.groq.com", "/openai/v1/chat/completions")
ROUTER = (OPENROUTER, "/api/v1/chat/completions")
QWEN = ("dashscope-intl.aliyuncs.com", "/api/v1/services/aigc/text-generation/generation")
WATSONX = "us-south.ml.cloud.ibm.com"


def chat(name, where, model, cost, usage=None, source="usage", **more):
    return one(name, *where, {"model": model}, js({
        "object": "chat.completion", "model": model, "choices": [{"message": {"content": "x"}}],
        "usage": {**IN_OUT, **(usage or {})}, **more}), cost, source=source)


def gemini(name, model, cost, usage, candidate=None):
    return one(name, GEMINI, f"/v1beta/models/{model}:generateContent", {}, js({
        "candidates": [candidate or {}], "modelVersion": model, "usageMetadata": usage}), cost)


def spoken(count):
    return {"promptTokenCount": 10, "candidatesTokenCount": count,
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": count}]}


def watsonx(out, into, why):
    return {"results": [{"generated_text": "x", "generated_token_count": out, "input_token_count": into, "stop_reason": why}]}


SEARCHED = [{"type": "web_search_call", "status": "completed", "action": {"type": "search"}}]
USED = {"input_tokens": 1000, "output_tokens": 100}

CASES = [
    # console.groq.com/docs/flex-processing: the price of on-demand.
    chat("groq: flex costs as ever", GROQ, "openai/gpt-oss-120b", "1000*0.15 + 100*0.6", service_tier="flex"),
    chat("openrouter: a cost in quotes", ROUTER, "openai/gpt-4o", "3500", {"cost": "0.0035"}, "provider"),
    chat("openrouter: its upstream's cost is inside where it is no key of one's own", ROUTER, "openai/gpt-4o", "3500",
         {"cost": 0.0035, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0031}}, "provider"),
    chat("openrouter: an upstream's cost of null", ROUTER, "openai/gpt-4o", "175 + 1000*2.5 + 100*10",
         {"cost": 0.000175, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}),
    chat("vercel: its own figure", ("ai-gateway.vercel.sh", CHAT), "openai/gpt-4o", "3500", {"cost": 0.0035}, "provider"),
    # cloudflare/@cf/meta/llama-3.2-3b-instruct: 0.0509, 0.335.
    one("cloudflare: Workers AI's own shape", "gateway.ai.cloudflare.com",
        "/v1/a/g/workers-ai/@cf/meta/llama-3.2-3b-instruct", {"prompt": "x"},
        js({"result": {"response": "x", "usage": IN_OUT}, "success": True, "errors": []}), "1000*0.0509 + 100*0.335"),
    one("perplexity: Responses", "api.perplexity.ai", "/v1/responses", {"model": "openai/gpt-5-mini"}, js({
        "object": "response", "model": "openai/gpt-5-mini", "status": "completed", "output": [{"type": "search_results"}],
        "usage": {**USED, "cost": {"currency": "USD", "input_cost": 0.00025, "output_cost": 0.0002, "total_cost": 0.00545}}}),
        "5450", source="provider"),
    # perplexity/search: 0.005 a query.
    one("perplexity: a search alone", "api.perplexity.ai", "/search", {"query": "x"}, js({"results": [], "id": "s"}), "5000"),
    one("qwen: its own shape", *QWEN, {"model": "qwen-plus", "input": {}},
        js({"output": {"text": "x"}, "usage": {**USED, "total_tokens": 1100}, "request_id": "r"}), "1000*0.4 + 100*1.2"),
    one("qwen: its own stream, cumulative", *QWEN, {"model": "qwen-plus", "input": {}}, Answer("".join(
        f"id:{n}\nevent:result\n:HTTP_STATUS/200\ndata:"
        f"{text({'output': {'text': 'x'}, 'usage': {'input_tokens': 1000, 'output_tokens': n, 'total_tokens': 1000 + n}})}\n\n"
        for n in (1, 50, 100)).encode(), "text/event-stream", chunked=True), "1000*0.4 + 100*1.2"),
    # dashscope/qwen-turbo: 0.05, 0.2, reasoning 0.5.
    chat("qwen: reasoning has a price of its own", ("dashscope-intl.aliyuncs.com", "/compatible-mode/v1/chat/completions"),
         "qwen-turbo", "1000*0.05 + 40*0.2 + 60*0.5", {"completion_tokens_details": {"reasoning_tokens": 60}}),
    one("watsonx: a text", WATSONX, "/ml/v1/text/generation?version=2023-05-29", {"model_id": "ibm/granite-3-8b-instruct"},
        js({"model_id": "ibm/granite-3-8b-instruct", **watsonx(100, 1000, "eos_token")}), "1000*0.2 + 100*0.2"),
    one("watsonx: a text as a stream", WATSONX, "/ml/v1/text/generation_stream?version=2023-05-29",
        {"model_id": "ibm/granite-3-8b-instruct"},
        sse(("message", watsonx(0, 1000, "not_finished")), ("message", watsonx(40, 0, "not_finished")),
            ("message", watsonx(100, 0, "eos_token"))), "1000*0.2 + 100*0.2"),
    # OpenAI, "Built-in tools": web_search_preview 0.025 at models that do not reason, else 0.01.
    one("openai: the search tool of old at gpt-4o", OPENAI, RESPONSES, {"model": "gpt-4o"}, js({
        "model": "gpt-4o-2024-08-06", "status": "completed", "tools": [{"type": "web_search_preview"}], "output": SEARCHED,
        "usage": USED}), "1000*2.5 + 100*10 + 25000"),
    one("openai: the search tool of old at gpt-5-mini", OPENAI, RESPONSES, {"model": "gpt-5-mini"}, js({
        "model": "gpt-5-mini", "status": "completed", "tools": [{"type": "web_search_preview_2025_03_11"}], "output": SEARCHED,
        "usage": USED}), "1000*0.25 + 100*2 + 10000"),
    one("openai: the search tool at gpt-4o", OPENAI, RESPONSES, {"model": "gpt-4o"}, js({
        "model": "gpt-4o-2024-08-06", "status": "completed", "tools": [{"type": "web_search"}], "output": SEARCHED,
        "usage": USED}), "1000*2.5 + 100*10 + 10000"),
    one("openai: research searches five times and opens four pages", OPENAI, RESPONSES, {"model": "o3-deep-research"}, js({
        "model": "o3-deep-research-2025-06-26", "status": "completed", "usage": USED,
        "output": SEARCHED * 5 + [{"type": "web_search_call", "action": {"type": "open_page"}}] * 4}),
        "1000*10 + 100*40 + 50000"),
    one("openai: an image all of whose output is the image", OPENAI, "/v1/images/edits", {"model": "gpt-image-1.5"}, js({
        "data": [{"b64_json": "AA"}], "size": "1024x1024", "quality": "high", "usage": {
            "input_tokens": 1000, "output_tokens": 1000, "input_tokens_details": {"text_tokens": 200, "image_tokens": 800},
            "output_tokens_details": {"image_tokens": 1000, "text_tokens": 0}}}), "200*5 + 800*8 + 1000*32"),
    one("openai: an edit as a stream", OPENAI, "/v1/images/edits", form(("model", "gpt-image-2"), ("stream", "true")), typed(
        {"type": "image_edit.partial_image", "b64_json": "A" * 30000},
        {"type": "image_edit.completed", "b64_json": "A" * 60000, "usage": {
            "input_tokens": 1000, "output_tokens": 1100, "input_tokens_details": {"text_tokens": 200, "image_tokens": 800}}}),
        "200*5 + 800*8 + 1100*30", sent=FORM),
    session("realtime: what is transcribed is all there is", "/v1/realtime?intent=transcription",
            {"type": "session.created", "session": {"type": "transcription", "audio": {"input": {"transcription": {
                "model": "gpt-4o-transcribe"}}}}},
            {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "hi", "usage": {
                "type": "tokens", "total_tokens": 120, "input_tokens": 100, "output_tokens": 20,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 100}}}, cost="100*2.5 + 20*10"),
    session("realtime: cached text and audio", "/v1/realtime?model=gpt-realtime-mini-2025-10-06",
            made("gpt-realtime-mini-2025-10-06"), spoke(100, 400, 10, 200, {"text_tokens": 50, "audio_tokens": 300}),
            cost="50*0.6 + 100*10 + 50*0.06 + 300*0.3 + 10*2.4 + 200*20"),
    session("gemini: live", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=x",
            {"setupComplete": {}}, {"serverContent": {"modelTurn": {"parts": [{"text": "x"}]}}},
            {"serverContent": {"turnComplete": True}, "usageMetadata": {
                "promptTokenCount": 1000, "responseTokenCount": 100, "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 900}, {"modality": "TEXT", "tokenCount": 100}],
                "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}]}},
            asks={"setup": {"model": "models/gemini-3.1-flash-live-preview"}}, cost="100*0.75 + 900*3 + 100*12", host=GEMINI),
    # ai.google.dev, 2026-11: speech 0.5 and 10, of Pro 1 and 20.
    gemini("gemini: Flash speaks", "gemini-2.5-flash-preview-tts", "10*0.5 + 500*10", spoken(500)),
    gemini("gemini: Pro speaks", "gemini-2.5-pro-preview-tts", "10*1 + 500*20", spoken(500)),
    gemini("gemini: an empty query is no search", "gemini-2.5-flash", "1000*0.3 + 100*2.5",
           {"promptTokenCount": 1000, "candidatesTokenCount": 100}, {"groundingMetadata": {"webSearchQueries": [""]}}),
    gemini("gemini: three queries of one prompt", "gemini-2.5-pro", "1000*1.25 + 100*10 + 35000",
           {"promptTokenCount": 1000, "candidatesTokenCount": 100}, {"groundingMetadata": {"webSearchQueries": ["a", "b", "c"]}}),
    # iyulab/TokenMeter 0.14.0 and ai.google.dev, 2026-11: maps 0.025 a prompt up to 2.5, 0.014 a query from 3 on.
    gemini("gemini: a place in its maps", "gemini-2.5-flash", "1000*0.3 + 100*2.5 + 25000",
           {"promptTokenCount": 1000, "candidatesTokenCount": 100}, {"groundingMetadata": {
               "groundingChunks": [{"maps": {"uri": "u", "placeId": "p"}}, {"maps": {"uri": "v", "placeId": "q"}}]}}),
    gemini("gemini: maps and the web", "gemini-2.5-flash", "1000*0.3 + 100*2.5 + 25000 + 35000",
           {"promptTokenCount": 1000, "candidatesTokenCount": 100}, {"groundingMetadata": {
               "webSearchQueries": ["a", "b"], "groundingChunks": [{"web": {"uri": "u"}}, {"maps": {"uri": "v"}}]}}),
    gemini("gemini: maps from 3 on", "gemini-3-flash-preview", "1000*0.5 + 100*3 + 14000",
           {"promptTokenCount": 1000, "candidatesTokenCount": 100}, {"groundingMetadata": {
               "groundingChunks": [{"maps": {"uri": "v"}}]}}),
    # text-embedding-005 by character would be 0.025 a million; its tokens are told.
    one("vertex: a text is embedded by its tokens", VERTEX,
        "/v1/projects/p/locations/us-central1/publishers/google/models/text-embedding-005:predict",
        {"instances": [{"content": "x"}]}, js({"predictions": [{"embeddings": {
            "values": [0.1], "statistics": {"token_count": 40, "truncated": False}}}],
            "metadata": {"billableCharacterCount": 160}}), "40*0.1"),
    one("bedrock: priority in a stream's last message", BEDROCK, "/model/us.amazon.nova-pro-v1%3A0/converse-stream", {},
        aws(("metadata", {"usage": {"inputTokens": 1000, "outputTokens": 100}, "serviceTier": {"type": "priority"}})),
        "1750*0.8 + 175*3.2"),
    one("bedrock: Llama's own stream", BEDROCK, "/model/meta.llama3-1-8b-instruct-v1%3A0/invoke-with-response-stream", {},
        native({"generation": "Hi", "prompt_token_count": 1000, "generation_token_count": 1, "stop_reason": None},
               {"generation": "", "prompt_token_count": None, "generation_token_count": 100, "stop_reason": "stop",
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000, "outputTokenCount": 100}}),
        "1000*0.22 + 100*0.22"),
    one("bedrock: Titan's own stream", BEDROCK, "/model/amazon.titan-text-express-v1/invoke-with-response-stream", {},
        native({"outputText": "Hi", "totalOutputTextTokenCount": None, "inputTextTokenCount": 1000},
               {"outputText": "", "totalOutputTextTokenCount": 100, "inputTextTokenCount": None,
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000, "outputTokenCount": 100}}), "1000*1.3 + 100*1.7"),
    # fal_ai/fal-ai/flux/schnell 0.003; what is queued does not come back by this path.
    one("fal: two that are queued", "queue.fal.run", "/fal-ai/flux/schnell", {"prompt": "x", "num_images": 2},
        js({"status": "IN_QUEUE", "request_id": "r"}), "2*3000", source="text"),
    one("fal: a model with two words behind it", "fal.run", "/fal-ai/flux-pro/v1.1-ultra", {"prompt": "x"},
        js({"images": [{"url": "https://x"}]}), "60000"),
    # runwayml/gen4_turbo 0.05 a second, gen4_image_turbo 0.02; black_forest_labs/flux-pro-1.1 0.04.
    one("runway: five seconds", "api.dev.runwayml.com", "/v1/image_to_video", {"model": "gen4_turbo", "duration": 5},
        js({"id": "t1"}), "5*50000"),
    one("runway: a picture", "api.dev.runwayml.com", "/v1/text_to_image", {"model": "gen4_image_turbo", "promptText": "x"},
        js({"id": "t2"}), "20000"),
    Case("flux: one, which is asked after", [
        Exchange("api.bfl.ai", "/v1/flux-pro-1.1", js({"id": "t", "polling_url": "https://x"}), {"prompt": "x"}),
        Exchange("api.bfl.ai", "/v1/get_result?id=t", js({"id": "t", "status": "Ready", "result": {}}), None, "GET")], "40000"),
    # elevenlabs.io/docs/models: Flash is half a credit; deepgram.com/pricing: Aura-2 0.03 a thousand.
    one("elevenlabs: Flash", "api.elevenlabs.io", "/v1/text-to-speech/v", {"text": "Hello there", "model_id": "eleven_flash_v2_5"},
        Answer(b"\xff\xf3" * 100, "audio/mpeg"), "11*90"),
    one("deepgram: a voice", "api.deepgram.com", "/v1/speak?model=aura-2-thalia-en", {"text": "Hello there"},
        Answer(b"\xff\xf3" * 100, "audio/mpeg"), "11*30"),
    one("deepgram: a voice of the first generation", "api.deepgram.com", "/v1/speak?model=aura-asteria-en", {"text": "Hi"},
        Answer(b"\xff\xf3" * 100, "audio/mpeg"), "2*15"),
]
