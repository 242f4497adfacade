# SPDX-License-Identifier: Apache-2.0
"""
Two tenants behind one relay, one of them refused: the other loses no call. Where the gate holds nobody, an action's
result says so (`not enforceable`), and a metric.
"""
import os
import shutil
import time

import pytest

import behind
import stage as lab
from behind import GREET, HOST, Tenants, listens, squid


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


def mux(stage, new_daemon, relays, tmp_path, mask, **more):
    path = str(tmp_path / "relay")
    relays([lab.PYTHON, "-c", MUX, "", "3131", str(mask)], lambda: listens(3131))
    relays([lab.PYTHON, "-c", MUX, path, "3131", str(mask)], lambda: os.path.exists(path))
    time.sleep(0.2)     # bound, and about to listen
    return Tenants(stage, new_daemon, f"by_unix({path!r})", GREET, **more)


def test_a_socket_that_two_tenants_share(stage, new_daemon, relays, tmp_path):
    """The client's own socket is none of TCP, and the relay's has others' connections on it."""
    mux(stage, new_daemon, relays, tmp_path, 0).must_be_told("shared relay socket")


def test_a_pace_that_is_got_around(stage, new_daemon, relays, tmp_path):
    mux(stage, new_daemon, relays, tmp_path, 0, do="pace, to: 0.01 USD/hour").must_be_told("shared relay socket")


def test_a_relay_in_which_nothing_is_recognised(stage, new_daemon, relays, tmp_path):
    mux(stage, new_daemon, relays, tmp_path, 85).must_be_told("no socket is known that carries its connection")


@pytest.mark.parametrize("do", ["refuse", "pace, to: 0.01 USD/hour"])
def test_a_relay_that_may_not_call_itself(stage, new_daemon, tmp_path, do):
    """What it carries for another is the other's: nothing holds that, and the action says so where it cuts."""
    path = str(tmp_path / "relay")
    run, cgroup = stage.new_run("relay-itself")
    relay = stage.children.start(["socat", f"UNIX-LISTEN:{path},fork", f"TCP:{HOST}:443"], cgroup=cgroup)
    lab.wait(lambda: os.path.exists(path), 20)
    other, others = stage.new_run("neighbour")
    daemon = new_daemon(behind.config(stage, run, do), where="inside").start()
    try:
        neighbour = behind.client(stage, others, other, behind.NEIGHBOUR, f"by_unix({path!r})")
        lab.wait(lambda: len(daemon.calls(others)) > 5, 20, daemon.tail)
        spender = behind.client(stage, cgroup, run, "print(calls(60, 0.02, OPEN)[0])", f"connect({HOST!r})")
        assert 0 < int(behind.said(spender)[0]) < 60
        assert behind.said(neighbour)[0] == "100"
        stage.must_agree(daemon, other, others, 100)
        told = [each for each in behind.results(daemon, do.split(",")[0]) if each.startswith("not enforceable")]
        if do == "refuse":
            assert len(told) == 1 and "shared relay socket; 1 of its connections" in told[0], behind.results(daemon)
        else:
            assert not told, told
    finally:
        relay.kill()
        relay.wait()
