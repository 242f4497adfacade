# SPDX-License-Identifier: Apache-2.0
"""Where usage stands, however it is framed: Amazon's event streams, events of any writing, odd HTTP."""
import gzip
import json
import zlib

from bodies import (ANTHROPIC, BEDROCK, CHAT, GEMINI, MESSAGES, OPENAI, RESPONSES, VERTEX, Answer, aws, js, native, one,
                    sse, text, typed)

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"     # in 1.1, read 0.11, write 1.375 and 2.2, out 5.5
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
MINI = "1000*0.15 + 100*0.6"                                # gpt-4o-mini
ASKED = {"model": "gpt-4o-mini", "stream": True, "stream_options": {"include_usage": True}}
HELLO = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "Hello"}}], "usage": None}
LAST = {"model": "gpt-4o-mini", "choices": [], "usage": USAGE}
CHAT_JSON = {"object": "chat.completion", "model": "gpt-4o-mini", "choices": [{"message": {"content": "x"}}],
             "usage": USAGE}


def converse(model, *messages, **more):
    return one(more.pop("name"), BEDROCK, f"/model/{model}/converse-stream", {}, aws(*messages), more.pop("cost"), **more)


def invoke(name, model, events, cost, request=None, **more):
    return one(name, BEDROCK, f"/model/{model}/invoke-with-response-stream", request or {}, native(*events), cost, **more)


def framed(name, answer, **more):
    return one(name, OPENAI, CHAT, {"model": "gpt-4o-mini"}, answer, MINI, **more)


def streamed(name, answer, **more):
    return one(name, OPENAI, CHAT, ASKED, answer, MINI, **more)


def chunks(body, *sizes, extension="", trailer=""):
    out, at = b"", 0
    for size in (*sizes, len(body)):
        piece = body[at:at + size]
        at += len(piece)
        if piece:
            out += b"%X%s\r\n%s\r\n" % (len(piece), extension.encode(), piece)
    return out + b"0\r\n" + trailer.encode() + b"\r\n"


def deflated(body):
    made = zlib.compressobj(wbits=-15)
    return made.compress(body) + made.flush()


PLAIN = text(CHAT_JSON).encode()

