# SPDX-License-Identifier: Apache-2.0
"""Odd HTTP and JSON: how an answer may be written without another sum."""
import gzip
import json
import zlib

import brotli
import zstandard

from bodies import (ANTHROPIC, BEDROCK, CHAT, GEMINI, MESSAGES, OPENAI, OPENROUTER, RESPONSES, Answer, Case, Exchange, aws,
                    js, native, one, sse, text, typed)

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
MINI = "1000*0.15 + 100*0.6"                                # gpt-4o-mini
BODY = {"object": "chat.completion", "model": "gpt-4o-mini", "choices": [{"message": {"content": "x"}}], "usage": USAGE}
PLAIN = text(BODY).encode()
ASKED = {"model": "gpt-4o-mini", "stream": True, "stream_options": {"include_usage": True}}
HELLO = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "Hello"}}], "usage": None}
LAST = {"model": "gpt-4o-mini", "choices": [], "usage": USAGE}
STREAM = sse(HELLO, LAST, "[DONE]").body
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"     # 1.1, 5.5


def zstd(body):
    return zstandard.ZstdCompressor().compress(body)


def framed(name, answer, **more):
    return one(name, OPENAI, CHAT, more.pop("request", {"model": "gpt-4o-mini"}), answer, MINI, **more)


def streamed(name, answer, **more):
    return one(name, OPENAI, CHAT, ASKED, answer, MINI, **more)


def raw(head, body=PLAIN):
    return Answer(head.encode() + b"\r\n" + body, raw=True)


def encoded(body, *names, **more):
    return Answer(body, headers=tuple(("Content-Encoding", name) for name in names), **more)


def chunked(body, size, hexadecimal=b"%x"):
    return b"".join(hexadecimal % len(body[at:at + size]) + b"\r\n" + body[at:at + size] + b"\r\n"
                    for at in range(0, len(body), size)) + b"0\r\n\r\n"


def two(name, *answers, cost=f"{MINI} + {MINI}", **more):
    return Case(name, [Exchange(OPENAI, CHAT, answer, {"model": "gpt-4o-mini"}) for answer in answers], cost, **more)


DEEP = "[" * 60 + "\"usage\"" + "]" * 60

