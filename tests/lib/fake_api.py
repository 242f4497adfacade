#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
AI providers on loopback: TLS, HTTP/1.1 and, by ALPN, HTTP/2; and plain HTTP/1.1 on port 4000. It writes down
what it billed.

A request steers its answer by the header `x-fake: key=value,...`:
  status=429          an error of that status
  events=N            deltas of a stream (each content block)
  answer_bytes=N      size of a JSON answer's text
  encoding=E          gzip, deflate, br, zstd or identity, whatever was asked for (JSON only)
  length=chunked      JSON in chunks; length=close: until the connection closes; for a stream also
  length=known        content-length on a stream, or over HTTP/2, and there no END_STREAM
  cut=N               bytes are written N at a time, each a TLS record and a chunk of its own
  delay_ms=N          between two pieces of a stream
  leave=N             the server closes after N pieces of a stream
  location=TARGET     307 to there, unless that is where it was asked
  error_event=1       the stream ends with an error event
  front=HOST          it is HOST's, whatever the head says, and its path as if written plainly
  text=corpus         the answer is answer_bytes of corpus.py, as the request's messages are, and
                      its usage is counted in them; a stream of chat has an event a token
and is named in the bill by `x-api-key` or the bearer token.
"""
import argparse
import gzip
import json
import os
import posixpath
import random
import socket
import ssl
import sys
import threading
import time
import zlib
from urllib.parse import unquote

import brotli
import zstandard

import bill
import fake_grpc
import fake_h2
import fake_ws
import shapes

LINE_LIMIT = 65536
BODY_LIMIT = 64 << 20
IDLE_SECONDS = 60
PLAIN_PORT = 4000

ENCODERS = {
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: gzip.compress(body, 6),
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
    "deflate": zlib.compress,
    "identity": lambda body: body,
}


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.path = method, target, target.split("?")[0]
        self.headers, self.body = headers, body
        self.host = headers.get("host", "").split(":")[0].rstrip(".").lower()
        self.fake = dict(p.split("=", 1) for p in headers.get("x-fake", "").split(",") if "=" in p)
        if "front" in self.fake:    # one that goes by the hello's name, and takes a path in every way to write it
            if "://" in self.path:
                self.path = "/" + self.path.split("/", 3)[3]
            self.host, self.path = self.fake["front"], posixpath.normpath("/" + unquote(self.path).lstrip("/"))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self.run = headers.get("x-api-key") or headers.get("x-goog-api-key") or token
        try:
            self.json = json.loads(body) if body else {}
        except ValueError:
            self.json = {}


def encoding_of(request, answer):
    if answer.is_stream or answer.content_type == fake_grpc.CONTENT:
        return "identity"       # docs/facts/wire.md, "Content encoding of answers"
    offered = [e.split(";")[0].strip() for e in request.headers.get("accept-encoding", "").split(",")]
    return request.fake.get("encoding") or next((e for e in ENCODERS if e in offered), "identity")


class Exchange:
    """One request's answer, whatever carries it: begin, pieces, end, and the bill."""

    def __init__(self, server, request, http):
        self.server, self.request, self.http = server, request, http
        self.id = server.bill.take_id()
        if request.headers.get("content-type") == fake_grpc.CONTENT:
            self.answer = fake_grpc.answer(random.Random(self.id), request, request.path)
        else:
            self.answer = shapes.answer(self.id, request.method, request.host, request.path,
                                        request.fake, request.json)
        if self.answer is None:     # a bystander: the same bytes, nothing sold
            self.is_sold = False
            known = request.host == "bystander.test"
            self.answer = shapes.Answer(200 if known else 404, "", {}, [(b'{"ok": true}', 0)])
        else:
            self.is_sold = True
        if request.fake.get("location", request.target) != request.target:
            self.answer = shapes.Answer(307, self.answer.model, {}, [(b"{}", 0)], headers=[("location", request.fake["location"])])
        encoding = encoding_of(request, self.answer)
        self.headers = [("content-type", self.answer.content_type), *self.answer.headers]
        if encoding != "identity":
            self.headers.append(("content-encoding", encoding))
            self.answer.pieces = [(ENCODERS[encoding](b), n) for b, n in self.answer.pieces]
        self.spent = 0
        self.is_whole = False
        self.peer = None        # the client's port, of HTTP/1.1
        self.bytes = [0, 0]     # of HTTP/1.1, as they stood on the connection: request, answer

    def pieces(self):
        """What to write, one after the other; stops early where the request asked for it."""
        cut = int(self.request.fake.get("cut", 0))
        delay = int(self.request.fake.get("delay_ms", 0)) / 1000
        leave = int(self.request.fake.get("leave", 1 << 30))
        for number, (data, spent) in enumerate(self.answer.pieces):
            if number >= leave:
                return
            step = cut or len(data)
            for at in range(0, len(data), step):
                yield data[at:at + step]
            self.spent = spent
            if delay:
                time.sleep(delay)
        self.is_whole = True

    def close(self):
        if not self.is_sold:
            return
        tokens = dict(self.answer.tokens)
        aborted = not self.is_whole
        if tokens and self.answer.is_stream and (aborted or self.answer.is_error):
            tokens["output"] = self.spent
            tokens["reasoning"] = 0
        self.server.bill.add({
            "id": self.id, "run": self.request.run, "host": self.request.host,
            "path": self.request.path, "model": self.answer.model, "status": self.answer.billed_status,
            "tokens": tokens, "stream": self.answer.is_stream, "aborted": aborted,
            "error": self.answer.is_error, "http": self.http, "peer": self.peer,
            "bytes": self.bytes})


