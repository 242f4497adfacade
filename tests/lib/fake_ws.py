# SPDX-License-Identifier: Apache-2.0
"""
The fake API's WebSockets (RFC 6455, RFC 7692): OpenAI's Responses and Realtime, Gemini Live. Each turn is a row
of the bill. Compression is agreed to where it is offered. `x-fake` steers them beside what fake_api.py says:
  deflate=reset       each compressed message begins anew
  fragment=N          messages go in frames of N bytes, with a ping between the first two
  refuse=1            404
An agent sends no such header and is steered by its run's name: plain-N is not compressed, refused-N is 404.
"""
import base64
import hashlib
import json
import struct
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LIVE = "generativelanguage.googleapis.com"
AUDIO = base64.b64encode(bytes(range(256)) * 188)[:64000].decode()     # a second of speech


def accept(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def agreed(request):
    """The answer's fields about extensions."""
    offered = request.headers.get("sec-websocket-extensions", "")
    if "permessage-deflate" not in offered or request.run.startswith("plain-"):
        return []
    more = "; server_no_context_takeover; client_no_context_takeover" \
        if request.fake.get("deflate") == "reset" else ""
    return [("sec-websocket-extensions", "permessage-deflate" + more)]


class WebSocket:
    """Frames in, messages out, and back; `send(bytes)` writes."""

    def __init__(self, request, send):
        self.send, self.data, self.message = send, bytearray(), b""
        self.deflates = bool(agreed(request))
        self.resets = request.fake.get("deflate") == "reset"
        self.fragment = int(request.fake.get("fragment", 0))
        self.is_compressed = self.is_closed = False
        self.inflater, self.deflater = zlib.decompressobj(-15), self.new_deflater()

    @staticmethod
    def new_deflater():
        return zlib.compressobj(6, zlib.DEFLATED, -15)

    def frame(self):
        """(first byte, payload) of the next whole frame, or None."""
        data = self.data
        if len(data) < 2:
            return None
        first, size, at = data[0], data[1] & 127, 2
        if size > 125:
            width = 2 if size == 126 else 8
            at += width
            if len(data) < at:
                return None
            size = int.from_bytes(data[2:at], "big")
        mask = bytes(data[at:at + 4])
        if not data[1] & 128:
            raise ValueError("a client's frame is not masked")
        at += 4
        if len(data) < at + size:
            return None
        payload = bytes(data[at:at + size])
        del data[:at + size]
        whole = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return first, (int.from_bytes(payload, "big") ^ whole).to_bytes(size, "big")

    def inflate(self, packed):
        text = self.inflater.decompress(packed + b"\0\0\xff\xff")
        if self.resets:
            self.inflater = zlib.decompressobj(-15)
        return text

    def messages(self, data):
        self.data += data
        while (frame := self.frame()) is not None:
            first, payload = frame
            opcode = first & 15
            if opcode == CLOSE:
                self.write(0x80 | CLOSE, payload[:2])
                self.is_closed = True
                return
            if opcode == PING:
                self.write(0x80 | PONG, payload)
            if opcode > BINARY:
                continue
            if opcode != CONTINUATION:
                self.message, self.is_compressed = b"", bool(first & 0x40)
            self.message += payload
            if first & 0x80:
                yield self.inflate(self.message) if self.is_compressed else self.message

    def write(self, first, payload):
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) \
            if size < 65536 else b"\x7f" + struct.pack(">Q", size)
        self.send(bytes([first]) + length + payload)

    def say(self, text, opcode=TEXT):
        payload, first = text.encode(), opcode
        if self.deflates:
            payload = (self.deflater.compress(payload)
                       + self.deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
            first |= 0x40
            if self.resets:
                self.deflater = self.new_deflater()
        step = self.fragment or len(payload) or 1
        parts = [payload[at:at + step] for at in range(0, len(payload), step)] or [b""]
        for number, part in enumerate(parts):
            if number == 1:
                self.write(0x80 | PING, b"?")
            self.write((first if number == 0 else CONTINUATION)
                       | (0x80 if number == len(parts) - 1 else 0), part)


class Responses:
    """A message asks, the events of the HTTP API answer."""

    def __init__(self, request, socket, begin, bill):
        self.request, self.socket, self.begin = request, socket, begin

    def take(self, text):
        asked = json.loads(text)
        if asked.get("generate") is False:
            for kind in ("response.created", "response.completed"):
                self.socket.say(json.dumps({"type": kind, "response": {
                    "id": "resp_warm", "model": asked["model"], "usage": {
                        "input_tokens": 18, "output_tokens": 0, "total_tokens": 18}}}))
            return
        asked["stream"] = True
        exchange = self.begin("POST", self.request.path, self.request.headers,
                              json.dumps(asked).encode())
        try:
            for piece in exchange.pieces():
                for line in piece.decode().splitlines():
                    if line.startswith("data: "):
                        self.socket.say(line[6:])
        finally:
            exchange.close()


class Realtime:
    """Speech in, speech out: 60 s of it for 1,200 tokens; what was heard is written down as well."""

    def __init__(self, request, socket, begin, bill):
        self.socket, self.bill, self.n = socket, bill, 0
        self.event("session.created", session={
            "type": "realtime", "model": "gpt-realtime",
            "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}})

    def event(self, kind, **more):
        self.n += 1
        self.socket.say(json.dumps({"type": kind, "event_id": f"event_{self.n}", **more}))

    def take(self, text):
        if json.loads(text)["type"] != "response.create":
            return
        name = f"resp_{self.n}"
        self.event("conversation.item.input_audio_transcription.completed", item_id="item_1",
                   transcript="Hello?", usage={
                       "type": "tokens", "total_tokens": 22, "input_tokens": 13, "output_tokens": 9,
                       "input_token_details": {"text_tokens": 0, "audio_tokens": 13}})
        self.bill("/v1/realtime/transcription", "gpt-4o-mini-transcribe",
                  {"audio_input": 13, "output": 9})
        self.event("response.created", response={"id": name, "status": "in_progress"})
        for _ in range(60):
            self.event("response.output_audio.delta", response_id=name, delta=AUDIO)
        self.event("response.done", response={"id": name, "status": "completed", "usage": {
            "total_tokens": 1400, "input_tokens": 150, "output_tokens": 1250,
            "input_token_details": {"text_tokens": 50, "audio_tokens": 100, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 50, "audio_tokens": 1200}}})
        self.bill("/v1/realtime", "gpt-realtime", {"input": 50, "audio_input": 100, "output": 50,
                                                   "audio_output": 1200})


class Live:
    """Gemini: a turn of text, in binary frames."""

    def __init__(self, request, socket, begin, bill):
        self.socket, self.bill, self.path, self.model = socket, bill, request.path, ""

    def say(self, value):
        self.socket.say(json.dumps(value, indent=2), BINARY)

    def take(self, text):
        asked = json.loads(text)
        if "setup" in asked:
            self.model = asked["setup"]["model"].removeprefix("models/")
            self.say({"setupComplete": {}})
        elif asked.get("clientContent", {}).get("turnComplete"):
            for word in ("Hel", "lo"):
                self.say({"serverContent": {"modelTurn": {"parts": [{"text": word}]}}})
            self.say({"serverContent": {"generationComplete": True}})
            self.say({"serverContent": {"turnComplete": True}, "usageMetadata": {
                "promptTokenCount": 143, "responseTokenCount": 19, "totalTokenCount": 162}})
            self.bill(self.path, self.model, {"input": 143, "output": 19})


def kind_of(request):
    if request.host == LIVE:
        return Live
    return {"/v1/responses": Responses, "/v1/realtime": Realtime}.get(request.path)


class Session:
    """One WebSocket of the server; take(bytes) is what the client sent."""

    def __init__(self, server, request, http, send):
        http += " WebSocket"

        def begin(method, target, headers, body):
            return server.exchange(method, target, headers, body, http)

        def bill(path, model, tokens):
            server.bill.add({"id": server.bill.take_id(), "run": request.run, "host": request.host,
                             "path": path, "model": model, "status": 200, "tokens": tokens,
                             "stream": True, "aborted": False, "error": False, "http": http,
                             "peer": None, "bytes": [0, 0]})
        self.socket = WebSocket(request, send)
        self.kind = kind_of(request)(request, self.socket, begin, bill)

    def take(self, data):
        for message in self.socket.messages(data):
            self.kind.take(message)
        return not self.socket.is_closed
