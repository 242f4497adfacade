# SPDX-License-Identifier: Apache-2.0
"""The fake API over HTTP/2: streams are answered in turns, a piece each, so that they interleave."""
import select
import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


class Stream:
    def __init__(self, headers):
        self.headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in headers}
        self.body = b""
        self.exchange = None
        self.pieces = None
        self.left = b""     # of a piece, what the flow control window has not taken yet
        self.session = None     # RFC 8441


class Http2:
    def __init__(self, connection, begin, websocket):
        """
        begin(method, target, headers, body) gives an exchange (see fake_api.Exchange); websocket(headers,
        send) a session (see fake_ws.Session), or None.
        """
        self.connection, self.begin, self.websocket = connection, begin, websocket
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.streams = {}

    def serve(self):
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        self.flush()
        try:
            while self.receive():
                for number in list(self.streams):
                    self.advance(number)
                self.flush()
        finally:
            for stream in self.streams.values():
                if stream.exchange:
                    stream.exchange.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.connection.sendall(data)

    def busy(self):
        """True where a stream can send now, so that waiting for the client would hold it up."""
        return any(s.pieces is not None and self.h2.local_flow_control_window(n) > 0
                   for n, s in self.streams.items())

    def receive(self):
        if self.busy() and not self.connection.pending():
            if not select.select([self.connection], [], [], 0)[0]:
                return True
        try:
            data = self.connection.recv(65536)
        except ssl.SSLWantReadError:
            return True
        if not data:
            return False
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()
        return True

    def handle(self, event):
        number = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.streams[number] = Stream(event.headers)
            self.open_session(number, self.streams[number])
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            stream = self.streams.get(number)
            if stream and stream.session:
                if not stream.session.take(event.data):
                    self.h2.end_stream(number)
                    del self.streams[number]
            elif stream:
                stream.body += event.data
        elif isinstance(event, h2.events.StreamEnded) and number in self.streams:
            if not self.streams[number].session:
                self.answer(number, self.streams[number])
        elif isinstance(event, h2.events.StreamReset) and number in self.streams:
            stream = self.streams.pop(number)
            if stream.exchange:
                stream.exchange.close()

    @staticmethod
    def is_known(stream):
        """The client has all once it has the length that was promised, and goes on by itself."""
        return stream.exchange.request.fake.get("length") == "known"

    def open_session(self, number, stream):
        headers = dict(stream.headers, host=stream.headers.get(":authority", ""))
        if headers.get(":protocol") != "websocket":
            return

        def send(data):
            for at in range(0, len(data), self.h2.max_outbound_frame_size):
                self.h2.send_data(number, data[at:at + self.h2.max_outbound_frame_size])
            self.flush()
        self.h2.send_headers(number, [(":status", "200")])
        stream.session = self.websocket(headers, send)

    def answer(self, number, stream):
        headers = dict(stream.headers, host=stream.headers.get(":authority", ""))
        stream.exchange = self.begin(headers[":method"], headers[":path"], headers, stream.body)
        answer = stream.exchange.answer
        fields = [(":status", str(answer.status)), *stream.exchange.headers]
        if self.is_known(stream):
            fields.append(("content-length", str(sum(len(b) for b, _ in answer.pieces))))
        self.h2.send_headers(number, fields)
        stream.pieces = stream.exchange.pieces()

    def advance(self, number):
        stream = self.streams.get(number)
        if stream is None or stream.pieces is None:
            return
        try:
            if not stream.left:
                stream.left = next(stream.pieces, None)
            if stream.left is None:
                if stream.exchange.is_whole and stream.exchange.answer.trailers:
                    self.h2.send_headers(number, stream.exchange.answer.trailers, end_stream=True)
                elif stream.exchange.is_whole:
                    if not self.is_known(stream):
                        self.h2.end_stream(number)
                else:
                    self.h2.reset_stream(number, error_code=2)
                del self.streams[number]
                stream.exchange.close()
                return
            size = min(len(stream.left), self.h2.local_flow_control_window(number),
                       self.h2.max_outbound_frame_size)
            if size:
                self.h2.send_data(number, stream.left[:size])
                stream.left = stream.left[size:]
        except h2.exceptions.StreamClosedError:
            if self.streams.pop(number, None):
                stream.exchange.close()
