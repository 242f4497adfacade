# SPDX-License-Identifier: Apache-2.0
"""Regions, names of other networks, paths as others write them, and what gateways serve in the shape of whoever is behind."""
from bodies import (AZURE, BEDROCK, CHAT, GEMINI, OPENAI, RESPONSES, VERTEX, Answer, Case, Exchange, aws, js, native, one,
                    sse, typed)

CLOUDFLARE, VERCEL, PERPLEXITY = "gateway.ai.cloudflare.com", "ai-gateway.vercel.sh", "api.perplexity.ai"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
BY_REQUEST = "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"


def chat(model, **more):
    return js({"object": "chat.completion", "model": model, "choices": [{"message": {"content": "hi"}}],
               "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **more}})


def response(model):
    return js({"id": "r", "status": "completed", "model": model, "usage": {"input_tokens": 1000, "output_tokens": 100}})


def claude(model):
    return js({"type": "message", "model": model, "content": [{"type": "text", "text": "hi"}],
               "usage": {"input_tokens": 1000, "output_tokens": 100}})


GOOGLE = js({"candidates": [{"content": {"parts": [{"text": "hi"}]}}], "modelVersion": "gemini-2.5-flash",
             "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}})
CONVERSE = js({"output": {}, "usage": {"inputTokens": 1000, "outputTokens": 100}})
CLAUDES = [{"type": "message_start", "message": {"model": "claude-haiku-4-5-20251001",
                                                 "usage": {"input_tokens": 1000, "output_tokens": 1}}},
           {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 100}}]
SDK = {"usage": {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}}
SDK3 = {"usage": {"inputTokens": {"total": 1000, "noCache": 400, "cacheRead": 600, "cacheWrite": 0},
                  "outputTokens": {"total": 100, "text": 60, "reasoning": 40}}}
PAID = {"providerMetadata": {"gateway": {"routing": {}, "cost": "0.0035"}}}
BYOK = {"providerMetadata": {"gateway": {"routing": {}, "cost": "0"}}}
ASKED = (("ai-language-model-id", "openai/gpt-4o"), ("ai-language-model-streaming", "false"))
FLASH, MINI, FOUR = "1000*0.3 + 100*2.5", "1000*0.15 + 100*0.6", "1000*2.5 + 100*10"


def behind(name, path, request, answer, cost, **more):
    """Through Cloudflare's gateway (developers.cloudflare.com/ai-gateway/providers)."""
    return one(f"cloudflare: {name}", CLOUDFLARE, "/v1/account/gateway" + path, request, answer, cost, **more)


def asked(name, path, post, polls, cost, request, host=PERPLEXITY):
    """A job that is asked after."""
    return Case(name, [Exchange(host, path[0], js(post), request),
                       *[Exchange(host, path[1], js(poll), None, "GET") for poll in polls]],
                cost, "provider", steps=(16384,))


CASES = [
    # 10 % more at any of them (developers.openai.com/api/docs/guides/data-residency).
    *[one(f"openai: its region {region}", f"{region}.api.openai.com", RESPONSES, {"model": "gpt-5.4"}, response("gpt-5.4"),
          "1100*2.5 + 110*15") for region in ("us", "ae", "au", "in", "jp")],
    one("openai: a model of before March 2026 costs as elsewhere", "in.api.openai.com", CHAT, {"model": "gpt-4o-mini"},
        chat("gpt-4o-mini"), MINI),
    *[one(f"openrouter: its region {region}", f"{region}.openrouter.ai", "/api/v1/chat/completions", {},
          chat("openai/gpt-4o", cost=0.0035), "3500", source="provider") for region in ("eu", "us")],
    # google.aip.dev/auth/4114
    one("gemini: with a client's certificate", "generativelanguage.mtls.googleapis.com",
        "/v1beta/models/gemini-2.5-flash:generateContent", {}, GOOGLE, FLASH),
    one("vertex: with a client's certificate", "aiplatform.mtls.googleapis.com", BY_REQUEST, {}, GOOGLE, FLASH),
    one("vertex: with a client's certificate in a region", "us-central1-aiplatform.mtls.googleapis.com", BY_REQUEST, {},
        GOOGLE, FLASH),
    *[one(f"azure: {host}", host, "/openai/deployments/x/chat/completions?api-version=2024-10-21", {},
          chat("gpt-4o-2024-08-06"), FOUR)
      for host in ("acme.cognitiveservices.azure.us", "acme.services.ai.azure.us", "acme.cognitiveservices.azure.cn")],
    one("bedrock: FIPS at both protocols", "bedrock-runtime-fips.us-east-1.api.aws", "/model/amazon.nova-lite-v1%3A0/converse",
        {}, CONVERSE, "1000*0.06 + 100*0.24"),
    one("huggingface: an endpoint of one's own", "abc.us-east-1.aws.endpoints.huggingface.cloud", CHAT, {"model": "tgi"},
        chat("acme/model"), "0", priced=False),
    one("ovh: a model's own host", "llama.endpoints.kepler.ai.cloud.ovh.net", "/api/openai_compat/v1/chat/completions", {},
        chat("Meta-Llama-3_1-70B-Instruct"), "1000*0.67 + 100*0.67"),

    # Azure's servers do not look at the case.
    one("azure: a path in capitals", AZURE, "/OpenAI/Deployments/prod/Chat/Completions?api-version=2024-10-21", {},
        chat("gpt-4o-2024-08-06"), FOUR),
    one("azure: a model in capitals", "acme.services.ai.azure.com", "/providers/cohere/v2/rerank",
        {"model": "Cohere-rerank-v4.0-pro"}, js({"results": [], "meta": {"billed_units": {"search_units": 2}}}), "2*2500"),
    one("azure: a picture of FLUX", "acme.services.ai.azure.com", "/providers/blackforestlabs/v1/flux-2-pro?api-version=preview",
        {"model": "FLUX.2-pro"}, js({"data": [{"b64_json": "AA"}]}), "40000"),
    one("azure: a job of Sora, which has no price", AZURE, "/openai/v1/video/generations/jobs?api-version=preview",
        {"model": "sora", "n_seconds": 5}, js({"object": "video.generation.job", "status": "queued", "model": "sora"}, status=201),
        "0", priced=False),
    one("openai: a query with slashes", OPENAI, CHAT + "?next=/v1/models&x=a/b", {"model": "gpt-4o-mini"}, chat("gpt-4o-mini"),
        MINI),

    behind("Converse", f"/aws-bedrock/bedrock-runtime/us-east-1/model/{HAIKU}/converse", {}, CONVERSE, "1000*1.1 + 100*5.5"),
    behind("Converse as a stream", f"/aws-bedrock/bedrock-runtime/us-east-1/model/{HAIKU}/converse-stream", {},
           aws(("contentBlockDelta", {"delta": {"text": "hi"}}), ("metadata", {"usage": {"inputTokens": 1000,
                                                                                       "outputTokens": 100}})),
           "1000*1.1 + 100*5.5"),
    behind("invoke, whose profile is in the path", f"/aws-bedrock/bedrock-runtime/us-east-1/model/{HAIKU}/invoke", {},
           claude("claude-haiku-4-5-20251001"), "1000*1.1 + 100*5.5"),
    behind("invoke as a stream", f"/aws-bedrock/bedrock-runtime/us-east-1/model/{HAIKU}/invoke-with-response-stream", {},
           native(*CLAUDES, {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000,
                                                                                         "outputTokenCount": 100}}),
           "1000*1.1 + 100*5.5"),
    behind("Nova by its head", "/aws-bedrock/bedrock-runtime/us-east-1/model/amazon.nova-lite-v1:0/invoke", {},
           js({"output": {}}, ("X-Amzn-Bedrock-Input-Token-Count", "1000"), ("X-Amzn-Bedrock-Output-Token-Count", "100")),
           "1000*0.06 + 100*0.24"),
    behind("Claude at Vertex", "/google-vertex-ai/v1/projects/p/locations/global/publishers/anthropic/models/"
           "claude-haiku-4-5@20251001:rawPredict", {}, claude("claude-haiku-4-5-20251001"), "1000*1 + 100*5"),
    behind("Claude at Vertex as a stream", "/google-vertex-ai/v1/projects/p/locations/global/publishers/anthropic/models/"
           "claude-haiku-4-5@20251001:streamRawPredict", {}, typed(*CLAUDES, {"type": "message_stop"}), "1000*1 + 100*5"),
    behind("Gemini embeds", "/google-ai-studio/v1beta/models/gemini-embedding-001:embedContent", {},
           js({"embedding": {"values": [1]}, "usageMetadata": {"promptTokenCount": 70}}), "70*0.15"),
    behind("Cohere", "/cohere/v2/chat", {"model": "command-r-08-2024"},
           js({"message": {}, "usage": {"billed_units": {"input_tokens": 1000, "output_tokens": 100}}}), MINI),
    behind("Deepgram", "/deepgram/v1/listen?model=nova-3", b"RIFF",
           js({"metadata": {"duration": 60.0, "channels": 1, "model_info": {"x": {"arch": "nova-3"}}}}), "60*71.67"),
    behind("ElevenLabs", "/elevenlabs/v1/text-to-speech/voice", {"text": "hello world", "model_id": "eleven_multilingual_v2"},
           Answer(b"ID3", "audio/mpeg"), "11*180"),
    behind("Replicate, by the second of what is not known", "/replicate/predictions", {"version": "abc"},
           js({"id": "p", "status": "succeeded", "metrics": {"predict_time": 2.0}}), "0", priced=False),
    behind("providers in the body", "", [{"provider": "openai", "endpoint": "chat/completions", "query": {
        "model": "gpt-4o-mini", "messages": []}}], chat("gpt-4o-mini"), MINI),
    behind("an owner before the model", "/compat/chat/completions", {"model": "grok/grok-3"}, chat("grok-3"),
           "1000*3 + 100*15"),
    behind("its own models by the common path", "/compat/chat/completions",
           {"model": "workers-ai/@cf/meta/llama-3.2-3b-instruct"}, chat("@cf/meta/llama-3.2-3b-instruct"),
           "1000*0.0509 + 100*0.335"),
    one("portkey: Converse", "api.portkey.ai", f"/model/{HAIKU}/converse", {}, CONVERSE, "1000*1.1 + 100*5.5"),
    one("helicone: Gemini", "gateway.helicone.ai", "/v1beta/models/gemini-2.5-flash:generateContent", {}, GOOGLE, FLASH),

    # Vercel's SDK names the model in a head; 0 is what a key of one's own costs at the gateway.
    one("vercel: its SDK", VERCEL, "/v1/ai/language-model", {"prompt": []}, js({"content": [], **SDK, **PAID}), "3500",
        source="provider", sent=ASKED),
    one("vercel: its SDK as a stream", VERCEL, "/v3/ai/language-model", {"prompt": []}, sse(
        {"type": "stream-start", "warnings": []}, {"type": "text-delta", "id": "0", "delta": "hi"},
        {"type": "finish", "finishReason": "stop", **SDK3, **PAID}, "[DONE]"), "3500", source="provider", sent=ASKED),
    one("vercel: its SDK with a key of one's own", VERCEL, "/v3/ai/language-model", {"prompt": []},
        js({"content": [], **SDK3, **BYOK}), "400*2.5 + 600*1.25 + 100*10", sent=ASKED),
    one("vercel: its SDK embeds", VERCEL, "/v3/ai/embedding-model", {"values": ["x"]},
        js({"embeddings": [[1]], "usage": {"tokens": 1000}}), "1000*0.02",
        sent=(("ai-embedding-model-id", "openai/text-embedding-3-small"),)),

    # docs.perplexity.ai/api-reference/async-sonar-post
    *[asked(f"perplexity: a job by {path}", (path, f"{path}/job{i}"), {
        "id": f"job{i}", "model": "sonar-deep-research", "status": "CREATED", "response": None}, [
            {"id": f"job{i}", "model": "sonar-deep-research", "status": "IN_PROGRESS", "response": None},
            *[{"id": f"job{i}", "model": "sonar-deep-research", "status": "COMPLETED", "response": {
                "id": "sonar", "model": "sonar-deep-research", "choices": [], "usage": {
                    "prompt_tokens": 33, "completion_tokens": 7163, "cost": {"total_cost": 0.816}}}}] * 2],
        "816000", {"request": {"model": "sonar-deep-research", "messages": []}})
      for i, path in enumerate(("/v1/async/sonar", "/async/chat/completions"))],
    one("perplexity: its path of today", PERPLEXITY, "/v1/sonar", {"model": "sonar"},
        chat("sonar", cost={"total_cost": 0.0061}), "6100", source="provider"),
    # docs.x.ai/developers/cost-tracking: a video's answer tells its cost as any other does.
    asked("xai: a video", ("/v1/videos/generations", "/v1/videos/v1"), {"request_id": "v1"}, [
        {"status": "pending"}, *[{"status": "done", "video": {"url": "x", "duration": 6}, "model": "grok-imagine-video",
                                  "usage": {"cost_in_usd_ticks": 3000000000}}] * 2],
          "300000", {"model": "grok-imagine-video", "prompt": "x", "duration": 6}, host="api.x.ai"),
    one("xai: a picture", "api.x.ai", "/v1/images/generations", {"model": "grok-imagine-image"},
        js({"data": [{"url": "x"}], "usage": {"cost_in_usd_ticks": 200000000}}), "20000", source="provider"),

    one("watsonx: a deployment", "us-south.ml.cloud.ibm.com", "/ml/v1/deployments/d/text/generation?version=2023-05-29",
        {"input": "x"}, js({"model_id": "ibm/granite-3-8b-instruct", "results": [
            {"generated_text": "x", "generated_token_count": 100, "input_token_count": 1000}]}), "1000*0.2 + 100*0.2"),
    one("watsonx: a deployment's chat", "us-south.ml.cloud.ibm.com", "/ml/v1/deployments/d/text/chat?version=2023-05-29",
        {"messages": []}, js({"model_id": "ibm/granite-3-8b-instruct", "choices": [], "usage": {
            "prompt_tokens": 1000, "completion_tokens": 100}}), "1000*0.2 + 100*0.2"),
    one("bedrock: a video that has no price", BEDROCK, "/async-invoke", {"modelId": "amazon.nova-reel-v1:0", "modelInput": {
        "videoGenerationConfig": {"durationSeconds": 6}}}, js({"invocationArn": "arn:aws:bedrock:us-east-1:1:async-invoke/x"}),
        "0", priced=False),
    one("bedrock: a reranker by its other host", "bedrock-agent-runtime.us-west-2.amazonaws.com", "/rerank", {
        "queries": [], "rerankingConfiguration": {"bedrockRerankingConfiguration": {"modelConfiguration": {
            "modelArn": "arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0"}}}},
        js({"results": [{"index": 0, "relevanceScore": 0.9}]}), "2000"),
    one("bedrock: what a router chose", BEDROCK,
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Adefault-prompt-router%2Fanthropic.claude%3A1/converse", {},
        js({"output": {}, "usage": {"inputTokens": 1000, "outputTokens": 100}, "trace": {"promptRouter": {
            "invokedModelId": f"arn:aws:bedrock:us-east-1:1:inference-profile/{HAIKU}"}}}), "1000*1.1 + 100*5.5"),
    one("gemini: a batch of its first version", GEMINI, "/v1/batches/v1b", None, js({"name": "batches/v1b", "done": True,
        "response": {"inlinedResponses": {"inlinedResponses": [{"response": {
            "candidates": [{"content": {}}], "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {"promptTokenCount": 500, "candidatesTokenCount": 50}}}]}}}), "500*0.15 + 50*1.25", method="GET",
        steps=(16384,)),
    one("gemini: texts that are embedded later", GEMINI, "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent", {},
        js({"name": "batches/e1", "metadata": {"state": "BATCH_STATE_PENDING"}}), "0", source="pending"),
    one("vertex: a tuned model's endpoint", VERTEX, "/v1/projects/1/locations/us-central1/endpoints/456:generateContent", {},
        GOOGLE, FLASH),

    # console.groq.com/docs/compound: at the prices of the models that it uses. gpt-oss-120b 0.15 and 0.6, Scout 0.11 and 0.34.
    one("groq: a system of two models", "api.groq.com", "/openai/v1/chat/completions", {"model": "groq/compound"}, js({
        "model": "groq/compound", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        "usage_breakdown": {"models": [
            {"model": "openai/gpt-oss-120b", "usage": {"prompt_tokens": 600, "completion_tokens": 60}},
            {"model": "meta-llama/llama-4-scout-17b-16e-instruct", "usage": {"prompt_tokens": 400, "completion_tokens": 40}}]}}),
        "600*0.15 + 60*0.6 + 400*0.11 + 40*0.34", tokens={"input": 1000, "output": 100}),
    one("deepinfra: its own figure", "api.deepinfra.com", "/v1/openai/chat/completions", {},
        chat("deepseek-ai/DeepSeek-V3", estimated_cost=0.0012), "1200", source="provider"),
    one("deepinfra: its own shape", "api.deepinfra.com", "/v1/inference/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        {"input": "x"}, js({"results": [{"generated_text": "x"}], "inference_status": {
            "status": "succeeded", "cost": 0.0012, "tokens_generated": 100, "tokens_input": 1000}}), "1200", source="provider"),
    # minimax/speech-2.6-hd 0.0001 a character; docs: base_resp has the error.
    one("minimax: speech", "api.minimax.io", "/v1/t2a_v2", {"model": "speech-2.6-hd", "text": "hello world"}, js({
        "data": {"audio": "00"}, "extra_info": {"usage_characters": 11}, "base_resp": {"status_code": 0}}), "11*100"),
    one("minimax: an error in a body of 200", "api.minimax.io", "/v1/text/chatcompletion_v2", {"model": "MiniMax-M2.5"},
        js({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "usage": None}), "0", source="free"),
    one("nvidia: a reranker without a price", "ai.api.nvidia.com", "/v1/retrieval/nvidia/x/reranking", {"model": "nvidia/x"},
        js({"rankings": [], "usage": {"prompt_tokens": 1000, "total_tokens": 1000}}), "0", priced=False),
    one("fal: another owner's model", "fal.run", "/bria/text-to-image/3.2", {"prompt": "x"},
        js({"images": [{"url": "x"}]}), "39800"),
    # Its pictures are not priced in the file, and the row says so.
    one("cohere: pictures that are embedded", "api.cohere.com", "/v2/embed", {"model": "embed-v4.0", "input_type": "image"},
        js({"embeddings": {}, "meta": {"billed_units": {"images": 1}}}), "0", priced=False),

    one("bedrock: a model with a context of so many thousands", BEDROCK, "/model/amazon.nova-micro-v1:0:128k/converse", {},
        CONVERSE, "1000*0.035 + 100*0.14"),
    # Whoever the path names is whose price it is.
    one("huggingface: a provider in the path", "router.huggingface.co", "/groq/openai/v1/chat/completions",
        {"model": "openai/gpt-oss-120b"}, chat("openai/gpt-oss-120b"), MINI),
    one("reka: a path that ends early", "api.reka.ai", "/v1/chat", {"model": "reka-core"}, js({
        "model": "reka-core", "responses": [], "usage": {"input_tokens": 1000, "output_tokens": 100}}), "0", priced=False),
    *[one(f"openai: a video's {what}", OPENAI, f"/v1/videos/{what}", {"model": "sora-2"}, js({
        "object": "video", "status": "queued", "model": "sora-2", "seconds": "8", "size": "720x1280"}), "8*100000")
      for what in ("edits", "extensions")],

    # It tells no dollars, so that whoever stands between and says "nothing" is not believed.
    one("openai: a cost that it never tells", OPENAI, CHAT, {"model": "gpt-4o-mini"}, chat("gpt-4o-mini", cost=0), MINI),
    *[one(f"openai: {name} that it never sends", OPENAI, CHAT, {"model": "gpt-4o-mini"}, js({
        "model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}, *fields), MINI)
      for name, fields in (("a gateway's cache", (("cf-aig-cache-status", "HIT"),)),
                           ("a gateway's cost", (("x-litellm-response-cost", "0.0"), ("x-litellm-cache-key", "x"))))],

    *[one(f"json: {name}", OPENAI, CHAT, {"model": "gpt-4o-mini"}, js({"model": model, "choices": [], "usage": usage}), MINI)
      for name, model, usage in (
          ("a class of less than nothing", "gpt-4o-mini", {"prompt_tokens": 1000, "completion_tokens": 100,
                                                           "prompt_tokens_details": {"cached_tokens": -1}}),
          ("the total alone tells the output", "gpt-4o-mini", {"prompt_tokens": 1000, "completion_tokens": None,
                                                               "total_tokens": 1100}),
          ("strings with a fraction and an exponent", "gpt-4o-mini", {"prompt_tokens": "1000.0", "completion_tokens": "1e2"}),
          ("a model in capitals", "GPT-4o-mini", {"prompt_tokens": 1000, "completion_tokens": 100}),
          ("a model between blanks", " gpt-4o-mini ", {"prompt_tokens": 1000, "completion_tokens": 100}))],
]
