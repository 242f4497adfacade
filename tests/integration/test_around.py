# SPDX-License-Identifier: Apache-2.0
"""
Two tenants behind one relay, one of them refused: the other loses no call. Where the gate holds nobody, an action's
result says so (`not enforceable`), and a metric.
"""
import json
import os
import re
import shutil
import subprocess
import textwrap
import time
import urllib.request

import pytest

import drive
import stage as lab

HOST, PATH = drive.CHAT
LIMIT = "0.004 USD"     # a handful of calls


def config(stage, run):
    return f"""enforce: true
serve: {{ listen: "127.0.0.1:9464" }}
budgets:
  - name: lab
    match: {{ cgroup: "{stage.name}/{run}" }}
    per: cgroup
    limit: {LIMIT}
    window: day
    steps: [ {{ at: 100%, do: refuse }} ]
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
def calls(n, gap, connection):
    for i in range(n):
        try:
            ask(connection)
        except (OSError, http.client.HTTPException) as error:
            return i, repr(error)
        time.sleep(gap)
    return n, ""
""" % (PATH, HOST, HOST, HOST)

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
    work = drive.job(drive.CHAT, run)
    script = CLIENT + textwrap.dedent(text).replace("OPEN", how)
    return stage.client([lab.PYTHON, "-c", script, run, json.dumps(work["body"]), json.dumps(work["headers"])],
                        cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(child):
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, out + err
    return out.split(maxsplit=2)


class Tenants:
    """One that crosses its budget and one that has none, at the same time, through the same relay."""

    def __init__(self, stage, new_daemon, how, greet=""):
        self.stage = stage
        self.run, self.cgroup = stage.new_run("spender")
        self.other, self.others = stage.new_run("neighbour")
        self.daemon = new_daemon(config(stage, self.run), where="inside").start()
        self.how, self.greet = how, greet

    def call(self):
        """How many calls of the spender were answered on its first connection, and on three later ones."""
        neighbour = client(self.stage, self.others, self.other, self.greet + NEIGHBOUR, self.how)
        before, again = said(client(self.stage, self.cgroup, self.run, self.greet + SPENDER, self.how))[:2]
        n, *why = said(neighbour)
        assert int(n) == 100, why
        self.stage.must_agree(self.daemon, self.other, self.others, 101 if self.greet else 100)
        return int(before), int(again)

    def results(self):
        actions = json.loads(self.daemon.run("explain", "--format", "json").stdout)["actions"]
        return [action["result"] for action in actions if action["action"] == "refuse"]

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


@pytest.fixture(name="relays")
def of_relays(stage):
    """Starts relays in a cgroup that is neither tenant's; ends them."""
    _, cgroup = stage.new_run("relay")
    started = []

    def start(argv, is_ready):
        child = stage.children.start(argv, cgroup=cgroup, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(child)
        lab.wait(lambda: child.poll() is not None or is_ready(), 20, " ".join(argv))
        assert child.poll() is None, child.stdout.read()
    yield start
    for child in reversed(started):
        child.kill()
        child.wait()


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


def test_two_tenants_behind_squid(stage, new_daemon, relays, tmp_path_factory):
    directory = tmp_path_factory.mktemp("squid")
    for above in (directory.parent, directory.parent.parent):
        os.chmod(above, 0o755)
    relays(squid(directory), lambda: listens(3128))
    Tenants(stage, new_daemon, "by_proxy(3128)").must_hold()


def nghttpx(directory, name, front, back):
    if not shutil.which("nghttpx"):
        pytest.skip("nghttp2-proxy is not installed (scripts/deps test)")
    file = directory / f"{name}.conf"
    file.write_text("", encoding="ascii")
    return ["nghttpx", f"--conf={file}", "--http2-proxy", "--workers=1", f"--frontend=127.0.0.1,{front};no-tls",
            f"--backend=127.0.0.1,{back}", f"--errorlog-file={directory}/{name}.log",
            f"--accesslog-file={directory}/{name}.access", f"--pid-file={directory}/{name}.pid"]


def test_two_tenants_behind_one_connection_of_http2(stage, new_daemon, relays, tmp_path_factory):
    """CONNECT on CONNECT: the two nghttpx carry everybody's tunnels on one connection of HTTP/2 between them."""
    directory = tmp_path_factory.mktemp("nghttpx")
    for above in (directory.parent, directory.parent.parent):
        os.chmod(above, 0o755)
    relays(squid(directory), lambda: listens(3128))
    relays(nghttpx(directory, "far", 3130, "3128"), lambda: listens(3130))
    relays(nghttpx(directory, "near", 3129, "3130;;proto=h2"), lambda: listens(3129))
    Tenants(stage, new_daemon, "by_proxy(3129)").must_hold()


# Clients of a Unix socket, on one connection of TCP to the far end, which calls for them. argv: path, port, scramble.
# Records begin segments on the way (header and payload are sent apart) and never leave the far end so.
MUX = """
import socket, struct, sys, threading
path, port, mask = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def scrambled(data):
    return bytes(byte ^ mask for byte in data) if mask else data
def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data
def send(s, lock, number, data):
    with lock:
        s.sendall(struct.pack(">BI", number, len(data)))
        s.sendall(scrambled(data))
def receive(s):
    number, size = struct.unpack(">BI", exactly(s, 5))
    return number, scrambled(exactly(s, size))
def pump(source, s, lock, number):
    try:
        while data := source.recv(16384):
            send(s, lock, number, data)
    except OSError:
        pass
    send(s, lock, number, b"")
def nodelay(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s
def far(listener):
    s, lock, ends = nodelay(listener.accept()[0]), threading.Lock(), {}
    while True:
        number, data = receive(s)
        if number not in ends:
            ends[number] = nodelay(socket.create_connection(("%s", 443)))
            threading.Thread(target=pump, args=(ends[number], s, lock, number), daemon=True).start()
        if not data:
            ends.pop(number).close()
            continue
        ends[number].sendall(data[:1])
        ends[number].sendall(data[1:])
def near(listener):
    s, lock, ends = nodelay(socket.create_connection(("127.0.0.1", port))), threading.Lock(), {}
    def back():
        while True:
            number, data = receive(s)
            if data:
                ends[number].sendall(data)
            else:
                ends[number].close()
    threading.Thread(target=back, daemon=True).start()
    number = 0
    while True:
        number += 1
        ends[number] = listener.accept()[0]
        threading.Thread(target=pump, args=(ends[number], s, lock, number), daemon=True).start()
if path:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    near(listener)
else:
    far(socket.create_server(("127.0.0.1", port)))
""" % HOST


def mux(stage, new_daemon, relays, tmp_path, mask):
    path = str(tmp_path / "relay")
    relays([lab.PYTHON, "-c", MUX, "", "3131", str(mask)], lambda: listens(3131))
    relays([lab.PYTHON, "-c", MUX, path, "3131", str(mask)], lambda: os.path.exists(path))
    time.sleep(0.2)     # bound, and about to listen
    return Tenants(stage, new_daemon, f"by_unix({path!r})", GREET)


def test_a_socket_that_two_tenants_share(stage, new_daemon, relays, tmp_path):
    """The client's own socket is none of TCP, and the relay's has others' connections on it."""
    mux(stage, new_daemon, relays, tmp_path, 0).must_be_told("shared relay socket")


def test_a_relay_in_which_nothing_is_recognised(stage, new_daemon, relays, tmp_path):
    mux(stage, new_daemon, relays, tmp_path, 85).must_be_told("no socket is known that carries its connection")
