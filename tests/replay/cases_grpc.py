# SPDX-License-Identifier: Apache-2.0
"""Gemini and Vertex over gRPC: messages of protobuf in HTTP/2, whose status is in the trailers."""
from bodies import GEMINI, VERTEX, Answer, Case, Exchange
from pb import AUDIO, IMAGE, Gemini, Vertex, framed, message, value

FLASH = "gemini-2.5-flash"          # in 0.3, cache read 0.03, audio in 1, out 2.5
REGION = "us-central1-aiplatform.googleapis.com"
OK = (("grpc-status", "0"),)
SENT = (("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "identity"),
        ("grpc-accept-encoding", "identity, deflate, gzip"), ("user-agent", "grpc-python/1.51.1 grpc-c/29.0.0"))
PACKED = (("content-type", "application/grpc+proto"), ("te", "trailers"), ("grpc-encoding", "gzip"))


def called(name, api, method, request, answers, cost, trailers=OK, compressed=False, head=(), **more):
    host = more.pop("host", GEMINI if api is Gemini else VERTEX)
    answer = Answer(b"".join(framed(each, compressed) for each in answers), "application/grpc", trailers=trailers,
                    headers=(("grpc-encoding", "gzip"),) if compressed else head)
    exchange = Exchange(host, api.SERVICE + method, answer, framed(request, compressed), headers=PACKED if compressed else SENT)
    return Case(name, [exchange], cost, http2=True, **more)


def chunk(api, text, prompt, output):
    """Counts are cumulative and in each message, as in the JSON form."""
    return api.answer(text, api.usage(prompt, output), FLASH)


def both(name, method, answers, cost, request="Count to ten.", **more):
    """The same call at either service."""
    return [called(f"gRPC, {api.__name__}: {name}", api, method, api.request(FLASH, request), answers(api), cost, **more)
            for api in (Gemini, Vertex)]


UNARY, STREAM = "GenerateContent", "StreamGenerateContent"
TWO = "1000*0.3 + 100*2.5"

CASES = [
    *both("one answer", UNARY, lambda api: [chunk(api, "one two", 1000, 100)], TWO,
          tokens={"input": 1000, "output": 100}),
    *both("a cache and thoughts", UNARY, lambda api: [api.answer("one", api.usage(1000, 100, 600, 50), FLASH)],
          "400*0.3 + 600*0.03 + 150*2.5", tokens={"input": 400, "cache_read": 600, "output": 150, "reasoning": 50}),
    *both("compressed", UNARY, lambda api: [chunk(api, "one two " * 400, 1000, 100)], TWO, compressed=True),
    *both("a stream, cumulative", STREAM, lambda api: [chunk(api, "one ", 1000, n) for n in (10, 50, 100)], TWO),
    *both("a compressed stream", STREAM, lambda api: [chunk(api, "one ", 1000, n) for n in (10, 50, 100)], TWO,
          compressed=True),
    *both("a stream whose usage comes last", STREAM,
          lambda api: [api.answer("one "), api.answer("two "), chunk(api, "three", 1000, 100)], TWO),
    *both("audio in", UNARY, lambda api: [api.answer("one", api.usage(1000, 100, 0, 0, (
        5 if api is Gemini else 9, message((1, AUDIO), (2, 800)))), FLASH)], "200*0.3 + 800*1 + 100*2.5"),
    *both("a megabyte of picture before the usage", UNARY,
          lambda api: [api.answer("x" * 300000, None, None) + chunk(api, "end", 1000, 100)], TWO),
    # An answer's model is the one that is billed; without one it is the request's.
    *both("no model in the answer", UNARY, lambda api: [api.answer("one", api.usage(1000, 100))], TWO),
    *both("refused before anything", UNARY, lambda api: [], "0", trailers=(), source="free",
          head=(("grpc-status", "8"), ("grpc-message", "quota"))),
    *both("refused in trailers", STREAM, lambda api: [], "0", trailers=(("grpc-status", "14"),), source="free"),
    *both("broke after content", STREAM, lambda api: [chunk(api, "one ", 1000, 10), chunk(api, "two ", 1000, 100)], TWO,
          trailers=(("grpc-status", "13"),)),
    # What no message told is nothing: the last one does not count twice, an unknown field does not count.
    *both("fields of tomorrow", UNARY,
          lambda api: [message((99, "tomorrow"), (100, 7)) + chunk(api, "one", 1000, 100) + message((101, 5.5))], TWO),
    called("gRPC: a region's host", Vertex, UNARY, Vertex.request(FLASH, "Hello"), [chunk(Vertex, "one", 1000, 100)], TWO,
           host=REGION),
    called("gRPC, Vertex: provisioned throughput", Vertex, UNARY, Vertex.request(FLASH, "Hello"),
           [Vertex.answer("one", Vertex.usage(1000, 100, 0, 0, (8, 2)), FLASH)], "0", tokens={"input": 1000, "output": 100}),
    called("gRPC, Vertex: tokens of tools", Vertex, UNARY, Vertex.request(FLASH, "Hello"),
           [Vertex.answer("one", Vertex.usage(1000, 100, 0, 0, (13, 500)), FLASH)], "1500*0.3 + 100*2.5"),
    called("gRPC, Gemini: grounded in two searches", Gemini, UNARY, Gemini.request(FLASH, "Hello"),
           [Gemini.answer("one", Gemini.usage(1000, 100), FLASH, (9, message((5, "first"), (5, "second"))))],
           "1000*0.3 + 100*2.5 + 35000"),
    called("gRPC, Vertex: an embedding tells its usage", Vertex, "EmbedContent",
           message((1, Vertex.MODEL.format("gemini-embedding-001")), (2, message((2, message((1, "some words")))))),
           [message((1, message((1, b"\0" * 4096))), (2, message((1, 1000), (3, 1000))))], "1000*0.15"),
    called("gRPC, Vertex: Predict of two embeddings", Vertex, "Predict",
           message((1, Vertex.MODEL.format("gemini-embedding-001")), (2, value({"content": "some words"})),
                   (2, value({"content": "and more"}))),
           [message(*((1, value({"embeddings": {"statistics": {"truncated": False, "token_count": n},
                                                "values": [0.5] * 300}})) for n in (700, 300)))], "1000*0.15"),
    called("gRPC, Gemini: an image out", Gemini, UNARY, Gemini.request("gemini-3-pro-image-preview", "Hello"),
           [Gemini.answer("one", Gemini.usage(20, 1150, 0, 200, (7, message((1, IMAGE), (2, 1120)))),
                          "gemini-3-pro-image-preview")], "20*2 + 230*12 + 1120*120"),
    # A stream that was cut keeps what its last message told.
    *both("cut", STREAM, lambda api: [chunk(api, "one ", 1000, 10), chunk(api, "two ", 1000, 100)], TWO, cut=True,
          source="partial"),
]
