# SPDX-License-Identifier: Apache-2.0
"""Google, Amazon, and those who serve OpenAI's shape or their own."""
import gzip

from bodies import (BEDROCK, CHAT, GEMINI, MESSAGES, OPENROUTER, RESPONSES, VERTEX, Answer, Case, Exchange, aws, js, native,
                    one, sse, text, typed)

IN_OUT = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
FLASH = "1000*0.3 + 100*2.5"                    # gemini-2.5-flash
FORM = (("Content-Type", "multipart/form-data; boundary=b"),)


def form(file=b"RIFF" * 100, **fields):
    return b"".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                    for name, value in fields.items()) + \
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + file + b"\r\n--b--\r\n"


def shape(model, **usage):
    return js({"object": "chat.completion", "model": model, "choices": [{"message": {"content": "x"}}],
               "usage": {**IN_OUT, **usage}})


def host(name, path, model, cost, answer_model=None, **more):
    return one(f"{name}{path} {model}", name, path, {"model": model, "messages": []}, shape(answer_model or model), cost, **more)


def gemini(model="gemini-2.5-flash", candidate=None, method="generateContent", version="v1beta", **usage):
    return (GEMINI, f"/{version}/models/{model}:{method}", {"contents": []},
            js({"candidates": [candidate or {"content": {"parts": [{"text": "x"}]}}],
                "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100, **usage},
                "modelVersion": model}))


def grounded(**metadata):
    return {"content": {"parts": [{"text": "x"}]}, "groundingMetadata": metadata}


def modal(kind, count):
    return {"modality": kind, "tokenCount": count}


def bedrock(model, answer, cost, name, request=None, method="invoke", **more):
    return one(f"bedrock: {name}", BEDROCK, f"/model/{model}/{method}", request or {}, answer, cost, **more)


