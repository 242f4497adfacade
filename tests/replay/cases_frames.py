# SPDX-License-Identifier: Apache-2.0
"""Connections byte by byte: frames of HTTP/2 as any sender may cut them, WebSockets, and HTTP/1 that is not one by one."""
import gzip
import struct
import zlib

import hpack

from bodies import ANTHROPIC, AZURE, CHAT, EV_IN, EV_OUT, OPENAI, Answer, Case, Exchange, text
from cases_openai import MINI, made, spoke

MODEL = text({"model": "gpt-4o-mini"}).encode()
PLAIN = text({"object": "chat.completion", "model": "gpt-4o-mini", "choices": [{"message": {"content": "hi"}}],
              "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}).encode()
CLAUDE = text({"type": "message", "model": "claude-haiku-4-5", "content": [{"type": "text", "text": "hi"}],
               "usage": {"input_tokens": 1000, "output_tokens": 100}}).encode()
EVENTS = "".join(f"data: {text(event)}\n\n" for event in (
    {"model": "gpt-4o-mini", "choices": [{"delta": {"content": "hi"}}]},
    {"model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}, "[DONE]")).encode()
UNANSWERED = "0.15"     # a token that was sent, of which no answer came
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32


def out(*parts):
    return EV_OUT, b"".join(parts)


def back(*parts):
    return EV_IN, b"".join(parts)


def talk(name, host, *raw, cost, **more):
    return Case(name, [Exchange(host, "/", Answer(b""))], cost, raw=raw, **more)


# ---- HTTP/2 (RFC 9113) ----

def fr(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def pad(payload, n):
    return bytes([n]) + payload + bytes(n)


def numbers(*values):
    return struct.pack(f">{len(values)}I", *values)


def cut(data, stream, size, kind=DATA, last=END):
    """Data, or a block of headers, in frames of so many bytes."""
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(fr(CONTINUATION if kind == HEADERS and i else kind, last if i == len(pieces) - 1 else 0, stream, piece)
                    for i, piece in enumerate(pieces))


class Ends:
    """The tables of both ends."""

    def __init__(self):
        self.client, self.server = hpack.Encoder(), hpack.Encoder()

    def ask(self, *more, path=CHAT, host=OPENAI):
        return self.client.encode([(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", host), *more])

    def tell(self, *more, status="200", content="application/json"):
        return self.server.encode([(":status", status), ("content-type", content), *more])

    def asked(self, stream=1, **more):
        return fr(HEADERS, END_HEADERS, stream, self.ask(**more)) + fr(DATA, END, stream, MODEL)

    def told(self, stream=1, body=PLAIN):
        return fr(HEADERS, END_HEADERS, stream, self.tell()) + fr(DATA, END, stream, body)

    def call(self, stream=1):
        return [out(self.asked(stream)), back(self.told(stream))]

    def resized(self, size):
        self.client.header_table_size = size
        return back(fr(SETTINGS, 0, 0, struct.pack(">HI", 1, size)))


def http2(name, made_by, cost=MINI, **more):
    return talk(f"HTTP/2: {name}", OPENAI, out(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", fr(SETTINGS, 0, 0)),
                back(fr(SETTINGS, 0, 0), fr(SETTINGS, ACK, 0)), *made_by(Ends()), cost=cost, **more)


MANY = [(f"x-{i}", "v" * 50) for i in range(200)]
FRAMES = [
    http2("padding", lambda e: [
        out(fr(HEADERS, END_HEADERS | PADDED, 1, pad(e.ask(), 7)), fr(DATA, END | PADDED, 1, pad(MODEL, 200))),
        back(fr(HEADERS, END_HEADERS | PADDED, 1, pad(e.tell(), 0)), fr(DATA, END | PADDED, 1, pad(PLAIN, 255)))]),
    http2("padding before a priority", lambda e: [
        out(fr(HEADERS, END_HEADERS | PADDED | HAS_PRIORITY, 1, pad(numbers(0) + b"\x0f" + e.ask(), 3)), fr(DATA, END, 1, MODEL)),
        back(e.told())]),
    http2("priorities and frames of tomorrow", lambda e: [
        out(fr(PRIORITY, 0, 3, numbers(0) + b"\1"), fr(0xbe, 3, 1, b"grease"), e.asked()),
        back(fr(0xbe, 0, 0, b"x"), fr(0x10, 0, 0, numbers(1) + b"u=1"), e.told())]),
    http2("continuations of a byte", lambda e: [
        out(cut(e.ask(), 1, 1, HEADERS, END_HEADERS), fr(DATA, END, 1, MODEL)),
        back(cut(e.tell(), 1, 1, HEADERS, END_HEADERS), fr(DATA, END, 1, PLAIN))]),
    http2("a head of 40 kB", lambda e: [
        out(cut(e.ask(("x-long", "a" * 40000)), 1, 16000, HEADERS, END_HEADERS), fr(DATA, END, 1, MODEL)), back(e.told())]),
    http2("a byte a frame", lambda e: [
        out(fr(HEADERS, END_HEADERS, 1, e.ask()), cut(MODEL, 1, 1)), back(fr(HEADERS, END_HEADERS, 1, e.tell()), cut(PLAIN, 1, 1))]),
    http2("empty frames, and an end alone", lambda e: [
        out(fr(HEADERS, END_HEADERS, 1, e.ask()), fr(DATA, 0, 1), fr(DATA, 0, 1, MODEL), fr(DATA, END, 1)),
        back(fr(HEADERS, END_HEADERS, 1, e.tell()), fr(DATA, 0, 1), fr(DATA, 0, 1, PLAIN), fr(DATA, END, 1))]),
    http2("103 and 100 before it", lambda e: [
        out(e.asked()), back(fr(HEADERS, END_HEADERS, 1, e.server.encode([(":status", "103"), ("link", "</x>")])),
                             fr(HEADERS, END_HEADERS, 1, e.server.encode([(":status", "100")])), e.told())]),
    http2("three streams in one another", lambda e: [
        out(*[fr(HEADERS, END_HEADERS, stream, e.ask()) for stream in (1, 3, 5)], *[fr(DATA, END, stream, MODEL) for stream in (5, 1, 3)]),
        back(fr(HEADERS, END_HEADERS, 3, e.tell()), fr(HEADERS, END_HEADERS, 1, e.tell()), fr(DATA, 0, 1, PLAIN[:50]),
             fr(DATA, 0, 3, PLAIN[:50]), e.told(5), fr(DATA, END, 3, PLAIN[50:]), fr(DATA, END, 1, PLAIN[50:]))],
          " + ".join([MINI] * 3)),
    http2("a reset behind the end", lambda e: [*e.call(), out(fr(RESET, 0, 1, numbers(8)))]),
    http2("an early no", lambda e: [
        out(fr(HEADERS, END_HEADERS, 1, e.ask()), fr(DATA, 0, 1, MODEL[:5])),
        back(fr(HEADERS, END_HEADERS, 1, e.tell(status="413")), fr(DATA, END, 1, b"{}"), fr(RESET, 0, 1, numbers(0)))],
          "0", source="free"),
    # RFC 9113 8.7: of these the server says that it has not looked at them, and clients send them again.
    http2("a stream is refused", lambda e: [out(e.asked()), back(fr(RESET, 0, 1, numbers(7))), *e.call(3)]),
    http2("streams beyond the last that it looked at", lambda e: [
        out(e.asked(), e.asked(3), e.asked(5)), back(fr(GOAWAY, 0, 0, numbers(1, 0) + b"bye"), e.told())]),
    http2("a goodbye in two steps", lambda e: [
        out(e.asked()), back(fr(GOAWAY, 0, 0, numbers(0x7fffffff, 0))), out(e.asked(3)),
        back(fr(GOAWAY, 0, 0, numbers(1, 0)), e.told())]),
    http2("a stream that is cancelled was looked at", lambda e: [out(e.asked()), back(fr(RESET, 0, 1, numbers(8))), *e.call(3)],
          f"{MINI} + {UNANSWERED}"),
    http2("a client cannot refuse", lambda e: [out(e.asked(), fr(RESET, 0, 1, numbers(7))), *e.call(3)], f"{MINI} + {UNANSWERED}"),
    http2("another host on the same connection", lambda e: [
        *e.call(), out(fr(HEADERS, END_HEADERS, 3, e.ask(path="/v1/messages", host=ANTHROPIC)),
                       fr(DATA, END, 3, text({"model": "claude-haiku-4-5"}).encode())), back(e.told(3, CLAUDE))],
          f"{MINI} + 1000*1 + 100*5"),
    http2("a host without authority", lambda e: [
        out(fr(HEADERS, END_HEADERS, 1, e.client.encode([(":method", "POST"), (":path", CHAT), (":scheme", "https"),
                                                         ("host", "API.OpenAI.com:443")])), fr(DATA, END, 1, MODEL)),
        back(e.told())]),
    http2("events in frames of three bytes", lambda e: [
        out(e.asked()), back(fr(HEADERS, END_HEADERS, 1, e.tell(content="text/event-stream")), cut(EVENTS, 1, 3)),
        out(fr(WINDOW, 0, 0, numbers(1000)), fr(WINDOW, 0, 1, numbers(1000)), fr(PING, 0, 0, bytes(8)))]),
    http2("events that are reset behind their usage", lambda e: [
        out(e.asked()), back(fr(HEADERS, END_HEADERS, 1, e.tell(content="text/event-stream")), fr(DATA, 0, 1, EVENTS),
                             fr(RESET, 0, 1, numbers(2)))]),
    http2("a table of 0", lambda e: [e.resized(0), out(fr(SETTINGS, ACK, 0)), *e.call(), *e.call(3)], f"{MINI} + {MINI}"),
    http2("a table of 64 kB", lambda e: [
        e.resized(65536), *[part for stream in (1, 3) for part in (
            out(fr(SETTINGS, ACK, 0) if stream == 1 else b"", cut(e.ask(*MANY), stream, 16000, HEADERS, END_HEADERS),
                fr(DATA, END, stream, MODEL)), back(e.told(stream)))]], f"{MINI} + {MINI}"),
    http2("trailers of both sides", lambda e: [
        out(fr(HEADERS, END_HEADERS, 1, e.ask()), fr(DATA, 0, 1, MODEL), fr(HEADERS, END | END_HEADERS, 1, e.client.encode([("x", "1")]))),
        back(fr(HEADERS, END_HEADERS, 1, e.tell()), fr(DATA, 0, 1, PLAIN),
             fr(HEADERS, END | END_HEADERS | PADDED, 1, pad(e.server.encode([("x", "1")]), 9)))]),
    http2("a promise", lambda e: [
        out(e.asked()), back(fr(PROMISE, END_HEADERS, 1, numbers(2) + e.server.encode([
            (":method", "GET"), (":scheme", "https"), (":path", "/v1/models"), (":authority", OPENAI)])),
                             fr(HEADERS, END_HEADERS, 1, e.tell()), fr(HEADERS, END_HEADERS, 2, e.tell()), fr(DATA, END, 2, b"{}"),
                             fr(DATA, END, 1, PLAIN))]),
    http2("gzip in frames of five bytes", lambda e: [
        out(e.asked()), back(fr(HEADERS, END_HEADERS, 1, e.tell(("content-encoding", "gzip"))), cut(gzip.compress(PLAIN), 1, 5))]),
]


# ---- WebSockets (RFC 6455) ----

def ws(message, op=1, fin=True, mask=None, bits=0):
    data = message if isinstance(message, bytes) else text(message).encode()
    first, masked = (0x80 if fin else 0) | bits | op, 0x80 if mask else 0
    head = struct.pack(">BB", first, masked | len(data)) if len(data) < 126 else \
        struct.pack(">BBH", first, masked | 126, len(data)) if len(data) < 65536 else struct.pack(">BBQ", first, masked | 127, len(data))
    return head + (mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)) if mask else data)


def socket(name, host, path, *raw, cost, extensions="", **more):
    told = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    agreed = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{told}\r\n"
    return talk(f"WebSocket: {name}", host, out(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nSec-WebSocket-Key: x\r\n{agreed}".encode()),
                back(f"HTTP/1.1 101 Switching Protocols\r\n{agreed}".encode()), *raw, cost=cost, **more)


class Deflate:
    def __init__(self):
        self.to = zlib.compressobj(9, zlib.DEFLATED, -15)

    def __call__(self, message):
        return (self.to.compress(text(message).encode()) + self.to.flush(zlib.Z_SYNC_FLUSH))[:-4]


DONE = spoke(50, 100, 50, 1200)
DONE_BYTES, MADE = text(DONE).encode(), ws(made("gpt-realtime"))
SPOKEN = "50*4 + 100*32 + 50*16 + 1200*64"
SPEECH = {"type": "response.output_audio.delta", "response_id": "resp_1", "delta": "A" * 64000}
SOUND = ws(bytes(3200), 2, mask=b"abcd")
deflate = Deflate()
HEARD = {"model_info": {"a": {"name": "general-nova-3", "arch": "nova-3"}}}

SOCKETS = [
    socket("a message in fragments, a ping between", OPENAI, "/v1/realtime?model=gpt-realtime",
           back(MADE, ws(DONE_BYTES[:100], fin=False), ws(b"hey", 9), ws(DONE_BYTES[100:200], 0, False), ws(b"", 0, False),
                ws(DONE_BYTES[200:], 0)), out(ws(b"hey", 10, mask=b"abcd")), cost=SPOKEN),
    socket("speech and a close", OPENAI, "/v1/realtime?model=gpt-realtime", back(MADE),
           out(ws({"type": "input_audio_buffer.append", "audio": "A" * 30000}, mask=b"\1\2\3\4")),
           back(ws({"type": "response.created", "response": {"id": "resp_1"}}), ws(SPEECH) * 10, ws(DONE), ws(b"\3\xe8", 8)), cost=SPOKEN),
    socket("compressed with its context", OPENAI, "/v1/realtime?model=gpt-realtime",
           back(*[ws(deflate(event), bits=0x40) for event in (made("gpt-realtime"), SPEECH, DONE)]), cost=SPOKEN,
           extensions="permessage-deflate"),
    socket("a response that failed", OPENAI, "/v1/realtime?model=gpt-realtime",
           back(ws({"type": "response.created", "response": {"id": "resp_1"}}),
                ws({"type": "response.done", "response": {"id": "resp_1", "status": "failed", "usage": None}})), cost="0", source="free"),
    socket("Azure's path of today", AZURE, "/openai/v1/realtime?model=gpt-realtime", back(MADE, ws(DONE)), cost=SPOKEN),
    # developers.cloudflare.com/ai-gateway/usage/websockets-api/realtime-api
    socket("Realtime behind Cloudflare", "gateway.ai.cloudflare.com", "/v1/account/gateway/openai?model=gpt-realtime", back(ws(DONE)),
           cost=SPOKEN),
    # Heard live costs more than a recording (docs.litellm.ai, deepgram_listen_websocket), and no file here has how much.
    socket("Deepgram hears", "api.deepgram.com", "/v1/listen?model=nova-3", out(SOUND),
           back(ws({"type": "Results", "start": 0.0, "duration": 2.0, "metadata": HEARD}),
                ws({"type": "Metadata", "duration": 60.0, "channels": 1, **HEARD})), cost="0", priced=False),
    socket("Deepgram hears and is cut", "api.deepgram.com", "/v1/listen?model=nova-3", out(SOUND),
           back(ws({"type": "Results", "start": 58.0, "duration": 2.0, "metadata": HEARD})), cost="0", priced=False),
    socket("AssemblyAI hears", "streaming.assemblyai.com", "/v3/ws?sample_rate=16000", back(ws({"type": "Begin", "id": "x"})), out(SOUND),
           back(ws({"type": "Termination", "audio_duration_seconds": 50, "session_duration_seconds": 60})), cost="0", priced=False),
    # elevenlabs/eleven_flash_v2_5 0.00009 a character, blanks too.
    socket("ElevenLabs speaks what comes piece by piece", "api.elevenlabs.io",
           "/v1/text-to-speech/v/stream-input?model_id=eleven_flash_v2_5",
           out(*[ws({"text": word}, mask=b"abcd") for word in (" ", "hello ", "world", "")]),
           back(ws({"audio": "AAAA"}), ws({"isFinal": True})), cost="12*90"),
]


# ---- HTTP/1 ----

def ask(method="POST", path=CHAT, body=MODEL, version="1.1", host=OPENAI, more=""):
    return f"{method} {path} HTTP/{version}\r\nHost: {host}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def tell(body=PLAIN, status="200 OK", version="1.1", more="", length=None):
    return f"HTTP/{version} {status}\r\n{more}Content-Length: {length or len(body)}\r\n\r\n".encode() + body


EXPECTS = "Expect: 100-continue\r\n"
KEPT = "Connection: keep-alive\r\n"
HTTP1 = [talk(f"HTTP/1: {name}", OPENAI, *raw, cost=cost, **more) for name, raw, cost, more in (
    ("two in the pipe", [out(ask(), ask()), back(tell()), back(tell())], f"{MINI} + {MINI}", {}),
    ("three in the pipe, answered at once", [out(ask()), out(ask()), out(ask("GET", "/v1/models", b"")), back(tell(), tell(), tell(b"{}"))],
     f"{MINI} + {MINI}", {}),
    ("HEAD, whose length is of no body", [out(ask("HEAD", "/v1/models", b"")), back(tell(b"", length=5000)), out(ask()), back(tell())],
     MINI, {}),
    ("OPTIONS", [out(ask("OPTIONS", body=b"")), back(b"HTTP/1.1 204 No Content\r\nAllow: POST\r\n\r\n"), out(ask()), back(tell())], MINI, {}),
    ("it waits for 100", [out(ask(more=EXPECTS)[:-len(MODEL)]), back(b"HTTP/1.1 100 Continue\r\n\r\n"), out(MODEL), back(tell())], MINI, {}),
    ("it waits for 100 and is told 417", [out(ask(more=EXPECTS)[:-len(MODEL)]), back(tell(b"", "417 Expectation Failed"))], "0",
     {"source": "free"}),
    ("an answer before the question's end", [out(ask(body=MODEL + b" " * 5000)[:900]), back(tell()),
                                             out(ask(body=MODEL + b" " * 5000)[900:], ask()), back(tell())], f"{MINI} + {MINI}", {}),
    ("1.0 that is kept alive", [out(ask(version="1.0", more=KEPT)), back(tell(version="1.0", more=KEPT))] * 2, f"{MINI} + {MINI}", {}),
    ("empty lines between", [out(ask(), b"\r\n"), back(tell()), out(b"\r\n\r\n", ask()), back(b"\r\n", tell())], f"{MINI} + {MINI}", {}),
    ("another host", [out(ask()), back(tell()), out(ask(path="/v1/messages", host=ANTHROPIC)), back(tell(CLAUDE))],
     f"{MINI} + 1000*1 + 100*5", {}),
    ("302 and 308 on the way", [
        out(ask()), back(tell(b"", "302 Found", more="Location: /x\r\n")), out(ask("GET", CHAT + "/", b"")), back(tell(b"", "405 No")),
        out(ask()), back(tell(b'{"moved":true}', "308 Permanent", more="Location: /y\r\n")), out(ask()), back(tell())], MINI, {}),
    ("a WebSocket that is not granted", [out(ask("GET", "/v1/realtime", b"", more="Upgrade: websocket\r\nConnection: Upgrade\r\n")),
                                         back(tell(b"{}", "401 No")), out(ask()), back(tell())], MINI, {}),
    ("an upgrade to HTTP/2 that is not taken", [out(ask(more="Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                                        "HTTP2-Settings: AAA\r\n")), back(tell())], MINI, {}),
    ("a host behind 30 kB", [out(ask().replace(b"Host:", b"X: " + b"a" * 30000 + b"\r\nHost:")), back(tell())], MINI, {}),
)]

CASES = FRAMES + SOCKETS + HTTP1