class Counting:
    """A reader that knows how much was read."""

    def __init__(self, file):
        self.file, self.n = file, 0

    def readline(self, limit):
        line = self.file.readline(limit)
        self.n += len(line)
        return line

    def read(self, limit):
        data = self.file.read(limit)
        self.n += len(data)
        return data


class Http1:
    """A connection of HTTP/1.1: requests one after the other, pipelined or not."""

    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.reader = Counting(connection.makefile("rb"))

    def serve(self):
        while self.exchange():
            pass

    def read_body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.reader.readline(LINE_LIMIT).split(b";")[0], 16):
                body += self.reader.read(size)
                self.reader.readline(LINE_LIMIT)
            while self.reader.readline(LINE_LIMIT) not in (b"\r\n", b"\n", b""):
                pass
            return body
        length = min(int(headers.get("content-length", 0)), BODY_LIMIT)
        body = self.reader.read(length)
        if len(body) < length:
            raise ConnectionError("the client left inside its request")
        return body

    def exchange(self):
        line = b"\n"
        while line in (b"\r\n", b"\n"):      # RFC 9112 2.2
            line = self.reader.readline(LINE_LIMIT)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split()
        headers = {}
        while (line := self.reader.readline(LINE_LIMIT)) not in (b"\r\n", b"\n", b""):
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = Request(method, target, headers, self.read_body(headers))
        if headers.get("upgrade", "").lower() == "websocket" and fake_ws.kind_of(request):
            return self.websocket(request)
        exchange = Exchange(self.server, request, "1.1")
        exchange.peer = self.connection.getpeername()[1]
        exchange.bytes[0], self.reader.n = self.reader.n, 0
        try:
            return self.answer(request, exchange)
        finally:
            exchange.close()

    def websocket(self, request):
        if "refuse" in request.fake or request.run.startswith("refused-"):
            self.connection.sendall(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n")
            return True
        fields = [("upgrade", "websocket"), ("connection", "Upgrade"),
                  ("sec-websocket-accept", fake_ws.accept(request.headers["sec-websocket-key"])),
                  *fake_ws.agreed(request)]
        head = "HTTP/1.1 101 Switching Protocols\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
        self.connection.sendall(head.encode() + b"\r\n")
        session = fake_ws.Session(self.server, request, "1.1", self.connection.sendall)
        while data := self.reader.file.read1(65536):
            if not session.take(data):
                break
        return False

    def answer(self, request, exchange):
        answer = exchange.answer
        length = request.fake.get("length", "chunked" if answer.is_stream else "known")
        keep = length != "close" and headers_keep(request)
        headers = list(exchange.headers)
        if length == "known":
            headers.append(("content-length", str(sum(len(b) for b, _ in answer.pieces))))
        elif length == "chunked":
            headers.append(("transfer-encoding", "chunked"))
        if not keep:
            headers.append(("connection", "close"))
        head = f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
        self.send(exchange, head.encode())
        if request.method == "HEAD":
            return keep
        for data in exchange.pieces():
            if length == "chunked":
                data = b"%x\r\n%s\r\n" % (len(data), data)
            self.send(exchange, data)
        if not exchange.is_whole:
            return False
        if length == "chunked":
            self.send(exchange, b"0\r\n\r\n")
        return keep

    def send(self, exchange, data):
        self.connection.sendall(data)
        exchange.bytes[1] += len(data)


def headers_keep(request):
    return request.headers.get("connection", "").lower() != "close"


class Server:
    def __init__(self, directory, address, port):
        self.bill = bill.Bill(os.path.join(directory, "bill.jsonl"))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(os.path.join(directory, "leaf.pem"),
                                 os.path.join(directory, "leaf.key"))
        self.tls.set_alpn_protocols(["h2", "http/1.1"])
        self.listener = socket.create_server((address, port), backlog=512)
        self.plain_listener = socket.create_server((address, PLAIN_PORT), backlog=512)

    def serve(self):
        threading.Thread(target=self.accept, args=(self.plain_listener, self.plain_connection), daemon=True).start()
        self.accept(self.listener, self.connection)

    @staticmethod
    def accept(listener, serve):
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=serve, args=(plain,), daemon=True).start()

    def plain_connection(self, plain):
        """HTTP/1.1 without TLS."""
        try:
            with plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.settimeout(IDLE_SECONDS)
                Http1(self, plain).serve()
        except (OSError, ValueError):
            pass

    def exchange(self, method, target, headers, body, http):
        return Exchange(self, Request(method, target, headers, body), http)

    def exchange2(self, method, target, headers, body):
        return self.exchange(method, target, headers, body, "2")

    def websocket2(self, headers, send):
        request = Request("GET", headers[":path"], headers, b"")
        return fake_ws.Session(self, request, "2", send) if fake_ws.kind_of(request) else None

    def connection(self, plain):
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(IDLE_SECONDS)
            with self.tls.wrap_socket(plain, server_side=True) as connection:
                if connection.selected_alpn_protocol() == "h2":
                    fake_h2.Http2(connection, self.exchange2, self.websocket2).serve()
                else:
                    Http1(self, connection).serve()
                connection.settimeout(1)
                connection.unwrap()     # else OpenSSL 3 calls an answer until close a cut one
        except (OSError, ValueError):
            pass                # the client left, or spoke something else: not our business
        finally:
            plain.close()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("directory", help="with leaf.pem and leaf.key; bill.jsonl is written there")
    options.add_argument("--address", default="0.0.0.0")
    options.add_argument("--port", type=int, default=443)
    args = options.parse_args()
    server = Server(args.directory, args.address, args.port)
    print("ready", flush=True)
    server.serve()


if __name__ == "__main__":
    sys.exit(main())
