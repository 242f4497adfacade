# SPDX-License-Identifier: Apache-2.0
"""
Exchanges of documented shape as event files, each with the sum that it must cost. A sum is in millionths of a
dollar, which is tokens times dollars a million: "1000*2.5 + 100*10". Fees stand in it as they are: 35000 is
0.035 USD.
"""
import base64
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events

EV_DATA, EV_OPEN, EV_CLOSE = 1, 2, 3
EV_OUT, EV_IN = 0, 1
PIECE_MAX = 16384

ANTHROPIC, OPENAI, GEMINI = "api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com"
VERTEX, BEDROCK = "aiplatform.googleapis.com", "bedrock-runtime.us-east-1.amazonaws.com"
OPENROUTER, AZURE = "openrouter.ai", "acme.openai.azure.com"
MESSAGES, CHAT, RESPONSES = "/v1/messages", "/v1/chat/completions", "/v1/responses"


@dataclass
class Answer:
    body: bytes
    content: str = "application/json"
    headers: tuple = ()
    status: int = 200
    chunked: bool = False
    length: bool = True         # False: its end is the connection's
    raw: bool = False           # the body is the whole message, head and all
    trailers: tuple = ()        # of HTTP/2


@dataclass
class Exchange:
    host: str
    path: str
    answer: Answer
    request: Any = None         # an object, or bytes
    method: str = "POST"
    headers: tuple = ()
    talk: tuple = ()            # of a WebSocket, behind the answer: (direction, bytes)


@dataclass
class Case:
    name: str
    exchanges: list
    cost: str
    source: str = "usage"
    priced: bool = True
    cut: bool = False           # the connection ends inside the answer
    http2: bool = False
    steps: tuple = (PIECE_MAX, 7)
    tokens: dict = field(default_factory=dict)
    raw: tuple = ()             # all of the connection instead of exchanges: (direction, bytes)