CASES = [
    framed("wire: brotli", encoded(brotli.compress(PLAIN), "br")),
    framed("wire: zstd", encoded(zstd(PLAIN), "zstd")),
    framed("wire: zstd in two frames", encoded(zstd(PLAIN[:40]) + zstd(PLAIN[40:]), "zstd")),
    framed("wire: x-gzip", encoded(gzip.compress(PLAIN), "x-gzip")),
    framed("wire: gzip, then br", encoded(brotli.compress(gzip.compress(PLAIN)), "gzip, br")),
    framed("wire: two fields of content encoding", encoded(zstd(gzip.compress(PLAIN)), "gzip", "zstd")),
    framed("wire: deflate with zlib's head", encoded(zlib.compress(PLAIN), "deflate")),
    framed("wire: zeros after gzip", encoded(gzip.compress(PLAIN) + b"\0" * 20, "gzip")),
    framed("wire: gzip whose end lacks its sum", encoded(gzip.compress(PLAIN)[:-8], "gzip")),
    framed("wire: Transfer-Encoding gzip, chunked", raw(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n",
        chunked(gzip.compress(PLAIN), 30))),
    framed("wire: chunked in capitals, sizes with zeros", raw(
        "HTTP/1.1 200 OK\r\nCONTENT-TYPE: APPLICATION/JSON\r\nTRANSFER-ENCODING: CHUNKED\r\n",
        chunked(PLAIN, 17, b"0000%X"))),
    framed("wire: chunked and a length beside it", raw(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked(PLAIN, 50))),
    framed("wire: bare line feeds", Answer(
        b"HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: %d\n\n" % len(PLAIN) + PLAIN, raw=True)),
    framed("wire: no reason, blanks around values", raw(
        f"HTTP/1.1 200\r\ncontent-type:application/json \r\ncontent-length:   {len(PLAIN)}  \r\n")),
    framed("wire: a folded header", raw(
        f"HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: {len(PLAIN)}\r\n")),
    framed("wire: two hundred headers", Answer(PLAIN, headers=tuple((f"X-Header-{i}", "v" * 40) for i in range(90)))),
    framed("wire: a status of 201", Answer(PLAIN, status=201)),
    framed("wire: JSON that is called text/html", Answer(PLAIN, "text/html; charset=utf-8")),
    framed("wire: problem+json of 200", Answer(PLAIN, "application/vnd.api+json")),
    two("wire: keep-alive, with a cut of blanks between", Answer(PLAIN), Answer(PLAIN, chunked=True)),
    two("wire: 204 and 304 have no body", raw("HTTP/1.1 204 No Content\r\n", b""), Answer(PLAIN), cost=MINI),
    two("wire: a retry after 500", Answer(b'{"error":{"message":"no"}}', status=500), Answer(PLAIN), cost=MINI),
    two("wire: a retry after 429 that says when", Answer(b'{"error":{"message":"no"}}', status=429,
                                                        headers=(("Retry-After", "1"),)), Answer(PLAIN), cost=MINI),
    two("wire: the same answer twice is two bills", js({**BODY, "id": "chatcmpl-1"}), js({**BODY, "id": "chatcmpl-1"})),

    framed("json: numbers as strings, all of them", js({**BODY, "usage": {k: str(v) for k, v in USAGE.items()}})),
    framed("json: numbers with a fraction of nought", Answer(PLAIN.replace(b":1000", b":1000.000").replace(
        b":100,", b":1.0E+2,"))),
    framed("json: an exponent below", Answer(PLAIN.replace(b":1000", b":10000e-1"))),
    framed("json: NaN and Infinity beside", Answer(PLAIN.replace(b'"choices"', b'"score":NaN,"top":Infinity,"low":-Infinity,'
                                                                 b'"choices"'))),
    framed("json: NaN inside of usage", Answer(PLAIN.replace(b'"usage":{', b'"usage":{"latency":NaN,'))),
    framed("json: blanks and tabs everywhere", Answer(json.dumps(BODY, indent="\t", separators=(" ,\n ", "\t : \t")).encode())),
    framed("json: keep-alive blanks before it", Answer(b" \n" * 500 + PLAIN + b"\n\n")),
    framed("json: keys in the other order", Answer(json.dumps(
        {"usage": dict(reversed(USAGE.items())), "choices": BODY["choices"], "model": "gpt-4o-mini"}).encode())),
    framed("json: model in escapes", Answer(PLAIN.replace(b"gpt-4o-mini", b"gpt\\u002d4o\\u002Dmini"))),
    framed("json: every key in escapes", Answer(PLAIN.replace(b'"prompt_tokens"', b'"\\u0070rompt\\u005ftokens"').replace(
        b'"completion_tokens"', b'"\\u0063ompletion_token\\u0073"'))),
    framed("json: a key twice, the last counts", Answer(PLAIN[:-1] + b',"usage":' + text(USAGE).encode() + b"}")),
    framed("json: null first, usage later", Answer(b'{"usage":null,' + PLAIN[1:])),
    framed("json: null details", js({**BODY, "usage": {**USAGE, "prompt_tokens_details": None,
                                                      "completion_tokens_details": None, "cost": None}})),
    framed("json: usage is an empty list elsewhere", js({"data": {"usage": {"prompt_tokens": 5}}, "meta": {"usage": []}, **BODY})),
    framed("json: deep nests before it", Answer(PLAIN.replace(b'"choices"', b'"x":' + DEEP.encode() + b',"choices"'))),
    framed("json: quotes and backslashes before it", js({"x": "\\\"}]\\\\\",\"usage\":{\"prompt_tokens\":1}\\", **BODY})),
    framed("json: surrogates, cut ones too", Answer(PLAIN.replace(b'"content":"x"', b'"content":"\\ud83d\\ude00 \\ud83d x \\u0000"'))),
    framed("json: a megabyte before usage", js({**{"x": "y\\n" * 350000}, **BODY}), steps=(16384,)),
    framed("json: a million numbers before usage", js({"data": [0.5] * 100000, **BODY}), steps=(16384,)),
    framed("json: bytes that are no UTF-8", Answer(PLAIN.replace(b'"content":"x"', b'"content":"\xff\xfe\xc3"'))),
    framed("json: nought is written as -0", js({**BODY, "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": -0.0}}})),
    framed("json: usage in the choice is no bill", js({**BODY, "choices": [{"usage": {"prompt_tokens": 9}, "message": {
        "usage": {"completion_tokens": 9}}}]})),

    streamed("stream: brotli", Answer(brotli.compress(STREAM), "text/event-stream", (("Content-Encoding", "br"),), chunked=True)),
    streamed("stream: zstd", Answer(zstd(STREAM), "text/event-stream", (("Content-Encoding", "zstd"),),
                                    chunked=True)),
    streamed("stream: its head is in capitals", raw(
        "HTTP/1.1 200 OK\r\nCONTENT-TYPE: TEXT/EVENT-STREAM\r\nConnection: close\r\n", STREAM)),
    streamed("stream: of HTTP/1.0", raw("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n", STREAM)),
    streamed("stream: with a length", Answer(STREAM, "text/event-stream")),
    streamed("stream: a BOM before it", Answer(b"\xef\xbb\xbf" + STREAM, "text/event-stream", chunked=True)),
    streamed("stream: ends without [DONE]", sse(HELLO, LAST)),
    streamed("stream: [DONE] twice, and a comment after", Answer(STREAM + b"data: [DONE]\n\n: bye\n\n", "text/event-stream",
                                                                 chunked=True)),
    streamed("stream: usage null after usage", sse(HELLO, LAST, {**HELLO, "choices": [], "usage": None}, "[DONE]")),
    streamed("stream: pings between", Answer(b"event: ping\ndata: {}\n\n" + STREAM.replace(b"data: [DONE]", b": ping\n\ndata: [DONE]"),
                                             "text/event-stream", chunked=True)),
    streamed("stream: every chunk has the sum so far", sse(*[{**HELLO, "usage": {
        "prompt_tokens": 1000, "completion_tokens": n, "total_tokens": 1000 + n}} for n in (1, 2, 50, 99, 100)], "[DONE]")),
    streamed("stream: lines of JSON instead", Answer((text(HELLO) + "\n" + text(LAST) + "\n").encode(), "application/x-ndjson",
                                                     chunked=True)),
    streamed("stream: event names that say nothing", sse(("message", HELLO), ("message", LAST), ("done", "[DONE]"))),
    one("stream: data of Claude without blanks, padded", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        Answer(b"".join(b"event:%s\ndata:%s\n\n" % (e["type"].encode(), text(e).encode()[:-1] + b" " * 13 + b"}") for e in (
            {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000,
                                                                                         "output_tokens": 1}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
            {"type": "message_stop"})), "text/event-stream", chunked=True), "1000*1 + 100*5"),
    one("stream: cumulative deltas, several", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        typed({"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000,
                                                                                           "output_tokens": 1}}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
              *[{"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": n}} for n in (20, 60, 100)],
              {"type": "message_stop"}), "1000*1 + 100*5"),
    one("stream: a Responses answer that is cut before its end, complete in the item", OPENAI, RESPONSES,
        {"model": "gpt-4o-mini", "stream": True},
        typed({"type": "response.created", "response": {"id": "r", "model": "gpt-4o-mini", "usage": None}},
              {"type": "response.in_progress", "response": {"id": "r", "model": "gpt-4o-mini", "usage": None}},
              {"type": "response.completed", "response": {"id": "r", "model": "gpt-4o-mini", "output": [], "usage": {
                  "input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 64}}}}), MINI),
    one("stream: OpenRouter's comments, gzip", OPENROUTER, "/api/v1/chat/completions", ASKED,
        Answer(gzip.compress(b": OPENROUTER PROCESSING\n\n" * 20 + sse(HELLO, {**LAST, "usage": {**USAGE, "cost": 0.0001}},
                                                                      "[DONE]").body),
               "text/event-stream", (("Content-Encoding", "gzip"),), chunked=True), "100", source="provider"),
    one("stream: Bedrock, gzip is only said", BEDROCK, f"/model/{HAIKU}/converse-stream", {},
        aws(("messageStart", {"role": "assistant"}), ("contentBlockDelta", {"delta": {"text": "x"}}),
            ("metadata", {"usage": {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}})), "1000*1.1 + 100*5.5"),
    one("stream: Bedrock's numbers in exponents", BEDROCK, f"/model/{HAIKU}/converse-stream", {},
        aws(("metadata", '{"metrics":{"latencyMs":1},"usage":{"outputTokens":1e2,"inputTokens":1.0e3}}')), "1000*1.1 + 100*5.5"),
    one("stream: Bedrock, a long delta before the metrics", BEDROCK, f"/model/{HAIKU}/invoke-with-response-stream",
        {}, native({"type": "message_start", "message": {"model": "claude-haiku-4-5-20251001", "usage": {
            "input_tokens": 1000, "output_tokens": 1}}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "word " * 30000}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000, "outputTokenCount": 100}}),
        "1000*1.1 + 100*5.5", steps=(16384,)),
    one("stream: Gemini, an event with a picture of a megabyte", GEMINI,
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {},
        sse({"candidates": [{"content": {"parts": [{"inlineData": {"data": "A" * 1000000}}]}}], "modelVersion": "gemini-2.5-flash",
             "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100}}), "1000*0.3 + 100*2.5", steps=(16384,)),

    Case("request: HTTP/2", [Exchange(OPENAI, CHAT, Answer(PLAIN), b'{"model":"gpt-4o-mini"}')], MINI, http2=True),
    Case("request: HTTP/2, gzip and a stream", [
        Exchange(OPENAI, CHAT, Answer(gzip.compress(PLAIN), headers=(("content-encoding", "gzip"),)), b'{"model":"gpt-4o-mini"}'),
        Exchange(OPENAI, CHAT, Answer(STREAM, "text/event-stream"), text(ASKED).encode())], f"{MINI} + {MINI}", http2=True),
    Case("request: HTTP/2 with trailers", [Exchange(OPENAI, CHAT, Answer(PLAIN, trailers=(("x-t", "1"),)),
                                                    b'{"model":"gpt-4o-mini"}')], MINI, http2=True),
    framed("request: gzip", Answer(PLAIN), request=gzip.compress(b'{"model":"gpt-4o-mini"}'), sent=(("Content-Encoding", "gzip"),)),
    framed("request: zstd", Answer(PLAIN), request=zstd(b'{"model":"gpt-4o-mini"}'),
           sent=(("Content-Encoding", "zstd"),)),
    framed("request: indented, model last", Answer(PLAIN), request=json.dumps(
        {"messages": [{"role": "user", "content": "\"model\":\"gpt-5.4\""}], "model": "gpt-4o-mini"}, indent=2).encode()),
]
