#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
gateway.py PORT [DELAY]: a gateway on plain HTTP as LiteLLM's proxy is one, which cannot be installed from here. It takes
OpenAI's chat and calls the provider of the model: OpenAI's answers pass as they are; Anthropic's are translated, with an id
of its own. The provider's header fields follow with llm_provider- before their names (docs.litellm.ai, "Response Headers").
DELAY: seconds that it looks at a whole answer before it passes it on.
"""
import json
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

DELAY = float(sys.argv[2]) if len(sys.argv) > 2 else 0
KEPT = ("x-fake", "x-api-key")     # the lab's own: how to answer, and on whose bill
SESSION = requests.Session()


def translated(asked):
    """OpenAI's chat to Anthropic's messages."""
    return {"model": asked["model"], "max_tokens": 1000, "messages": asked["messages"]}


def untranslated(answer):
    usage = answer["usage"]
    read, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
    prompt = usage["input_tokens"] + read + written
    return {"id": f"chatcmpl-{uuid.uuid4()}", "object": "chat.completion", "model": answer["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "".join(part.get("text", "") for part in answer["content"])}}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": usage["output_tokens"],
                      "total_tokens": prompt + usage["output_tokens"]}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_claude = asked["model"].startswith("claude")
        fields = {name: self.headers[name] for name in KEPT if name in self.headers}
        url, body = f"https://api.openai.com{self.path}", asked
        if is_claude:
            url, body = "https://api.anthropic.com/v1/messages", translated(asked)
            fields["anthropic-version"] = "2023-06-01"
        got = SESSION.post(url, json=body, headers=fields, stream=True, timeout=60)
        self.send_response(got.status_code)
        for name, value in got.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "content-encoding"):
                self.send_header(f"llm_provider-{name.lower()}", value)
        self.send_header("content-type", got.headers["content-type"])
        if asked.get("stream"):
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for line in got.iter_lines(chunk_size=64):
                piece = line + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        answer = got.json()
        time.sleep(DELAY)
        data = json.dumps(untranslated(answer) if is_claude and got.ok else answer).encode()
        self.send_header("x-litellm-response-cost", "0.5")     # what the operator charges on, whatever it paid
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.request_queue_size = 512
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
