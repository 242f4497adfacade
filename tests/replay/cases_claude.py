# SPDX-License-Identifier: Apache-2.0
"""Anthropic's dialect, wherever it is served."""
from bodies import (ANTHROPIC, BEDROCK, MESSAGES, OPENROUTER, VERTEX, Answer, Case, Exchange, aws, js, native, one, text, typed)

HAIKU = {"model": "claude-haiku-4-5"}                       # 1, write 1.25 and 2, read 0.1, out 5
LONG = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"      # 1.1 times


def message(model, content="x", stop="end_turn", **usage):
    return js({"id": "msg_1", "type": "message", "role": "assistant", "model": model,
               "content": [{"type": "text", "text": content}], "stop_reason": stop, "usage": usage})


def haiku(name, cost, request=None, **usage):
    return one(name, ANTHROPIC, MESSAGES, {**HAIKU, **(request or {})}, message("claude-haiku-4-5-20251001", **usage), cost)


def streamed(name, cost, start, delta, host=ANTHROPIC, path=MESSAGES, model="claude-haiku-4-5", **more):
    return one(name, host, path, {"model": model, "stream": True}, typed(
        {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
                                              "model": model, "usage": start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": delta},
        {"type": "message_stop"}), cost, **more)


def line(i, kind="succeeded", **usage):
    inner = {"message": {"type": "message", "model": "claude-opus-4-8", "content": [{"type": "text", "text": "x"}],
                         "stop_reason": "end_turn", "usage": {"service_tier": "batch", **usage}}} if usage else {"error": {}}
    return text({"custom_id": str(i), "result": {"type": kind, **inner}})


def vertex(model, location="global", method="rawPredict"):
    return f"/v1/projects/p/locations/{location}/publishers/anthropic/models/{model}:{method}"


CASES = [
    haiku("claude: every class at once", "3*1 + 100*1.25 + 200*2 + 5000*0.1 + 40*5", input_tokens=3,
          cache_creation_input_tokens=300, cache_read_input_tokens=5000, output_tokens=40, service_tier="standard",
          cache_creation={"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}, inference_geo="not_available"),
    haiku("claude: null where a split would be", "3*1 + 300*1.25 + 40*5", input_tokens=3, cache_creation_input_tokens=300,
          cache_read_input_tokens=None, cache_creation=None, server_tool_use=None, service_tier=None, output_tokens=40),
    haiku("claude: thinking is inside output", "10*1 + 900*5", input_tokens=10, output_tokens=900,
          output_tokens_details={"thinking_tokens": 850}),
    haiku("claude: a search and a page fetched", "4000*1 + 100*5 + 10000", input_tokens=4000, output_tokens=100,
          server_tool_use={"web_search_requests": 1, "web_fetch_requests": 4}),
    haiku("claude: code that was run costs its tokens", "4000*1 + 100*5", input_tokens=4000, output_tokens=100,
          server_tool_use={"web_search_requests": 0, "code_execution_requests": 2}),
    haiku("claude: max_tokens 0 warms the cache", "3*1 + 5000*1.25", {"max_tokens": 0}, input_tokens=3,
          cache_creation_input_tokens=5000, output_tokens=0),
    # claude-opus-4-6 and 4-7: fast 6 times (LiteLLM's rows); opus-5 twice.
    one("claude: fast at Opus 4.6", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-6", "speed": "fast"},
        message("claude-opus-4-6", input_tokens=1000, output_tokens=100, speed="fast"), "6000*5 + 600*25"),
    one("claude: fast with a cache", ANTHROPIC, MESSAGES, {"model": "claude-opus-5", "speed": "fast"},
        message("claude-opus-5", input_tokens=1000, cache_read_input_tokens=10000, output_tokens=100, speed="fast"),
        "2000*5 + 20000*0.5 + 200*25"),
    one("claude: fast in the US", ANTHROPIC, MESSAGES, {"model": "claude-opus-5", "speed": "fast"},
        message("claude-opus-5", input_tokens=1000, output_tokens=100, speed="fast", inference_geo="us"),
        "2200*5 + 220*25"),
    one("claude: fast was asked, the usual speed served", ANTHROPIC, MESSAGES, {"model": "claude-opus-5", "speed": "fast"},
        message("claude-opus-5", input_tokens=1000, output_tokens=100, speed="standard"), "1000*5 + 100*25"),
    one("claude: in the US, all classes", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-5"},
        message("claude-sonnet-5", input_tokens=1000, cache_read_input_tokens=2000, output_tokens=100, inference_geo="us",
                cache_creation_input_tokens=500, cache_creation={"ephemeral_5m_input_tokens": 0,
                                                                 "ephemeral_1h_input_tokens": 500}),
        "1100*2 + 2200*0.2 + 550*4 + 110*10"),
    one("claude: in the US, a search costs as elsewhere", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-5"},
        message("claude-sonnet-5", input_tokens=1000, output_tokens=100, inference_geo="us",
                server_tool_use={"web_search_requests": 2}), "1100*2 + 110*10 + 20000"),
    # A sum of 1,000,000 at a model without a dear long context.
    one("claude: long context at the usual price", ANTHROPIC, MESSAGES, {"model": "claude-opus-4-8"},
        message("claude-opus-4-8", input_tokens=600000, output_tokens=100), "600000*5 + 100*25"),
    one("claude: long context and writes for an hour", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-4-5"},
        message("claude-sonnet-4-5-20250929", input_tokens=1000, cache_creation_input_tokens=250000, output_tokens=100,
                cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 250000}),
        "1000*6 + 250000*12 + 100*22.5"),
    # An alias: the answer's name decides.
    one("claude: an alias that points elsewhere", ANTHROPIC, MESSAGES, {"model": "claude-sonnet-latest"},
        message("claude-sonnet-5", input_tokens=1000, output_tokens=100), "1000*2 + 100*10"),
    one("claude: fallback answered", ANTHROPIC, MESSAGES, {"model": "claude-fable-5-1"},
        js({"type": "message", "model": "claude-opus-4-8", "content": [{"type": "text", "text": "x"}], "usage": {
            "input_tokens": 1000, "output_tokens": 100, "iterations": [
                {"type": "message", "model": "claude-fable-5-1", "input_tokens": 1000, "output_tokens": 0},
                {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 100}]}}),
        "1000*5 + 100*25"),
    one("claude: tools only, no text", ANTHROPIC, MESSAGES, HAIKU, js({
        "type": "message", "model": "claude-haiku-4-5", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "input": {"usage": {"input_tokens": 9, "output_tokens": 9}}}],
        "usage": {"input_tokens": 1000, "output_tokens": 100}}), "1000*1 + 100*5"),
    one("claude: paused in a search", ANTHROPIC, MESSAGES, HAIKU, js({
        "type": "message", "model": "claude-haiku-4-5", "stop_reason": "pause_turn",
        "content": [{"type": "server_tool_use", "name": "web_search"}, {"type": "web_search_tool_result", "content": {
            "type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}],
        "usage": {"input_tokens": 1000, "output_tokens": 100, "server_tool_use": {"web_search_requests": 0}}}), "1000*1 + 100*5"),
    one("claude: a prompt that is too long is no refusal of a bill", ANTHROPIC, MESSAGES, HAIKU,
        message("claude-haiku-4-5", stop="model_context_window_exceeded", input_tokens=190000, output_tokens=10000),
        "190000*1 + 10000*5"),

    streamed("claude: the start tells a cache of both times", "3*1 + 100*1.25 + 200*2 + 5000*0.1 + 40*5",
             {"input_tokens": 3, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 5000, "output_tokens": 4,
              "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}, {"output_tokens": 40}),
    streamed("claude: the end repeats the start", "3*1 + 300*2 + 5000*0.1 + 40*5",
             {"input_tokens": 3, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 5000, "output_tokens": 4,
              "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300}},
             {"input_tokens": 3, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 5000, "output_tokens": 40}),
    streamed("claude: the end tells null", "3*1 + 5000*0.1 + 40*5",
             {"input_tokens": 3, "cache_read_input_tokens": 5000, "output_tokens": 4},
             {"input_tokens": None, "cache_creation_input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 40}),
    streamed("claude: the start is all noughts", "1000*1 + 2000*0.1 + 40*5", {"input_tokens": 0, "output_tokens": 0},
             {"input_tokens": 1000, "cache_read_input_tokens": 2000, "output_tokens": 40}),
    streamed("claude: a stream that puts out nothing more", "1000*1 + 1*5", {"input_tokens": 1000, "output_tokens": 1},
             {"output_tokens": 1}),
    streamed("claude: fast, as a stream", "2000*5 + 200*25", {"input_tokens": 1000, "output_tokens": 1, "speed": "fast"},
             {"output_tokens": 100}, model="claude-opus-5"),
    streamed("claude: in the US, as a stream", "1100*2 + 110*10",
             {"input_tokens": 1000, "output_tokens": 1, "inference_geo": "us"}, {"output_tokens": 100}, model="claude-sonnet-5"),
    streamed("claude: compaction in a stream", "220*1 + 30*5 + 55196*1 + 300*5", {"input_tokens": 220, "output_tokens": 1},
             {"input_tokens": 220, "output_tokens": 30, "iterations": [
                 {"type": "compaction", "input_tokens": 55196, "output_tokens": 300},
                 {"type": "message", "input_tokens": 220, "output_tokens": 30}]}),
    streamed("claude: OpenRouter's skin tells the bill at the end", "1500", {"input_tokens": 1000, "output_tokens": 1},
             {"output_tokens": 100, "cost": 0.0015}, host=OPENROUTER, path="/api/v1/messages",
             model="anthropic/claude-haiku-4.5", source="provider"),
    streamed("claude: DeepSeek's skin", "1000*0.28 + 2000*0.028 + 100*0.42",
             {"input_tokens": 1000, "cache_read_input_tokens": 2000, "output_tokens": 0}, {"output_tokens": 100},
             host="api.deepseek.com", path="/anthropic/v1/messages", model="deepseek-chat"),
    streamed("claude: Moonshot's skin", "1000*0.6 + 100*3", {"input_tokens": 1000, "output_tokens": 0}, {"output_tokens": 100},
             host="api.moonshot.ai", path="/anthropic/v1/messages", model="kimi-k2.5"),
    streamed("claude: Z.ai's skin tells all at the end", "1000*0.6 + 3000*0.11 + 100*2.2",
             {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 3000},
             host="api.z.ai", path="/api/anthropic/v1/messages", model="glm-4.6"),
    streamed("claude: MiniMax's skin", "1000*0.3 + 100*1.2", {"input_tokens": 1000, "output_tokens": 0},
             {"output_tokens": 100}, host="api.minimax.io", path="/anthropic/v1/messages", model="MiniMax-M2"),
    streamed("claude: a server of one's own, by its header", "0", {"input_tokens": 1000, "output_tokens": 0},
             {"output_tokens": 100}, host="ollama.com", path="/v1/messages", model="qwen3-coder"),
    # A cut: what was told and delivered.
    one("claude: cut when it had told its output", ANTHROPIC, MESSAGES, {**HAIKU, "stream": True}, typed(
        {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}}),
        "1000*1 + 100*5", cut=True),

    Case("claude: a batch, three lines of four billed", [
        Exchange(ANTHROPIC, MESSAGES + "/batches/msgbatch_31/results", Answer("\n".join((
            line(1, input_tokens=1000, output_tokens=100), line(2, "errored"),
            line(3, input_tokens=10, cache_creation_input_tokens=1000, output_tokens=100,
                 cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000}),
            line(4, input_tokens=10, cache_read_input_tokens=1000, output_tokens=100), "")).encode(),
            "application/binary"), None, "GET")], "510*5 + 500*10 + 500*0.5 + 150*25", steps=(16384,)),
    Case("claude: a batch is cancelled, its results have what was done", [
        Exchange(ANTHROPIC, MESSAGES + "/batches/msgbatch_32/cancel", js({"id": "msgbatch_32", "processing_status": "canceling"}),
                 b""),
        Exchange(ANTHROPIC, MESSAGES + "/batches/msgbatch_32/results?limit=20", Answer((
            line(1, input_tokens=1000, output_tokens=100) + "\n" + line(2, "canceled")).encode(), "application/x-jsonl",
            chunked=True), None, "GET")], "500*5 + 50*25", steps=(16384,)),
    Case("claude: a batch with fast and searches", [
        Exchange(ANTHROPIC, MESSAGES + "/batches/msgbatch_33/results", Answer((
            line(1, input_tokens=1000, output_tokens=100, server_tool_use={"web_search_requests": 1}) + "\n").encode(),
            "application/x-jsonl"), None, "GET")], "500*5 + 50*25 + 10000", steps=(16384,)),

    # Vertex, Bedrock, Foundry.
    one("claude: Vertex's version is its date", VERTEX, vertex("claude-haiku-4-5@20251001"), {"anthropic_version": "vertex-2023-10-16"},
        message("claude-haiku-4-5-20251001", input_tokens=1000, cache_read_input_tokens=1000, output_tokens=100),
        "1000*1 + 1000*0.1 + 100*5"),
    streamed("claude: Vertex, a stream at us", "1100*1 + 110*5", {"input_tokens": 1000, "output_tokens": 1},
             {"output_tokens": 100}, host="aiplatform.us.rep.googleapis.com",
             path=vertex("claude-haiku-4-5", "us", "streamRawPredict"), model="claude-haiku-4-5-20251001"),
    one("claude: Bedrock, global", BEDROCK, "/model/global.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
        {"anthropic_version": "bedrock-2023-05-31"}, message("claude-haiku-4-5-20251001", input_tokens=1000, output_tokens=100),
        "1000*1 + 100*5"),
    one("claude: Bedrock, a stream cut by an exception", BEDROCK, f"/model/{LONG}/converse-stream", {},
        aws(("messageStart", {"role": "assistant"}), ("contentBlockDelta", {"delta": {"text": "x"}}),
            ("metadata", {"usage": {"inputTokens": 1000, "outputTokens": 100}}),
            ("throttlingException", {"message": "slow"}, "exception")), "1000*1.1 + 100*5.5"),
    one("claude: Bedrock, writes of both times in Converse", BEDROCK, f"/model/{LONG}/converse", {},
        js({"usage": {"inputTokens": 10, "outputTokens": 20, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 3000,
                      "totalTokens": 3030, "cacheDetails": [{"ttl": "1h", "inputTokens": 1000},
                                                            {"ttl": "5m", "inputTokens": 2000}]}}),
        "10*1.1 + 1000*2.2 + 2000*1.375 + 20*5.5"),
    one("claude: Bedrock, split in the native stream", BEDROCK, f"/model/{LONG}/invoke-with-response-stream", {},
        native({"type": "message_start", "message": {"model": "claude-haiku-4-5-20251001", "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 3000, "cache_creation": {
                "ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000}, "output_tokens": 1}}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": 10, "outputTokenCount": 20, "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 3000}}),
        "10*1.1 + 1000*1.375 + 2000*2.2 + 20*5.5"),
    Case("claude: cut behind a count that goes on", [Exchange(ANTHROPIC, MESSAGES, typed(
        {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 60}},
        ), {**HAIKU, "stream": True})], "1000*1 + 60*5", source="partial", cut=True),
    Case("claude: cut behind a count that goes on, Bedrock", [Exchange(BEDROCK, f"/model/{LONG}/invoke-with-response-stream", native(
        {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 60}}), {})],
        "1000*1.1 + 60*5.5", source="partial", cut=True),
    Case("claude: cut behind the last count", [Exchange(ANTHROPIC, MESSAGES, typed(
        {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 60}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 120}}),
        {**HAIKU, "stream": True})], "1000*1 + 120*5", cut=True),
    one("claude: Mantle's stream", "bedrock-mantle.us-west-2.api.aws", "/anthropic/v1/messages",
        {"model": "anthropic.claude-opus-4-8", "stream": True}, typed(
            {"type": "message_start", "message": {"model": "anthropic.claude-opus-4-8", "usage": {"input_tokens": 1000}}},
            {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 100}}, {"type": "message_stop"}),
        "1000*5 + 100*25"),
    one("claude: Foundry's stream", "acme.services.ai.azure.com", "/anthropic/v1/messages", {**HAIKU, "stream": True}, typed(
        {"type": "message_start", "message": {"model": "claude-haiku-4-5-20251001", "usage": {"input_tokens": 1000}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 100}}, {"type": "message_stop"}), "1000*1 + 100*5"),
    Case("claude: counts, files and models between calls are free", [
        Exchange(VERTEX, vertex("count-tokens"), js({"input_tokens": 1000}), {"model": "claude-haiku-4-5"}),
        Exchange(VERTEX, vertex("claude-haiku-4-5"), message("claude-haiku-4-5", input_tokens=1000, output_tokens=100), {})],
        "1000*1 + 100*5"),
    Case("claude: files are free", [
        Exchange(ANTHROPIC, "/v1/files", js({"id": "file_1", "type": "file", "size_bytes": 5}), b"x" * 500),
        Exchange(ANTHROPIC, "/v1/skills", js({"data": []}), None, "GET"),
        Exchange(ANTHROPIC, MESSAGES, message("claude-haiku-4-5", input_tokens=1000, output_tokens=100), HAIKU)],
        "1000*1 + 100*5"),
]
