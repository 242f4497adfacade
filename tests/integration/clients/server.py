#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
server.py DIR PORT: a TLS server that answers AI calls itself (a gateway on the same host). It is
not a client of any AI host, so nothing that passes through it may be charged to it.
"""
import http.server
import os
import ssl
import sys

ANSWER = (b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5",'
          b'"content":[],"usage":{"input_tokens":1000000,"output_tokens":1000000}}')


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.path.join(sys.argv[1], "leaf.pem"), os.path.join(sys.argv[1], "leaf.key"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
server.socket = tls.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
