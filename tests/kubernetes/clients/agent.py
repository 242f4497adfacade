#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A pod's program, steered over HTTP on port 8080:
  GET /healthz      200
  GET /call?n=N     makes N calls to an AI host, answers with their statuses (0: it failed)
  GET /loop         from now on calls without end, whatever comes of it
  GET /made         how many calls of the loop were answered, and how many failed
Its key at the provider is its pod's name.
"""
import http.client
import http.server
import json
import os
import ssl
import threading
import time
import urllib.parse

HOST = "api.anthropic.com"
NAME = os.environ["POD_NAME"]
BODY = json.dumps({"model": "claude-sonnet-5", "max_tokens": 1000,
                   "messages": [{"role": "user", "content": "Say when."}]})
made = {"answered": 0, "failed": 0}
ssl.create_default_context()        # libssl is in the process before its first call


def call(connection):
    connection.request("POST", "/v1/messages", BODY, {"content-type": "application/json", "x-api-key": NAME})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def calls(n):
    statuses = []
    for _ in range(n):
        connection = http.client.HTTPSConnection(HOST, timeout=20)
        try:
            statuses.append(call(connection))
        except OSError:
            statuses.append(0)
        connection.close()
    return statuses


def loop():
    while True:
        if calls(1) == [200]:
            made["answered"] += 1
        else:
            made["failed"] += 1
            time.sleep(0.2)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        answer = "ok"
        if url.path == "/call":
            answer = calls(int(query["n"][0]))
        elif url.path == "/loop":
            threading.Thread(target=loop, daemon=True).start()
        elif url.path == "/made":
            answer = made
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
