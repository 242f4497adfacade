# SPDX-License-Identifier: Apache-2.0
"""
A busy AI client: 100 calls a second. Every 50 it connects anew, and so greets the daemon that may
have started meanwhile.   busy.py HOST
"""
import http.client
import json
import sys
import time

BODY = json.dumps({"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [
    {"role": "user", "content": "The meter counts what went out and what came back. " * 40}]})
next_at = time.monotonic()
while True:
    connection = http.client.HTTPSConnection(sys.argv[1])
    for _ in range(50):
        connection.request("POST", "/v1/messages", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200 or b"usage" not in answer.read():
            sys.exit(f"status {answer.status}")
        next_at = max(next_at + 0.01, time.monotonic() - 0.1)
        time.sleep(max(0, next_at - time.monotonic()))
    connection.close()