def text(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def js(value, *headers, **more):
    """A JSON answer."""
    return Answer(text(value).encode(), headers=headers, **more)


def sse(*events, end="\n\n", **more):
    """A stream: (name, data), or data alone."""
    lines = []
    for event in events:
        name, data = event if isinstance(event, tuple) else (None, event)
        lines.append((f"event: {name}{end[:len(end) // 2]}" if name else "") + f"data: {text(data)}{end}")
    return Answer("".join(lines).encode(), "text/event-stream", chunked=True, **more)


def typed(*events, **more):
    """The same of events whose name is their type."""
    return sse(*[(event["type"], event) for event in events], **more)


def aws_header(name, value):
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()


def aws(*messages, **more):
    """Amazon's event stream: (event type, payload), or (event type, payload, message type)."""
    out = b""
    for message in messages:
        kind, payload, what = (*message, "event")[:3]
        head = aws_header(":exception-type" if what == "exception" else ":event-type", kind) + \
            aws_header(":content-type", "application/json") + aws_header(":message-type", what)
        payload = text(payload).encode()
        made = struct.pack(">II", 16 + len(head) + len(payload), len(head))
        made += struct.pack(">I", zlib.crc32(made)) + head + payload
        out += made + struct.pack(">I", zlib.crc32(made))
    return Answer(out, "application/vnd.amazon.eventstream", chunked=True, **more)


def native(*events, **more):
    """Events of a model's own dialect as InvokeModelWithResponseStream packs them."""
    return aws(*[("chunk", {"bytes": base64.b64encode(text(event).encode()).decode(), "p": "abcdef"})
                 for event in events], **more)


def one(name, host, path, request, answer, cost, **more):
    exchange = Exchange(host, path, answer, request, more.pop("method", "POST"), more.pop("sent", ()))
    return Case(name, [exchange], cost, **more)


def request_bytes(exchange):
    body = exchange.request
    if body is None:
        body = b""
    elif not isinstance(body, bytes):
        body = text(body).encode()
    fields = [("Host", exchange.host)]
    if not any(name.lower() == "content-type" for name, _ in exchange.headers):
        fields.append(("Content-Type", "application/json"))
    fields += [*exchange.headers, ("Content-Length", str(len(body)))]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{exchange.method} {exchange.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def answer_bytes(answer):
    if answer.raw:
        return answer.body
    head = f"HTTP/1.1 {answer.status} X\r\n"
    if answer.content:
        head += f"Content-Type: {answer.content}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    if answer.chunked:
        half = len(answer.body) // 2
        pieces = [piece for piece in (answer.body[:half], answer.body[half:]) if piece]
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + \
            b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    if answer.length:
        head += f"Content-Length: {len(answer.body)}\r\n"
    return head.encode() + b"\r\n" + answer.body


def http2_bytes(exchanges, cut):
    """(direction, bytes) of a connection on which one exchange follows the other, as python3-h2 writes them."""
    config = h2.config.H2Configuration
    client = h2.connection.H2Connection(config(client_side=True, header_encoding="utf-8"))
    server = h2.connection.H2Connection(config(client_side=False, header_encoding="utf-8"))
    out = []

    def take(end, data):
        for event in end.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                end.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def settle():
        while True:
            asked, answered = client.data_to_send(), server.data_to_send()
            if not asked and not answered:
                return
            out.extend(part for part in ((EV_OUT, asked), (EV_IN, answered)) if part[1])
            take(server, asked)
            take(client, answered)

    def write(end, number, data, end_stream):
        for at in range(0, len(data), end.max_outbound_frame_size):
            piece = data[at:at + end.max_outbound_frame_size]
            end.send_data(number, piece, end_stream=end_stream and at + len(piece) == len(data))
            settle()
    client.initiate_connection()
    server.initiate_connection()
    settle()
    for i, exchange in enumerate(exchanges):
        number, answer = 2 * i + 1, exchange.answer
        client.send_headers(number, [(":method", exchange.method), (":scheme", "https"), (":path", exchange.path),
                                     (":authority", exchange.host), *exchange.headers])
        write(client, number, exchange.request, True)
        ends = not answer.body and not answer.trailers
        server.send_headers(number, [(":status", str(answer.status)), ("content-type", answer.content), *answer.headers],
                            end_stream=ends)
        if answer.body:
            write(server, number, answer.body, not answer.trailers and not cut)
        if answer.trailers and not cut:
            server.send_headers(number, answer.trailers, end_stream=True)
        settle()
    return out


class Recording:
    """An event file (user/tap/record.h, include/event.h), one connection a case."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.time_ns = 10**9
        self.file.write(b"AIGEV002" + struct.pack("=Q", 1790000000 * 10**9))

    def event(self, kind, pid, rest):
        self.time_ns += 1000
        head = struct.pack("=IIQQQ", kind, pid, 1000 + pid, pid, self.time_ns)
        self.file.write(struct.pack("=I", len(head) + len(rest)) + head + rest)

    def add(self, pid, case, step):
        offsets = [0, 0]

        def send(direction, data):
            for at in range(0, len(data), step):
                piece = data[at:at + step]
                self.event(EV_DATA, pid, struct.pack("=QIB3x", offsets[direction], len(piece), direction) + piece)
                offsets[direction] += len(piece)

        self.event(EV_OPEN, pid, struct.pack("=QIB3x16s256s", 0x1000, 0, 1, b"python3",
                                             case.exchanges[0].host.split(":")[0].lower().encode()))
        for direction, data in case.raw:
            send(direction, data)
        if case.http2:
            for direction, data in http2_bytes(case.exchanges, case.cut):
                send(direction, data)
        for i, exchange in enumerate([] if case.http2 or case.raw else case.exchanges):
            send(EV_OUT, request_bytes(exchange))
            data = answer_bytes(exchange.answer)
            if case.cut and i == len(case.exchanges) - 1 and exchange.answer.chunked:
                data = data[:-5]
            send(EV_IN, data)
            for direction, piece in exchange.talk:
                send(direction, piece)
        self.event(EV_CLOSE, pid, struct.pack("=QQ", *offsets))

    def close(self):
        self.file.close()
