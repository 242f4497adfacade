# SPDX-License-Identifier: Apache-2.0
"""Classes of the cache, tiers, thresholds, places, gateways' own figures."""
from bodies import (ANTHROPIC, AZURE, BEDROCK, CHAT, GEMINI, MESSAGES, OPENAI, OPENROUTER, RESPONSES, VERTEX, js, one,
                    sse, typed)


def claude(model, **usage):
    return js({"type": "message", "model": model, "content": [{"type": "text", "text": "x"}],
               "stop_reason": "end_turn", "usage": usage})


def chat(model, prompt, completion, **more):
    return js({"object": "chat.completion", "model": model, "choices": [{"message": {"content": "x"}}],
               "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}})


def response(model, prompt, completion, details=None, **more):
    return js({"id": "resp_1", "object": "response", "status": "completed", "model": model, "output": [], "usage": {
        "input_tokens": prompt, "output_tokens": completion, "input_tokens_details": details or {}}, **more})


def gemini(model, tier=None, traffic=None, **usage):
    if tier:
        usage["serviceTier"] = tier
    if traffic:
        usage["trafficType"] = traffic
    return js({"candidates": [{}], "usageMetadata": usage, "modelVersion": model})


def generate(model):
    return f"/v1beta/models/{model}:generateContent"


def vertex(model, location="global", publisher="google", method="generateContent"):
    return f"/v1/projects/p/locations/{location}/publishers/{publisher}/models/{model}:{method}"


CASES = [
    # claude-haiku-4-5: in 1, write 1.25 and 2, read 0.1, out 5.
    one("Claude: both times to live", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5-20251001", input_tokens=7, cache_creation_input_tokens=3000,
               cache_read_input_tokens=4000, cache_creation={"ephemeral_5m_input_tokens": 1000,
                                                            "ephemeral_1h_input_tokens": 2000}, output_tokens=11),
        "7*1 + 1000*1.25 + 2000*2 + 4000*0.1 + 11*5"),
    one("Claude: a write without its times", ANTHROPIC, MESSAGES + "?beta=true", {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5", input_tokens=7, cache_creation_input_tokens=3000, output_tokens=11),
        "7*1 + 3000*1.25 + 11*5"),
    one("Claude: the split of the writes alone", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5", input_tokens=7, output_tokens=11,
               cache_creation={"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}),
        "7*1 + 10*1.25 + 20*2 + 11*5"),
    # claude-opus-4-8: in 5, out 25; fast 2 times, in the US 1.1 times.
    one("Claude: fast", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-8", "speed": "fast"},
        claude("claude-opus-4-8", input_tokens=1000, output_tokens=100, speed="fast"), "2000*5 + 200*25"),
    one("Claude: in the US", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-8"},
        claude("claude-opus-4-8", input_tokens=1000, output_tokens=100, inference_geo="us"), "1100*5 + 110*25"),
    one("Claude: anywhere, at the usual tier", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-8"},
        claude("claude-opus-4-8", input_tokens=1000, output_tokens=100, inference_geo="global",
               service_tier="standard", speed="standard"), "1000*5 + 100*25"),
    # claude-sonnet-4-5 beyond 200,000 tokens, cached ones included: 6, read 0.6, out 22.5.
    one("Claude: beyond its threshold by what was cached", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-4-5"},
        claude("claude-sonnet-4-5-20250929", input_tokens=1000, cache_read_input_tokens=199001, output_tokens=10),
        "1000*6 + 199001*0.6 + 10*22.5"),
    one("Claude: at its threshold", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-4-5"},
        claude("claude-sonnet-4-5-20250929", input_tokens=1000, cache_read_input_tokens=199000, output_tokens=10),
        "1000*3 + 199000*0.3 + 10*15"),
    one("Claude: searches in a stream", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-8", "stream": True},
        typed({"type": "message_start", "message": {"model": "claude-opus-4-8", "usage": {
                  "input_tokens": 1000, "output_tokens": 1}}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {
                  "input_tokens": 9000, "output_tokens": 100,
                  "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 2}}},
              {"type": "message_stop"}), "9000*5 + 100*25 + 3*10000"),
    # Compaction at the model's own price, an advisor at Opus's; both beside the sum.
    one("Claude: iterations", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5", input_tokens=220, output_tokens=30, iterations=[
            {"type": "compaction", "input_tokens": 5000, "output_tokens": 300},
            {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 200},
            {"type": "message", "input_tokens": 220, "output_tokens": 30}]),
        "220*1 + 30*5 + 5000*1 + 300*5 + 1000*5 + 200*25"),
    # gpt-5.6: in 4, read 0.4, write 5, out 20.
    one("OpenAI: read and written", OPENAI, CHAT, {"model": "gpt-5.6"},
        chat("gpt-5.6", 10000, 100, prompt_tokens_details={"cached_tokens": 6000, "cache_write_tokens": 3000}),
        "1000*4 + 6000*0.4 + 3000*5 + 100*20"),
    # gpt-5.4: flex 1.25 and 7.5; over 272,000 2 times in and 1.5 times out of it.
    one("OpenAI: flex", OPENAI, RESPONSES, {"model": "gpt-5.4", "service_tier": "flex"},
        response("gpt-5.4-2026-03-05", 1000, 100, service_tier="flex"), "1000*1.25 + 100*7.5"),
    one("OpenAI: flex was asked and not served", OPENAI, RESPONSES, {"model": "gpt-5.4", "service_tier": "flex"},
        response("gpt-5.4", 1000, 100, service_tier="default"), "1000*2.5 + 100*15"),
    one("OpenAI: flex and long", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", 300000, 100, service_tier="flex"), "300000*2.5 + 100*11.25"),
    one("OpenAI: in Europe, with priority", "eu.api.openai.com", RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", 1000, 100, service_tier="priority"), "1100*5 + 110*30"),
    one("OpenAI: a search in Europe costs as elsewhere", "eu.api.openai.com", RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", 1000, 100, output=[{"type": "web_search_call"}, {"type": "message"}]),
        "1100*2.5 + 110*15 + 10000"),
    one("DeepSeek: hit and miss", "api.deepseek.com", "/chat/completions", {"model": "deepseek-chat"},
        chat("deepseek-chat", 1000, 100, prompt_cache_hit_tokens=640, prompt_cache_miss_tokens=360,
             completion_tokens_details={"reasoning_tokens": 40}), "360*0.28 + 640*0.028 + 100*0.42"),
    # kimi-k2.5: in 0.6, read 0.1, out 3; its cached_tokens stand in usage itself.
    one("Moonshot: cached tokens without details", "api.moonshot.ai", CHAT, {"model": "kimi-k2.5"},
        chat("kimi-k2.5", 1000, 100, cached_tokens=768), "232*0.6 + 768*0.1 + 100*3"),
    # gemini-2.5-pro over 200,000: 2.5, read 0.25, out 15.
    one("Gemini: long, cached and thinking", GEMINI, generate("gemini-2.5-pro"), {},
        gemini("gemini-2.5-pro", promptTokenCount=250000, cachedContentTokenCount=200000, candidatesTokenCount=100,
               thoughtsTokenCount=900, totalTokenCount=251000), "50000*2.5 + 200000*0.25 + 1000*15"),
    one("Gemini: what its tools read is input", GEMINI, generate("gemini-2.5-flash"), {},
        gemini("gemini-2.5-flash", promptTokenCount=100, toolUsePromptTokenCount=900, candidatesTokenCount=10,
               totalTokenCount=1010), "1000*0.3 + 10*2.5"),
    one("Vertex: flex by its traffic", VERTEX, vertex("gemini-2.5-flash"), {},
        gemini("gemini-2.5-flash", traffic="ON_DEMAND_FLEX", promptTokenCount=1000, candidatesTokenCount=100),
        "500*0.3 + 50*2.5"),
    one("Vertex: priority by its traffic", VERTEX, vertex("gemini-3-flash-preview"), {},
        gemini("gemini-3-flash-preview", traffic="ON_DEMAND_PRIORITY", promptTokenCount=1000, candidatesTokenCount=100),
        "1000*0.9 + 100*5.4"),
    one("Vertex: provisioned", VERTEX, vertex("gemini-2.5-flash"), {},
        gemini("gemini-2.5-flash", traffic="PROVISIONED_THROUGHPUT", promptTokenCount=1000, candidatesTokenCount=100),
        "0"),
    # vertex_ai/claude-sonnet-4-5: 3 and 15, in a region 1.1 times.
    one("Vertex: Claude as a stream in a region", "europe-west1-aiplatform.googleapis.com",
        vertex("claude-sonnet-4-5@20250929", "europe-west1", "anthropic", "streamRawPredict"),
        {"anthropic_version": "vertex-2023-10-16", "stream": True},
        typed({"type": "message_start", "message": {"model": "claude-sonnet-4-5-20250929", "usage": {
                  "input_tokens": 1000, "cache_read_input_tokens": 2000, "output_tokens": 2}}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
              {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 100}},
              {"type": "message_stop"}), "1100*3 + 2200*0.3 + 110*15"),
    one("Vertex: Claude in Europe as a whole", "aiplatform.eu.rep.googleapis.com",
        vertex("claude-sonnet-4-5@20250929", "eu", "anthropic", "rawPredict"), {},
        claude("claude-sonnet-4-5-20250929", input_tokens=1000, output_tokens=100), "1100*3 + 110*15"),
    # Bedrock: us. claude-haiku-4-5 1.1, 5.5, read 0.11, write 1.375.
    one("Bedrock: what a header says was cached", BEDROCK,
        "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke", {"anthropic_version": "bedrock-2023-05-31"},
        js({"type": "message", "model": "claude-haiku-4-5-20251001", "content": [{"type": "text"}], "usage": {
            "input_tokens": 3, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 100, "output_tokens": 10}},
           ("X-Amzn-Bedrock-Input-Token-Count", "3"), ("X-Amzn-Bedrock-Output-Token-Count", "10"),
           ("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "900"),
           ("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "100")),
        "3*1.1 + 900*0.11 + 100*1.375 + 10*5.5"),
    one("OpenRouter: a key of one's own, as a stream", OPENROUTER, "/api/v1/chat/completions",
        {"model": "anthropic/claude-sonnet-4.5", "stream": True},
        sse({"model": "anthropic/claude-sonnet-4.5", "choices": [{"delta": {"content": "x"}}]},
            {"model": "anthropic/claude-sonnet-4.5", "choices": [], "usage": {
                "prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.000225, "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.0045, "upstream_inference_prompt_cost": 0.003}}},
            "[DONE]"), "225 + 4500", source="provider"),
    one("OpenRouter: Responses", OPENROUTER, "/api/v1/responses", {"model": "openai/gpt-5-mini", "stream": True},
        typed({"type": "response.completed", "response": {"model": "openai/gpt-5-mini", "status": "completed", "usage": {
            "input_tokens": 1000, "output_tokens": 100, "cost": 0.00123, "is_byok": False}}}), "1230", source="provider"),
    one("OpenRouter: Messages", OPENROUTER, "/api/v1/messages", {"model": "anthropic/claude-haiku-4.5", "stream": True},
        typed({"type": "message_start", "message": {"model": "anthropic/claude-haiku-4.5", "usage": {
                  "input_tokens": 0, "output_tokens": 0}}},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {
                  "input_tokens": 1000, "output_tokens": 100, "cost": 0.0015, "is_byok": False}},
              {"type": "message_stop"}), "1500", source="provider"),
    one("OpenRouter: no completion, no charge", OPENROUTER, "/api/v1/chat/completions", {"model": "openai/gpt-4o"},
        js({"model": "openai/gpt-4o", "choices": [{"finish_reason": "error", "message": {"content": ""}}], "usage": {
            "prompt_tokens": 1000, "completion_tokens": 0, "cost": 0}}), "0", source="provider"),
    one("xAI: ticks of a chat", "api.x.ai", CHAT, {"model": "grok-4"},
        chat("grok-4", 100, 27, total_tokens=397, completion_tokens_details={"reasoning_tokens": 270},
             cost_in_usd_ticks=47550000), "4755", source="provider", tokens={"output": 297}),
    one("xAI: ticks of a stream of Responses", "api.x.ai", RESPONSES, {"model": "grok-4", "stream": True},
        typed({"type": "response.completed", "response": {"model": "grok-4", "usage": {
            "input_tokens": 100, "output_tokens": 50, "cost_in_usd_ticks": 10500000, "num_sources_used": 2}}}),
        "1050", source="provider"),
    # grok-4: 3 and 15; a source of live search 0.025 USD (docs.x.ai, live search).
    one("xAI: sources of live search", "api.x.ai", CHAT, {"model": "grok-4", "search_parameters": {"mode": "auto"}},
        chat("grok-4", 1000, 100, num_sources_used=4), "1000*3 + 100*15 + 4*25000"),
    one("Perplexity: the total", "api.perplexity.ai", "/chat/completions", {"model": "sonar-pro"},
        chat("sonar-pro", 8, 400, citation_tokens=100, num_search_queries=1, search_context_size="low",
             cost={"input_tokens_cost": 0.00002, "output_tokens_cost": 0.006, "request_cost": 0.006, "total_cost": 0.01202}),
        "12020", source="provider"),
    one("LiteLLM: its header", "gateway.example.com", MESSAGES, {"model": "alias"},
        js({"type": "message", "model": "alias", "content": [{"type": "text"}],
            "usage": {"input_tokens": 1000, "output_tokens": 100}}, ("x-litellm-response-cost", "0.00345")),
        "3450", source="provider", sent=(("anthropic-version", "2023-06-01"),)),
    # At Cloudflare's gateway the model says whose price it is; what its cache answers nobody bills.
    one("Cloudflare: OpenAI behind it", "gateway.ai.cloudflare.com", "/v1/acc/gw/openai/chat/completions",
        {"model": "gpt-4o-mini"}, chat("gpt-4o-mini-2024-07-18", 1000, 100), "1000*0.15 + 100*0.6"),
    one("Cloudflare: any behind it", "gateway.ai.cloudflare.com", "/v1/acc/gw/compat/chat/completions",
        {"model": "anthropic/claude-haiku-4-5"}, chat("claude-haiku-4-5-20251001", 1000, 100), "1000*1 + 100*5"),
    one("Cloudflare: Claude behind it", "gateway.ai.cloudflare.com", "/v1/acc/gw/anthropic/v1/messages",
        {"model": "claude-haiku-4-5"}, claude("claude-haiku-4-5", input_tokens=1000, output_tokens=100),
        "1000*1 + 100*5"),
    one("Cloudflare: from its cache", "gateway.ai.cloudflare.com", "/v1/acc/gw/openai/chat/completions",
        {"model": "gpt-4o-mini"}, js({"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
                                     ("cf-aig-cache-status", "HIT")), "0", source="provider"),
    one("Cloudflare: not from its cache", "gateway.ai.cloudflare.com", "/v1/acc/gw/openai/chat/completions",
        {"model": "gpt-4o-mini"}, js({"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
                                     ("cf-aig-cache-status", "MISS")), "1000*0.15 + 100*0.6"),
    one("Portkey: from its cache, by meaning", "api.portkey.ai", "/v1/chat/completions", {"model": "gpt-4o-mini"},
        js({"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
           ("x-portkey-cache-status", "SEMANTIC HIT")), "0", source="provider"),
    one("Helicone: Claude behind it", "anthropic.helicone.ai", "/v1/messages", {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5", input_tokens=1000, output_tokens=100), "1000*1 + 100*5"),
    one("Azure: the answer knows the model", AZURE, "/openai/deployments/prod/chat/completions?api-version=2024-10-21",
        {"messages": []}, chat("gpt-4o-2024-08-06", 1000, 100, prompt_tokens_details={"cached_tokens": 500}),
        "500*2.5 + 500*1.25 + 100*10"),
    one("Azure: Claude in Foundry", "acme.services.ai.azure.com", "/anthropic/v1/messages", {"model": "claude-haiku-4-5"},
        claude("claude-haiku-4-5", input_tokens=1000, output_tokens=100), "1000*1 + 100*5"),
    one("tuned, in a batch's price", OPENAI, CHAT, {"model": "ft:gpt-4.1-mini-2025-04-14:acme::abc"},
        chat("ft:gpt-4.1-mini-2025-04-14:acme::abc", 1000, 100), "1000*0.8 + 100*3.2"),
    one("a subscription", "chatgpt.com", "/backend-api/codex/responses", {"model": "gpt-5.4", "stream": True},
        typed({"type": "response.completed", "response": {"model": "gpt-5.4", "usage": {
            "input_tokens": 1000, "output_tokens": 100}}}), "0", tokens={"input": 1000, "output": 100}),
]
