# SPDX-License-Identifier: Apache-2.0
"""
Writes event files as `aigress run --record` does (user/tap/record.h, include/event.h): one kept
connection, call after call, in the providers' shapes.
"""
import json
import os
import random
import struct

import host     # for the path to tests/lib
import shapes

EV_DATA, EV_OPEN, EV_CLOSE = 1, 2, 3
EV_OUT, EV_IN = 0, 1
CTL_AI = 1
PIECE_MAX = 16384

MODELS = {"/v1/messages": "claude-haiku-4-5", "/v1/chat/completions": "gpt-4o-mini",
          "/v1/embeddings": "text-embedding-3-small"}
REQUEST = json.dumps({"model": "MODEL", "max_tokens": 1000, "stream": True,
                      "stream_options": {"include_usage": True},
                      "messages": [{"role": "user", "content": "Say it again, slowly."}]})


class Recording:
    """One connection in a file; `body_bytes` counts the answers' bodies, chunk framing included."""

    def __init__(self, path, name):
        self.file = open(path, "wb", buffering=1 << 20)
        self.time_ns = 10**9
        self.offsets = [0, 0]
        self.body_bytes = 0
        self.file.write(b"AIGEV002" + struct.pack("=Q", 1790000000 * 10**9))
        self.event(EV_OPEN, struct.pack("=QIB3x16s256s", 0x1000, 0, CTL_AI, b"python3",
                                        name.encode()))

    def event(self, kind, rest):
        self.time_ns += 1000
        head = struct.pack("=IIQQQ", kind, 4242, 77, 1, self.time_ns)
        self.file.write(struct.pack("=I", len(head) + len(rest)) + head + rest)

    def data(self, direction, data):
        for at in range(0, len(data), PIECE_MAX):
            piece = data[at:at + PIECE_MAX]
            self.event(EV_DATA, struct.pack("=QIB3x", self.offsets[direction], len(piece),
                                            direction) + piece)
            self.offsets[direction] += len(piece)

    def call(self, name, path, head, pieces):
        request = REQUEST.replace("MODEL", MODELS[path])
        self.data(EV_OUT, (f"POST {path} HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json"
                           f"\r\nContent-Length: {len(request)}\r\n\r\n{request}").encode())
        self.data(EV_IN, f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for piece in pieces:
            self.data(EV_IN, piece)
            self.body_bytes += len(piece)

    def close(self):
        self.event(EV_CLOSE, struct.pack("=QQ", *self.offsets))
        self.file.close()
        return self.body_bytes


def chunked(pieces):
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


def stream(name, path):
    """A stream of 2,000 deltas, each a chunk."""
    body = {"stream": True, "stream_options": {"include_usage": True}}
    answer = shapes.answer(1, "POST", name, path, {"events": "2000"}, body)
    return "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", \
        chunked([piece for piece, _ in answer.pieces])


def joined(answer):
    """The same in records as full as TLS has them."""
    head, pieces = answer
    return head, [b"".join(pieces)]


def in_json(text):
    return f"Content-Type: application/json\r\nContent-Length: {len(text)}", [text]


def embeddings():
    """A megabyte of numbers, and the usage behind them."""
    rng = random.Random(1)
    rows = [{"object": "embedding", "index": i,
             "embedding": [round(rng.uniform(-0.06, 0.06), 9) for _ in range(1536)]}
            for i in range(50)]
    return in_json(json.dumps({"object": "list", "data": rows, "model": "text-embedding-3-small",
                               "usage": {"prompt_tokens": 900, "total_tokens": 900}}).encode())


def chat_json():
    answer = shapes.answer(1, "POST", host.STREAM_HOST, "/v1/chat/completions",
                           {"answer_bytes": "30000"}, {})
    return in_json(answer.pieces[0][0])


# name: (host, path, answer)
KINDS = {
    "SSE, Anthropic, a record an event":
        lambda: (host.AI_HOST, "/v1/messages", stream(host.AI_HOST, "/v1/messages")),
    "SSE, Anthropic, full records":
        lambda: (host.AI_HOST, "/v1/messages", joined(stream(host.AI_HOST, "/v1/messages"))),
    "SSE, OpenAI chat, full records":
        lambda: (host.STREAM_HOST, "/v1/chat/completions",
                 joined(stream(host.STREAM_HOST, "/v1/chat/completions"))),
    "JSON, embeddings":
        lambda: (host.STREAM_HOST, "/v1/embeddings", embeddings()),
    "JSON, chat":
        lambda: (host.STREAM_HOST, "/v1/chat/completions", chat_json()),
}


def write(path, kind, n_bytes):
    """A file of at least n_bytes of bodies; returns how many and in how many calls."""
    name, target, (head, pieces) = KINDS[kind]()
    recording = Recording(path, name)
    n_calls = 0
    while recording.body_bytes < n_bytes:
        recording.call(name, target, head, pieces)
        n_calls += 1
    return recording.close(), n_calls


def write_empty(path):
    Recording(path, host.AI_HOST).close()
    return os.path.getsize(path)
