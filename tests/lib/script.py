# SPDX-License-Identifier: Apache-2.0
"""Clients of a few lines of Python, for habits that no library has."""
import json
import subprocess
import textwrap

import drive
import stage as lab

# ask(connection) makes one call; raw(connection) writes the same request; HOST and PATH are the call's.
PRELUDE = """
import http.client, json, os, socket, ssl, sys, threading, time
HOST, PATH, RUN, BODY, HEADERS = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4].encode(), json.loads(sys.argv[5])
MORE = sys.argv[6:]
HEADERS["content-type"] = "application/json"
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
def connect(name=HOST, **more):
    return http.client.HTTPSConnection(name, context=context, timeout=30, **more)
def tls(plain=None, name=HOST, with_context=context):
    return with_context.wrap_socket(plain or socket.create_connection((HOST, 443), 30), server_hostname=name)
def ask(connection, headers=HEADERS, method="POST", path=PATH, body=BODY):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status
def request(more="", body=BODY, version="1.1"):
    fields = "".join(f"{name}: {value}\\r\\n" for name, value in HEADERS.items())
    return (f"POST {PATH} HTTP/{version}\\r\\nhost: {HOST}\\r\\n{fields}{more}"
            f"content-length: {len(body)}\\r\\n\\r\\n").encode() + body
def answered(connection, n=1):
    got = b""
    while got.count(b"HTTP/1.1 ") < n or not is_whole(got.rpartition(b"HTTP/1.1 ")[2]):
        more = connection.recv(65536)
        if not more:
            break
        got += more
    return got.count(b"HTTP/1.1 200")
def is_whole(answer):
    head, gap, body = answer.partition(b"\\r\\n\\r\\n")
    length = [int(line.split(b":")[1]) for line in head.lower().split(b"\\r\\n") if line.startswith(b"content-length")]
    return gap and length and len(body) >= length[0]
"""


def command(text, run, *more, api=drive.CHAT, settings=None, stream=False, python=None):
    work = drive.job(api, run, stream, settings=settings)
    script = PRELUDE + textwrap.dedent(text)
    return [*(python or [lab.PYTHON]), "-c", script, *api, run, json.dumps(work["body"]),
            json.dumps(work["headers"]), *more]


def start(stage, cgroup, text, run, *more, where=None, **how):
    return stage.client(command(text, run, *more, **how), cgroup, where=where, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def ends(child, seconds=60):
    """What it has said, once it has ended well."""
    out, err = child.communicate(timeout=seconds)
    assert child.returncode == 0, out + err
    return out