CASES = [
    # Gemini
    one("gemini: a search tool that did not search", *gemini(candidate=grounded()), FLASH),
    one("gemini: what it found without telling its queries", *gemini(candidate=grounded(groundingChunks=[{"web": {"uri": "x"}}])),
        FLASH + " + 35000"),
    one("gemini: a search at 3 is by the query", *gemini("gemini-3-flash-preview", grounded(webSearchQueries=["a", "b", "c"])),
        "1000*0.5 + 100*3 + 3*14000"),
    one("gemini: a file that was found is no search", *gemini(candidate=grounded(groundingChunks=[{"retrievedContext": {"uri": "x"}}])),
        FLASH),
    one("gemini: pages that were read are input", *gemini(toolUsePromptTokenCount=5000, thoughtsTokenCount=50, totalTokenCount=6150,
                                                         toolUsePromptTokensDetails=[modal("TEXT", 5000)]),
        "6000*0.3 + 150*2.5"),
    one("gemini: every modality of a prompt", *gemini(promptTokenCount=1000, promptTokensDetails=[
        modal("TEXT", 100), modal("IMAGE", 258), modal("AUDIO", 320), modal("VIDEO", 300), modal("DOCUMENT", 22)]),
        "680*0.3 + 320*1 + 100*2.5"),
    one("gemini: all of the cache is audio", *gemini(promptTokenCount=1000, cachedContentTokenCount=400, promptTokensDetails=[
        modal("TEXT", 600), modal("AUDIO", 400)], cacheTokensDetails=[modal("AUDIO", 400)]), "600*0.3 + 400*0.1 + 100*2.5"),
    one("gemini: thoughts alone", *gemini(candidatesTokenCount=0, thoughtsTokenCount=800, totalTokenCount=1800),
        "1000*0.3 + 800*2.5"),
    one("gemini: v1, with a key in its query", GEMINI, "/v1/models/gemini-2.5-flash:generateContent?key=AIza&alt=json", {},
        gemini()[3], FLASH),
    one("gemini: v1alpha, a tuned model", GEMINI, "/v1alpha/models/gemini-2.5-flash:generateContent", {}, gemini()[3], FLASH),
    one("gemini: flex", *gemini("gemini-3.1-flash-lite", serviceTier="flex"), "1000*0.125 + 100*0.75"),
    one("gemini: priority with audio", *gemini("gemini-3-flash-preview", serviceTier="priority", promptTokensDetails=[
        modal("AUDIO", 400), modal("TEXT", 600)]), "600*0.9 + 400*1.8 + 100*5.4"),
    one("gemini: stopped for safety", *gemini(candidate={"finishReason": "SAFETY"}, candidatesTokenCount=0, totalTokenCount=1000),
        "1000*0.3"),
    one("gemini: several candidates", GEMINI, "/v1beta/models/gemini-2.5-flash:generateContent",
        {"generationConfig": {"candidateCount": 3}}, js({"candidates": [{}, {}, {}], "modelVersion": "gemini-2.5-flash",
                                                         "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100}}),
        FLASH),
    one("gemini: a stream whose last event has no usage", GEMINI, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {}, sse({"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 1000}},
                {"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
                    "promptTokenCount": 1000, "candidatesTokenCount": 100}},
                {"candidates": [{"finishReason": "STOP"}], "modelVersion": "gemini-2.5-flash"}), FLASH),
    one("gemini: a stream that is gzip", GEMINI, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {},
        Answer(gzip.compress(sse({"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
            "promptTokenCount": 1000, "candidatesTokenCount": 100}}).body), "text/event-stream",
            (("Content-Encoding", "gzip"),), chunked=True), FLASH),
    one("gemini: OpenAI's shape, as a stream", GEMINI, "/v1beta/openai/chat/completions", {"model": "gemini-2.5-flash", "stream": True},
        sse({"model": "gemini-2.5-flash", "choices": [{"delta": {"content": "x"}}]},
            {"model": "gemini-2.5-flash", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 60,
                                                                   "total_tokens": 1100}}, "[DONE]"), FLASH),
    one("gemini: OpenAI's shape, embeddings", GEMINI, "/v1beta/openai/embeddings", {"model": "gemini-embedding-001", "input": "x"},
        js({"model": "gemini-embedding-001", "data": [], "usage": {"prompt_tokens": 70, "total_tokens": 70}}), "70*0.15"),
    one("gemini: many texts that are embedded", GEMINI, "/v1beta/models/gemini-embedding-001:batchEmbedContents", {"requests": []},
        js({"embeddings": [{"values": [0.1]}] * 3, "usageMetadata": {"promptTokenCount": 210}}), "210*0.15"),
    one("gemini: an interaction as a stream", GEMINI, "/v1beta/interactions?alt=sse", {"model": "gemini-2.5-flash", "stream": True},
        sse(("interaction.start", {"event_type": "interaction.start", "interaction": {"id": "i", "status": "in_progress"}}),
            ("content.delta", {"event_type": "content.delta", "index": 0, "delta": {"text": "x", "type": "text"}}),
            ("interaction.complete", {"event_type": "interaction.complete", "interaction": {
                "id": "i", "model": "gemini-2.5-flash", "status": "completed", "usage": {
                    "total_input_tokens": 1000, "total_output_tokens": 60, "total_thought_tokens": 40}}})), FLASH),
    Case("gemini: an interaction in the background", [
        Exchange(GEMINI, "/v1beta/interactions", js({"id": "int_1", "status": "in_progress", "agent": "deep-research"}),
                 {"agent": "deep-research-pro-preview-12-2025", "background": True}),
        *[Exchange(GEMINI, "/v1beta/interactions/int_1", js({
            "id": "int_1", "status": status, "model": "gemini-3-pro-preview", "usage": usage}), None, "GET")
          for status, usage in (("in_progress", None), ("completed", {"total_input_tokens": 1000, "total_output_tokens": 100}),
                                ("completed", {"total_input_tokens": 1000, "total_output_tokens": 100}))]],
        "1000*2 + 100*12", steps=(16384,)),
    one("gemini: an image by a chat model", *gemini("gemini-2.5-flash-image", candidatesTokenCount=1290, candidatesTokensDetails=[
        modal("IMAGE", 1290)]), "1000*0.3 + 1290*30"),
    one("gemini: an error inside of a stream", GEMINI, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {},
        sse({"error": {"code": 503, "status": "UNAVAILABLE"}}), "0", source="free"),
    Case("gemini: what costs nothing", [
        Exchange(GEMINI, "/v1beta/models/gemini-2.5-flash:countTokens", js({"totalTokens": 31}), {"contents": []}),
        Exchange(GEMINI, "/upload/v1beta/files", js({"file": {"name": "files/x"}}), b"x" * 100),
        Exchange(*gemini()[:2], gemini()[3], {})], FLASH, steps=(16384,)),
    # Vertex
    one("vertex: v1beta1, a location in the host", "us-central1-aiplatform.googleapis.com",
        "/v1beta1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {},
        sse({"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
            "promptTokenCount": 1000, "candidatesTokenCount": 100, "trafficType": "ON_DEMAND"}}), FLASH),
    one("vertex: express mode", VERTEX, "/v1/publishers/google/models/gemini-2.5-flash:generateContent?key=x", {}, gemini()[3], FLASH),
    one("vertex: Mistral's stream", "us-central1-aiplatform.googleapis.com",
        "/v1/projects/p/locations/us-central1/publishers/mistralai/models/mistral-medium-3:streamRawPredict",
        {"model": "mistral-medium-3", "stream": True},
        sse({"model": "mistral-medium-3", "choices": [{"delta": {"content": "x"}}]},
            {"model": "mistral-medium-3", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": IN_OUT}, "[DONE]"),
        "1000*0.4 + 100*2"),
    one("vertex: DeepSeek as a service", VERTEX, "/v1/projects/p/locations/global/endpoints/openapi/chat/completions",
        {"model": "deepseek-ai/deepseek-v3.2-maas"}, shape("deepseek-ai/deepseek-v3.2-maas"), "1000*0.56 + 100*1.68"),
    one("vertex: gpt-oss as a service, a stream", VERTEX, "/v1beta1/projects/p/locations/us-central1/endpoints/openapi/chat/completions",
        {"model": "openai/gpt-oss-120b-maas", "stream": True},
        sse({"model": "openai/gpt-oss-120b-maas", "choices": [{"delta": {"content": "x"}}]},
            {"model": "openai/gpt-oss-120b-maas", "choices": [], "usage": IN_OUT}, "[DONE]"), "1000*0.15 + 100*0.6"),
    one("vertex: Veo with sound, by its default length", VERTEX,
        "/v1/projects/p/locations/us-central1/publishers/google/models/veo-3.0-fast-generate-001:predictLongRunning",
        {"instances": [{"prompt": "x"}], "parameters": {"generateAudio": True}}, js({"name": "projects/p/operations/1"}), "8*150000"),
    one("vertex: Imagen", VERTEX, "/v1/projects/p/locations/us-central1/publishers/google/models/imagen-4.0-fast-generate-001:predict",
        {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 2}},
        js({"predictions": [{"bytesBase64Encoded": "A" * 5000, "mimeType": "image/png"}] * 2}), "2*20000"),
    # Bedrock
    bedrock("us.meta.llama4-scout-17b-instruct-v1%3A0", js({"generation": "x", "prompt_token_count": 1000,
                                                            "generation_token_count": 100}), "1000*0.17 + 100*0.66", "Llama 4"),
    bedrock("amazon.nova-pro-v1%3A0", js({"output": {"message": {"content": [{"text": "x"}]}}, "stopReason": "end_turn", "usage": {
        "inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100, "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 0}}),
        "1000*0.8 + 100*3.2", "Nova's own body"),
    bedrock("amazon.nova-pro-v1:0", native(
        {"messageStart": {"role": "assistant"}}, {"contentBlockDelta": {"delta": {"text": "x"}}}, {"messageStop": {}},
        {"metadata": {"usage": {"inputTokens": 1000, "outputTokens": 100, "cacheReadInputTokenCount": 0}, "metrics": {}},
         "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000, "outputTokenCount": 100}}),
        "1000*0.8 + 100*3.2", "Nova's own stream", method="invoke-with-response-stream"),
    bedrock("ai21.jamba-1-5-large-v1%3A0", shape("jamba"), "1000*2 + 100*8", "Jamba"),
    bedrock("qwen.qwen3-32b-v1%3A0", shape("qwen.qwen3-32b-v1:0"), "1000*0.15 + 100*0.6", "Qwen in OpenAI's shape"),
    bedrock("cohere.command-r-plus-v1%3A0", js({"text": "x", "finish_reason": "COMPLETE"}, (
        "X-Amzn-Bedrock-Input-Token-Count", "1000"), ("X-Amzn-Bedrock-Output-Token-Count", "100")), "1000*3 + 100*15",
        "Command R by its headers"),
    bedrock("cohere.rerank-v3-5%3A0", js({"results": [{"index": 0, "relevance_score": 0.9}]}), "2000", "Cohere ranks"),
    bedrock("amazon.titan-embed-text-v2%3A0", js({"embedding": [0.1], "embeddingsByType": {}, "inputTextTokenCount": 1000}),
            "1000*0.02", "Titan 2"),
    bedrock("amazon.titan-image-generator-v2%3A0", js({"images": ["AA", "BB"]}), "2*8000", "Titan's images",
            {"taskType": "TEXT_IMAGE", "imageGenerationConfig": {"numberOfImages": 2}}),
    bedrock("openai.gpt-oss-20b-1%3A0", js({"output": {}, "usage": {"inputTokens": 1000, "outputTokens": 100}, "serviceTier": {
        "type": "priority"}}), "1750*0.07 + 175*0.3", "priority in Converse", method="converse"),
    bedrock("openai.gpt-oss-20b-1%3A0", js({"output": {}, "usage": {"inputTokens": 1000, "outputTokens": 100}, "serviceTier": {
        "type": "default"}}), "1000*0.07 + 100*0.3", "the usual tier in Converse", method="converse"),
    bedrock("arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprovisioned-model%2Fabc", js({"usage": {"inputTokens": 1000, "outputTokens": 100}}),
            "0", "provisioned", method="converse"),
    bedrock("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0", js(
        {"usage": {"inputTokens": 1000, "outputTokens": 100, "cacheReadInputTokens": 500}}), "1000*1.1 + 500*0.11 + 100*5.5",
        "an ARN as it is", method="converse"),
    bedrock("global.anthropic.claude-haiku-4-5-20251001-v1%3A0", aws(
        ("messageStart", {"role": "assistant"}), ("contentBlockDelta", {"delta": {"text": "x"}}),
        ("messageStop", {"stopReason": "guardrail_intervened"}),
        ("metadata", {"usage": {"inputTokens": 1000, "outputTokens": 0, "totalTokens": 1000}})), "1000*1",
        "a guardrail stepped in", method="converse-stream"),
    one("bedrock: a region of its own price", "bedrock-runtime.eu-west-2.amazonaws.com", "/model/meta.llama3-8b-instruct-v1%3A0/converse",
        {}, js({"usage": {"inputTokens": 1000, "outputTokens": 100}}), "1000*0.39 + 100*0.78"),
    one("bedrock: an endpoint of a VPC", "vpce-0a-1b.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
        "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse", {}, js({"usage": {"inputTokens": 1000, "outputTokens": 100}}),
        "1000*1.1 + 100*5.5"),
    one("bedrock: Mantle's Responses", "bedrock-mantle.us-east-1.api.aws", "/v1/responses", {"model": "openai.gpt-oss-120b"},
        js({"object": "response", "status": "completed", "model": "openai.gpt-oss-120b", "usage": {
            "input_tokens": 1000, "output_tokens": 100}}), "1000*0.15 + 100*0.6"),
    Case("bedrock: a count costs nothing", [
        Exchange(BEDROCK, "/model/amazon.nova-pro-v1%3A0/count-tokens", js({"inputTokens": 1000}), {}),
        Exchange(BEDROCK, "/model/amazon.nova-pro-v1%3A0/converse", js({"usage": {"inputTokens": 1000, "outputTokens": 100}}), {})],
        "1000*0.8 + 100*3.2", steps=(16384,)),
    # OpenAI's shape
    host("api.mistral.ai", CHAT, "mistral-large-2512", "1000*0.5 + 100*1.5"),
    host("api.mistral.ai", CHAT, "magistral-medium-2509", "1000*2 + 100*5"),
    host("api.groq.com", "/openai/v1/chat/completions", "openai/gpt-oss-120b", "1000*0.15 + 100*0.6"),
    host("api.cerebras.ai", CHAT, "gpt-oss-120b", "1000*0.35 + 100*0.75"),
    host("api.together.ai", CHAT, "deepseek-ai/DeepSeek-V3.1", "1000*0.6 + 100*1.7"),
    host("api.deepseek.com", "/v1/chat/completions", "deepseek-reasoner", "1000*0.28 + 100*0.42"),
    host("api.deepseek.com", "/beta/completions", "deepseek-chat", "1000*0.28 + 100*0.42"),
    host("api.moonshot.cn", CHAT, "kimi-k2.6", "1000*0.95 + 100*4"),
    host("api.minimax.io", "/v1/text/chatcompletion_v2", "MiniMax-M2", "1000*0.3 + 100*1.2"),
    host("open.bigmodel.cn", "/api/paas/v4/chat/completions", "glm-4.5-air", "1000*0.2 + 100*1.1"),
    host("api.studio.nebius.com", CHAT, "Qwen/Qwen3-235B-A22B", "1000*0.2 + 100*0.6"),
    host("api.ai21.com", "/studio/v1/chat/completions", "jamba-large-1.7", "1000*2 + 100*8"),
    host("router.huggingface.co", CHAT, "openai/gpt-oss-120b:groq", "1000*0.15 + 100*0.6"),
    host("openrouter.ai", "/api/v1/chat/completions", "openai/gpt-4o", "1000*2.5 + 100*10"),
    host("openrouter.ai", "/api/v1/completions", "openai/gpt-4o", "1000*2.5 + 100*10"),
    host("us-south.ml.cloud.ibm.com", "/ml/v1/text/chat?version=2024-10-08", "ibm/granite-4-h-small", "1000*0.06 + 100*0.25"),
    host("gateway.ai.cloudflare.com", "/v1/a/g/groq/chat/completions", "llama-3.3-70b-versatile", "1000*0.59 + 100*0.79"),
    host("gateway.ai.cloudflare.com", "/v1/a/g/workers-ai/v1/chat/completions", "@cf/openai/gpt-oss-120b", "1000*0.35 + 100*0.75"),
    one("mistral: cached", "api.mistral.ai", CHAT, {"model": "mistral-large-2512"},
        shape("mistral-large-2512", num_cached_tokens=0, prompt_tokens_details={"cached_tokens": 0}), "1000*0.5 + 100*1.5"),
    one("mistral: a conversation as a stream", "api.mistral.ai", "/v1/conversations", {"model": "mistral-medium-2508", "stream": True},
        typed({"type": "conversation.response.started", "conversation_id": "c"},
              {"type": "message.output.delta", "content": "x", "model": "mistral-medium-2508"},
              {"type": "conversation.response.done", "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}),
        "1000*0.4 + 100*2"),
    Case("mistral: a batch's output", [
        Exchange("api.mistral.ai", "/v1/batch/jobs", js({"id": "job_1", "object": "batch", "status": "QUEUED"}),
                 {"input_files": ["x"], "model": "mistral-large-2512", "endpoint": CHAT}),
        Exchange("api.mistral.ai", "/v1/batch/jobs/job_1", js({"id": "job_1", "status": "SUCCESS", "output_file": "o1"}), None, "GET"),
        Exchange("api.mistral.ai", "/v1/files/o1/content", Answer("\n".join(text({
            "id": str(i), "custom_id": str(i), "response": {"status_code": 200, "body": {
                "model": "mistral-large-2512", "choices": [], "usage": IN_OUT}}, "error": None}) for i in range(2)).encode(),
            "application/octet-stream"), None, "GET")], "2000*0.25 + 200*0.75", steps=(16384,)),
    one("groq: a batch's tier, flex costs as ever", "api.groq.com", "/openai/v1/chat/completions",
        {"model": "openai/gpt-oss-120b", "service_tier": "on_demand"},
        js({"model": "openai/gpt-oss-120b", "service_tier": "on_demand", "usage": {
            **IN_OUT, "queue_time": 0.1, "prompt_time": 0.01, "completion_time": 0.2, "total_time": 0.21,
            "prompt_tokens_details": {"cached_tokens": 512}}, "x_groq": {"id": "r", "usage": {**IN_OUT}}}),
        "488*0.15 + 512*0.075 + 100*0.6"),
    one("groq: speech by character", "api.groq.com", "/openai/v1/audio/speech", {"model": "playai-tts", "input": "Hello there"},
        Answer(b"RIFF" * 99, "audio/wav"), "11*50"),
    one("deepseek: a stream that tells hit and miss", "api.deepseek.com", "/chat/completions", {"model": "deepseek-chat", "stream": True},
        Answer(b": keep-alive\n\n" + sse(
            {"model": "deepseek-chat", "choices": [{"delta": {"content": "x"}}], "usage": None},
            {"model": "deepseek-chat", "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}], "usage": {
                **IN_OUT, "prompt_tokens_details": {"cached_tokens": 640}, "prompt_cache_hit_tokens": 640,
                "prompt_cache_miss_tokens": 360}}, "[DONE]").body, "text/event-stream", chunked=True),
        "360*0.28 + 640*0.028 + 100*0.42"),
    one("xai: past its threshold, cached, by its rows", "api.x.ai", CHAT, {"model": "grok-4-fast-reasoning"},
        js({"model": "grok-4-fast-reasoning", "usage": {"prompt_tokens": 150000, "completion_tokens": 100, "total_tokens": 150400,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 300}}}),
        "150000*0.4 + 400*1"),
    one("xai: ticks of nought point two", "api.x.ai", RESPONSES, {"model": "grok-4"},
        js({"object": "response", "status": "completed", "model": "grok-4", "usage": {
            "input_tokens": 1000, "output_tokens": 100, "cost_in_usd_ticks": 45000000, "num_server_side_tools_used": 3}}),
        "4500", source="provider"),
    one("xai: Messages", "api.x.ai", MESSAGES, {"model": "grok-4"},
        js({"type": "message", "model": "grok-4", "content": [{"type": "text"}], "usage": {"input_tokens": 1000, "output_tokens": 100}}),
        "1000*3 + 100*15"),
    Case("xai: a deferred answer", [
        Exchange("api.x.ai", CHAT, js({"request_id": "r1"}), {"model": "grok-4", "deferred": True}),
        *[Exchange("api.x.ai", "/v1/chat/deferred-completion/r1", Answer(b"", status=202), None, "GET"),
          Exchange("api.x.ai", "/v1/chat/deferred-completion/r1", js({
              "id": "c1", "model": "grok-4", "choices": [{}], "usage": IN_OUT}), None, "GET")]], "1000*3 + 100*15", steps=(16384,)),
    one("openrouter: a cost written with an exponent", OPENROUTER, "/api/v1/chat/completions", {"model": "openai/gpt-4o-mini"},
        shape("openai/gpt-4o-mini", cost=2.1e-05), "21", source="provider"),
    one("openrouter: a web plugin inside of its cost", OPENROUTER, "/api/v1/chat/completions", {"model": "openai/gpt-4o:online"},
        shape("openai/gpt-4o:online", cost=0.0235, server_tool_use={"web_search_requests": 1}), "23500", source="provider"),
    one("openrouter: a free model", OPENROUTER, "/api/v1/chat/completions", {"model": "deepseek/deepseek-r1:free"},
        shape("deepseek/deepseek-r1:free", cost=0, is_byok=False), "0", source="provider"),
    one("openrouter: a stream that breaks after some words", OPENROUTER, "/api/v1/chat/completions",
        {"model": "openai/gpt-4o", "stream": True},
        sse({"model": "openai/gpt-4o", "choices": [{"delta": {"content": "Hello"}}]},
            {"model": "openai/gpt-4o", "error": {"code": 502, "message": "no"}, "choices": [{"finish_reason": "error"}],
             "usage": {**IN_OUT, "cost": 0.0035}}, "[DONE]"), "3500", source="provider"),
    one("openrouter: embeddings", OPENROUTER, "/api/v1/embeddings", {"model": "openai/text-embedding-3-small"},
        js({"model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 1000, "total_tokens": 1000, "cost": 0.00002}}),
        "20", source="provider"),
    one("perplexity: a stream", "api.perplexity.ai", "/chat/completions", {"model": "sonar-pro", "stream": True},
        sse(*[{"model": "sonar-pro", "choices": [{"delta": {"content": "x"}}], "usage": {
            "prompt_tokens": 8, "completion_tokens": n, "total_tokens": 8 + n, **({"cost": {"total_cost": 0.01202}} if n == 400 else {})}}
              for n in (1, 200, 400)]), "12020", source="provider"),
    # Cohere
    one("cohere: v2, JSON with both counts", "api.cohere.com", "/v2/chat", {"model": "command-r7b-12-2024"},
        js({"message": {"content": [{"text": "x"}]}, "usage": {"billed_units": {"input_tokens": 1000, "output_tokens": 100},
                                                               "tokens": {"input_tokens": 1500, "output_tokens": 110}}}),
        "1000*0.0375 + 100*0.15"),
    one("cohere: counts with a fraction", "api.cohere.ai", "/v1/chat", {"model": "command-r-plus-08-2024"},
        js({"text": "x", "meta": {"billed_units": {"input_tokens": 1000.0, "output_tokens": 100.0}}}), "1000*2.5 + 100*10"),
    one("cohere: at OpenAI's path", "api.cohere.ai", "/compatibility/v1/chat/completions", {"model": "command-a-03-2025"},
        shape("command-a-03-2025"), "1000*2.5 + 100*10"),
    # Voices
    one("elevenlabs: as a stream, words with accents", "api.elevenlabs.io", "/v1/text-to-speech/v1/stream?optimize=1",
        {"text": "Grüße, José", "model_id": "eleven_v3"}, Answer(b"\xff\xf3" * 900, "audio/mpeg", chunked=True), "11*180"),
    one("deepgram: a callback of a URL", "api.deepgram.com", "/v1/listen?model=nova-2&smart_format=true", {"url": "https://x/a.wav"},
        js({"metadata": {"duration": 25.933313, "channels": 1, "models": ["u"], "model_info": {"u": {"name": "2-general-nova",
                                                                                                  "arch": "nova-2"}}},
            "results": {}}), "25.933*71.67"),
    Case("assemblyai: a transcript that is asked after", [
        Exchange("api.assemblyai.com", "/v2/upload", js({"upload_url": "https://cdn/x"}), b"RIFF" * 100),
        Exchange("api.assemblyai.com", "/v2/transcript", js({"id": "t1", "status": "queued", "speech_model": "best"}),
                 {"audio_url": "https://cdn/x", "speech_model": "best"}),
        *[Exchange("api.assemblyai.com", "/v2/transcript/t1", js({
            "id": "t1", "status": status, "speech_model": "best", "audio_duration": seconds}), None, "GET")
          for status, seconds in (("processing", None), ("completed", 120), ("completed", 120))]], "120*102.77777", steps=(16384,)),
    one("assemblyai: LeMUR", "api.assemblyai.com", "/lemur/v3/generate/task",
        {"final_model": "anthropic/claude-3-5-sonnet", "prompt": "x", "transcript_ids": ["t1"]},
        js({"request_id": "r", "response": "x", "usage": {"input_tokens": 1200, "output_tokens": 50}}), "1200*3 + 50*15"),
    one("assemblyai: LeMUR with a model of unknown price", "api.assemblyai.com", "/lemur/v3/generate/summary",
        {"final_model": "anthropic/claude-tomorrow"},
        js({"request_id": "r", "response": "x", "usage": {"input_tokens": 1200, "output_tokens": 50}}), "0", priced=False),
    # elevenlabs.io: scribe_v1 as in LiteLLM's file, 0.22 an hour.
    one("elevenlabs: what was heard", "api.elevenlabs.io", "/v1/speech-to-text", form(model_id="scribe_v1"),
        js({"language_code": "eng", "text": "hi", "words": [], "transcription_id": "t", "audio_duration_secs": 90.5}),
        "90.5*61.1", sent=FORM),
    # Pictures
    one("stability: core", "api.stability.ai", "/v2beta/stable-image/generate/core", form(prompt="x", output_format="png"),
        Answer(b"\x89PNG" * 99, "image/png"), "30000", sent=FORM),
    one("stability: ultra, as JSON", "api.stability.ai", "/v2beta/stable-image/generate/ultra", form(prompt="x"),
        js({"image": "AAAA", "finish_reason": "SUCCESS", "seed": 1}), "80000", sent=FORM),
    one("stability: 3.5 by the form's model", "api.stability.ai", "/v2beta/stable-image/generate/sd3",
        form(prompt="x", model="sd3.5-medium"), Answer(b"\x89PNG" * 99, "image/png"), "35000", sent=FORM),
    *[one(f"stability: {what}", "api.stability.ai", f"/v2beta/stable-image/{what}", form(prompt="x"),
          Answer(b"\x89PNG" * 99, "image/png"), str(credits * 10000), sent=FORM)
      for what, credits in (("edit/erase", 5), ("edit/outpaint", 4), ("edit/replace-background-and-relight", 8),
                            ("control/structure", 5), ("control/style-transfer", 8), ("upscale/fast", 2),
                            ("upscale/conservative", 40))],
    one("stability: one that is fetched later", "api.stability.ai", "/v2beta/stable-image/upscale/creative", form(prompt="x"),
        js({"id": "1"}), "600000", sent=FORM),
    one("recraft: two", "external.api.recraft.ai", "/v1/images/generations", {"model": "recraftv3", "prompt": "x", "n": 2},
        js({"data": [{"url": "https://x/1"}, {"url": "https://x/2"}]}), "2*40000"),
    one("fal: two pictures", "fal.run", "/fal-ai/flux/schnell", {"prompt": "x", "num_images": 2},
        js({"images": [{"url": "https://x/1"}, {"url": "https://x/2"}], "seed": 1}), "2*3000"),
    Case("replicate: a prediction that is asked after", [
        Exchange("api.replicate.com", "/v1/models/meta/llama-3-8b-instruct/predictions", js({"id": "p1", "status": "starting"}, status=201),
                 {"input": {"prompt": "x"}}),
        *[Exchange("api.replicate.com", "/v1/predictions/p1", js({
            "id": "p1", "status": status, "model": "meta/llama-3-8b-instruct", "metrics": metrics}), None, "GET")
          for status, metrics in (("processing", {}),
                                  *[("succeeded", {"input_token_count": 1000, "output_token_count": 100, "predict_time": 2.5})] * 2)]],
        "1000*0.05 + 100*0.25", steps=(16384,)),
    one("replicate: it waited for the answer", "api.replicate.com", "/v1/models/openai/gpt-4o-mini/predictions",
        {"input": {"prompt": "x"}}, js({"id": "p2", "status": "succeeded", "model": "openai/gpt-4o-mini", "output": ["x"], "metrics": {
            "token_input_count": 1000, "token_output_count": 100, "predict_time": 2.5}}, status=201), "1000*0.15 + 100*0.6",
        sent=(("Prefer", "wait"),)),
    # By the second of its hardware: which that is, no answer tells, so its price is the operator's to give.
    one("replicate: seconds of hardware", "api.replicate.com", "/v1/models/acme/upscaler/predictions",
        {"input": {"image": "x"}}, js({"id": "p3", "status": "succeeded", "model": "acme/upscaler", "output": ["x"], "metrics": {
            "predict_time": 2.5}}, status=201), "0", sent=(("Prefer", "wait"),), priced=False),
    # Embeddings and ranks
    one("voyage: a picture and words", "api.voyageai.com", "/v1/multimodalembeddings", {"model": "voyage-multimodal-3", "inputs": []},
        js({"data": [], "model": "voyage-multimodal-3", "usage": {"text_tokens": 100, "image_pixels": 200000, "total_tokens": 457}}),
        "457*0.12"),
    one("voyage: contexts", "api.voyageai.com", "/v1/contextualizedembeddings", {"model": "voyage-context-3", "inputs": []},
        js({"data": [], "model": "voyage-context-3", "usage": {"total_tokens": 1000}}), "1000*0.18"),
    one("jina: a model without a price is none of 0", "api.jina.ai", "/v1/embeddings", {"model": "jina-embeddings-v3", "input": ["x"]},
        js({"model": "jina-embeddings-v3", "data": [], "usage": {"total_tokens": 1000, "prompt_tokens": 1000}}), "0",
        priced=False),
]
