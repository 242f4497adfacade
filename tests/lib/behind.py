# SPDX-License-Identifier: Apache-2.0
"""Two tenants behind one relay, one of which crosses its budget there; relays that are real programs."""
import json
import os
import re
import shutil
import subprocess
import textwrap
import urllib.request

import pytest

import drive
import stage as lab

HOST, PATH = drive.CHAT
LIMIT = "0.012 USD"     # a handful of calls, after one by which a program greets


def config(stage, run, do="refuse"):
    return f"""enforce: true
serve: {{ listen: "127.0.0.1:9464" }}
budgets:
  - name: lab
    match: {{ cgroup: "{stage.name}/{run}" }}
    per: cgroup
    limit: {LIMIT}
    window: day
    steps: [ {{ at: 100%, do: {do} }} ]
"""


# Calls through a relay: `open_connection()` is each relay's own.
CLIENT = """
import http.client, json, os, socket, ssl, sys, time
RUN, BODY, HEADERS = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
def ask(connection):
    connection.request("POST", "%s", BODY, {**HEADERS, "content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
def by_unix(path):
    near = socket.socket(socket.AF_UNIX)
    near.settimeout(5)
    near.connect(path)
    connection = http.client.HTTPSConnection("%s")
    connection.sock = context.wrap_socket(near, server_hostname="%s")
    return connection
def by_proxy(port):
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    connection.set_tunnel("%s", 443)
    return connection
def connect(name):
    return http.client.HTTPSConnection(name, context=context, timeout=5)
def by_port(port):
    connection = http.client.HTTPSConnection("%s", context=context, timeout=5)
    connection._create_connection = lambda *rest: socket.create_connection(("127.0.0.1", port), 5)
    return connection
def by_socks(port):
    far = socket.create_connection(("127.0.0.1", port), 5)
    far.sendall(bytes([5, 1, 0]))
    assert far.recv(2) == bytes([5, 0])
    far.sendall(bytes([5, 1, 0, 3, len("%s")]) + b"%s" + (443).to_bytes(2, "big"))
    assert far.recv(10)[1] == 0
    connection = http.client.HTTPSConnection("%s", context=context, timeout=5)
    connection._create_connection = lambda *rest: far
    return connection
def calls(n, gap, connection):
    for i in range(n):
        try:
            ask(connection)
        except (OSError, http.client.HTTPException) as error:
            return i, repr(error)
        time.sleep(gap)
    return n, ""
""" % ((PATH,) + (HOST,) * 7)

# One that only ever talks to a Unix socket greets no AI host, so its program is not looked for: it calls once itself.
GREET = """
ask(http.client.HTTPSConnection("%s", context=context))
""" % HOST

# As many calls as are answered on one connection, and then on three new ones, some time after.
SPENDER = """
before, why = calls(60, 0.02, OPEN)
time.sleep(3)
print(before, sum(calls(1, 0, OPEN)[0] for _ in range(3)), why)
"""
NEIGHBOUR = """
n, why = calls(100, 0.05, OPEN)
print(n, why)
"""


def client(stage, cgroup, run, text, how):
    """Runs SPENDER, NEIGHBOUR or another text; `how` makes a connection."""
    work = drive.job(drive.CHAT, run)
    script = CLIENT + textwrap.dedent(text).replace("OPEN", how)
    return stage.client([lab.PYTHON, "-c", script, run, json.dumps(work["body"]), json.dumps(work["headers"])],
                        cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(child):
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, out + err
    return out.split(maxsplit=2)


def results(daemon, action="refuse"):
    actions = json.loads(daemon.run("explain", "--format", "json").stdout)["actions"]
    return [each["result"] for each in actions if each["action"] == action]


class Tenants:
    """One that crosses its budget and one that has none, at the same time, through the same relay."""

    def __init__(self, stage, new_daemon, how, greet="", do="refuse"):
        self.stage = stage
        self.run, self.cgroup = stage.new_run("spender")
        self.other, self.others = stage.new_run("neighbour")
        self.daemon = new_daemon(config(stage, self.run, do), where="inside").start()
        self.how, self.greet, self.action = how, greet, do.split(",", maxsplit=1)[0]

    def call(self):
        """How many calls of the spender were answered on its first connection, and on three later ones."""
        neighbour = client(self.stage, self.others, self.other, self.greet + NEIGHBOUR, self.how)
        before, again = said(client(self.stage, self.cgroup, self.run, self.greet + SPENDER, self.how))[:2]
        n, *why = said(neighbour)
        assert int(n) == 100, why
        self.stage.must_agree(self.daemon, self.other, self.others, 101 if self.greet else 100)
        return int(before), int(again)

    def results(self):
        return results(self.daemon, self.action)

    def must_hold(self):
        before, again = self.call()
        assert 0 < before < 60 and again == 0, (before, again)
        assert not [result for result in self.results() if result.startswith("not enforceable")]

    def must_be_told(self, why):
        before, again = self.call()
        assert (before, again) == (60, 3)
        told = lab.wait(lambda: [r for r in self.results() if r.startswith("not enforceable")], 10, self.daemon.said)
        assert len(told) == 1 and why in told[0], told
        with urllib.request.urlopen("http://127.0.0.1:9464/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert re.search(r"^aigress_gates_not_enforceable(\{.*\})? 1$", text, re.M), text


def listens(port):
    wanted = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in file.readlines()[1:])


def squid(directory):
    if not shutil.which("squid"):
        pytest.skip("squid is not installed (scripts/deps test)")
    os.chmod(directory, 0o777)      # it leaves root
    file = directory / "squid.conf"
    file.write_text(f"""http_port 127.0.0.1:3128
http_access allow all
cache deny all
access_log none
cache_log {directory}/cache.log
coredump_dir {directory}
pid_filename none
visible_hostname lab
shutdown_lifetime 0 seconds
""", encoding="ascii")
    return ["squid", "-N", "-f", str(file)]