CASES = [
    converse(HAIKU, ("messageStart", {"role": "assistant"}),
             ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}, "p": "abc"}),
             ("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": "end_turn"}),
             ("metadata", {"usage": {"inputTokens": 12, "outputTokens": 8, "totalTokens": 5020,
                                     "cacheReadInputTokens": 3000, "cacheWriteInputTokens": 2000,
                                     "cacheDetails": [{"ttl": "1h", "inputTokens": 2000}]},
                           "metrics": {"latencyMs": 10}, "p": "abcd"}),
             name="Converse: a stream that writes for an hour", cost="12*1.1 + 3000*0.11 + 2000*2.2 + 8*5.5"),
    converse(HAIKU, ("messageStart", {"role": "assistant"}),
             ("contentBlockDelta", {"delta": {"reasoningContent": {"text": "Hm"}}, "contentBlockIndex": 0}),
             ("contentBlockDelta", {"delta": {"toolUse": {"input": "{\"usage\":{\"inputTokens\":9}}"}}}),
             ("metadata", {"trace": {"guardrail": {"usage": {"topicPolicyUnits": 4, "inputTokens": 7}}},
                           "usage": {"inputTokens": 12, "outputTokens": 8, "totalTokens": 20}}),
             name="Converse: a guardrail's trace before the usage", cost="12*1.1 + 8*5.5"),
    converse("openai.gpt-oss-120b-1%3A0", ("metadata", {
        "usage": {"inputTokens": 1000, "outputTokens": 100}, "serviceTier": {"type": "flex"}}),
        name="Converse: a tier in the metadata", cost="500*0.15 + 50*0.6"),
    # mistral-large-2407: 3 and 9.
    invoke("invoke: Mistral's own events", "mistral.mistral-large-2407-v1%3A0",
           [{"outputs": [{"text": "Hi", "stop_reason": None}]},
            {"outputs": [{"text": "", "stop_reason": "stop"}], "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": 1000, "outputTokenCount": 100, "invocationLatency": 5, "firstByteLatency": 3}}],
           "1000*3 + 100*9"),
    invoke("invoke: Claude with what was cached in the metrics", HAIKU,
           [{"type": "message_start", "message": {"model": "claude-haiku-4-5-20251001", "usage": {
               "input_tokens": 3, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 0, "output_tokens": 1}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 10}},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": 3, "outputTokenCount": 10, "cacheReadInputTokenCount": 900,
                "cacheWriteInputTokenCount": 0}}], "3*1.1 + 900*0.11 + 10*5.5"),
    invoke("invoke: OpenAI's shape", "openai.gpt-oss-120b-1%3A0",
           [{"model": "openai.gpt-oss-120b-1:0", "choices": [{"delta": {"content": "x"}}]},
            {"model": "openai.gpt-oss-120b-1:0", "choices": [], "usage": USAGE,
             "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000, "outputTokenCount": 100}}],
           "1000*0.15 + 100*0.6"),
    # titan-embed-text-v1 0.1; cohere.embed-english-v3 0.1: their counts in the body and in a header.
    one("Titan: a text that is embedded", BEDROCK, "/model/amazon.titan-embed-text-v1/invoke", {"inputText": "x"},
        js({"embedding": [0.1], "inputTextTokenCount": 70}), "70*0.1"),
    one("Cohere's embedder at Bedrock", BEDROCK, "/model/cohere.embed-english-v3/invoke", {"texts": ["x"]},
        js({"embeddings": [[0.1]], "id": "x", "response_type": "embeddings_floats"},
           ("X-Amzn-Bedrock-Input-Token-Count", "70")), "70*0.1"),
    # amazon.rerank-v1: 0.001 a query.
    one("a reranker at Bedrock", BEDROCK, "/model/amazon.rerank-v1%3A0/invoke", {"query": "x", "documents": ["y"]},
        js({"results": [{"index": 0, "relevance_score": 0.9}]}), "1000"),

    framed("HTTP: chunks with extensions and a trailer", Answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        + chunks(PLAIN, 1, 2, 30, extension=";a=\"b\"", trailer="X-T: 1\r\n"), raw=True)),
    framed("HTTP: gzip in two members", Answer(gzip.compress(PLAIN[:50]) + gzip.compress(PLAIN[50:]),
                                               headers=(("Content-Encoding", "gzip"),))),
    framed("HTTP: gzip in chunks", Answer(gzip.compress(PLAIN), headers=(("content-encoding", "GZIP"),), chunked=True)),
    framed("HTTP: deflate without its head", Answer(deflated(PLAIN), headers=(("Content-Encoding", "deflate"),))),
    framed("HTTP: it ends with the connection", Answer(PLAIN, length=False)),
    framed("HTTP: 1.0", Answer(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + PLAIN, raw=True)),
    framed("HTTP: 103 and 100 before it", Answer(
        b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: "
        b"application/json\r\nContent-Length: %d\r\n\r\n" % len(PLAIN) + PLAIN, raw=True)),
    framed("HTTP: no content type", Answer(PLAIN, "")),
    framed("JSON: in Windows' lines, with a BOM",
           Answer(b"\xef\xbb\xbf" + json.dumps(CHAT_JSON, indent=2).replace("\n", "\r\n").encode())),
    framed("JSON: keys in escapes", Answer(PLAIN.replace(b'"usage"', b'"us\\u0061ge"'))),
    framed("JSON: numbers with exponents", Answer(PLAIN.replace(b":1000", b":1e3").replace(b":100,", b":100.0,"))),
    framed("JSON: words that look like usage", js({**CHAT_JSON, "choices": [{"message": {
        "content": "\"usage\":{\"prompt_tokens\":9999,\"completion_tokens\":9999}",
        "tool_calls": [{"function": {"arguments": "{\"usage\": {\"prompt_tokens\": 5}}"}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 7}}}]})),
    framed("JSON: usage first", js({"usage": USAGE, "model": "gpt-4o-mini", "choices": []})),
    one("HTTP: the target is absolute", OPENAI, "https://api.openai.com/v1/chat/completions", {"model": "gpt-4o-mini"},
        js(CHAT_JSON), MINI),
    one("HTTP: host in capitals, with its port", "API.OpenAI.com:443", CHAT, {"model": "gpt-4o-mini"}, js(CHAT_JSON), MINI),
    one("HTTP: the path has two slashes", OPENAI, "//v1//chat/completions/", {"model": "gpt-4o-mini"}, js(CHAT_JSON), MINI),

    streamed("SSE: bare carriage returns", sse(HELLO, LAST, "[DONE]", end="\r\r")),
    streamed("SSE: Windows' lines", sse(HELLO, LAST, "[DONE]", end="\r\n\r\n")),
    streamed("SSE: comments, ids and retries", Answer(
        (": OPENROUTER PROCESSING\n\nretry: 3\nid: 1\n" + f"data: {text(HELLO)}\n\n:\n\nid: 2\ndata:{text(LAST)}\n\n"
         "data:[DONE]\n\n").encode(), "text/event-stream", chunked=True)),
    streamed("SSE: data in several lines", Answer(
        ("data: " + json.dumps(LAST, indent=1).replace("\n", "\ndata: ") + "\n\ndata: [DONE]\n\n").encode(),
        "text/event-stream; charset=utf-8", chunked=True)),
    streamed("SSE: the last event has no end", Answer((f"data: {text(HELLO)}\n\ndata: {text(LAST)}").encode(),
                                                      "text/event-stream", chunked=True)),
    streamed("SSE: called plain text", Answer(f"data: {text(HELLO)}\n\ndata: {text(LAST)}\n\n".encode(), "text/plain")),
    streamed("SSE: called JSON", Answer(f"data: {text(HELLO)}\n\ndata: {text(LAST)}\n\n".encode())),
    streamed("SSE: no stream after all", Answer(PLAIN, "text/event-stream")),
    streamed("SSE: usage in every chunk, the last is empty", sse(
        {**HELLO, "usage": {"prompt_tokens": 1000, "completion_tokens": 1}},
        {**HELLO, "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
        {"model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}, "[DONE]")),
    streamed("SSE: usage beside the last choice", sse(
        HELLO, {"model": "gpt-4o-mini", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}, "[DONE]")),
    streamed("SSE: gzip", Answer(gzip.compress(sse(HELLO, LAST, "[DONE]").body), "text/event-stream",
                                 headers=(("Content-Encoding", "gzip"),), chunked=True)),
    one("SSE: choices beside each other", OPENAI, CHAT, {**ASKED, "n": 3},
        sse(*[{"model": "gpt-4o-mini", "choices": [{"index": i, "delta": {"content": "word"}}]} for i in (0, 1, 2, 1, 0)],
            LAST, "[DONE]"), MINI),
    one("SSE: names were stripped on the way", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        sse({"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000,
                                                                                        "output_tokens": 1}}},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
            {"type": "message_stop"}), "1000*1 + 100*5"),
    one("SSE: the type is not its first key", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        sse({"message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}},
             "type": "message_start"},
            {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}, "type": "content_block_delta"},
            {"usage": {"output_tokens": 100}, "delta": {"stop_reason": "end_turn"}, "type": "message_delta"},
            {"type": "message_stop"}), "1000*1 + 100*5"),
    one("SSE: a search's blocks and a tool that speaks of usage", ANTHROPIC, MESSAGES,
        {"model": "claude-haiku-4-5", "stream": True},
        typed({"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000}}},
              {"type": "content_block_start", "index": 0, "content_block": {
                  "type": "tool_use", "input": {}, "usage": {"input_tokens": 1, "output_tokens": 77}}},
              {"type": "content_block_delta", "index": 0, "delta": {
                  "type": "input_json_delta", "partial_json": "{\"usage\":{\"output_tokens\":9}}"}},
              {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 100}},
              {"type": "message_stop"}), "1000*1 + 100*5"),
    one("Gemini: an array that arrives bit by bit", GEMINI, "/v1beta/models/gemini-2.5-flash:streamGenerateContent", {},
        Answer(("[" + ",\r\n".join(text({"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
            "promptTokenCount": 1000, "candidatesTokenCount": n, "thoughtsTokenCount": 50}}) for n in (1, 40, 100))
            + "]").encode(), chunked=True), "1000*0.3 + 150*2.5"),
    one("Vertex: the OpenAI path", VERTEX, "/v1/projects/p/locations/global/endpoints/openapi/chat/completions",
        {"model": "google/gemini-2.5-flash"},
        js({"model": "google/gemini-2.5-flash", "usage": {"prompt_tokens": 1000, "completion_tokens": 100,
                                                         "total_tokens": 1300}}), "1000*0.3 + 300*2.5"),
    one("Cohere: a stream of its second version", "api.cohere.com", "/v2/chat", {"model": "command-a-03-2025",
                                                                                  "stream": True},
        typed({"type": "message-start", "id": "x"},
              {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
              {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {
                  "billed_units": {"input_tokens": 1000, "output_tokens": 100},
                  "tokens": {"input_tokens": 2500, "output_tokens": 110}}}}), "1000*2.5 + 100*10"),
    one("Cohere: lines of its first version", "api.cohere.com", "/v1/chat", {"model": "command-a-03-2025", "stream": True},
        Answer((text({"is_finished": False, "event_type": "text-generation", "text": "Hi"}) + "\n" +
                text({"is_finished": True, "event_type": "stream-end", "response": {"meta": {"billed_units": {
                    "input_tokens": 1000, "output_tokens": 100}}}}) + "\n").encode(), "application/stream+json",
               chunked=True), "1000*2.5 + 100*10"),
    one("a Responses stream whose last event is long", OPENAI, RESPONSES, {"model": "gpt-4o-mini", "stream": True},
        typed({"type": "response.output_text.delta", "delta": "x" * 300},
              {"type": "response.completed", "response": {"model": "gpt-4o-mini", "output": [
                  {"type": "message", "content": [{"text": "y" * 100000}]}],
                  "usage": {"input_tokens": 1000, "output_tokens": 100}}}), MINI),
]
