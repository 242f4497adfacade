# SPDX-License-Identifier: Apache-2.0
"""Which socket carries which TLS connection: no phantom charge, whoever holds the socket."""
import json
import os
import shutil
import subprocess
import time

import pytest

import drive
import script
import stage as lab

HOST = drive.CHAT[0]


@pytest.fixture(name="daemon", scope="module")
def one_daemon(stage, tmp_path_factory):
    """Nothing is configured."""
    daemon = lab.Daemon(stage, str(tmp_path_factory.mktemp("pairing"))).start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("kind", drive.ANY)
def test_a_program_seen_for_the_first_time_is_measured_from_its_first_call(stage, daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    for _ in range(3):
        script.ends(stage.client(drive.command(kind, drive.job(drive.CHAT, run)), cgroup,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    stage.must_agree(daemon, run, cgroup, 3)


def test_a_connection_that_a_fork_inherits(stage, daemon):
    """
    The parent connects and calls once; the child goes on. It greets nobody, so nothing can make it
    wait for its probes: they are in some milliseconds after the fork (docs/design/051-pairing.md).
    """
    run, cgroup = stage.new_run()
    script.ends(script.start(stage, cgroup, """
        connection = http.client.HTTPSConnection("%s", context=context)
        assert ask(connection) == 200
        child = os.fork()
        if child:
            os.waitpid(child, 0)    # the pipe is inherited, too
            os._exit(0)
        time.sleep(2)
        for _ in range(10):
            assert ask(connection) == 200
        connection.close()
        """ % HOST, run))
    stage.must_agree(daemon, run, cgroup, 11)


RELAY = """
import os, select, socket, sys, threading
path, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("ready", flush=True)
def pump(a, b):
    while True:
        ready, _, _ = select.select([a, b], [], [])
        for one in ready:
            data = one.recv(65536)
            if not data:
                a.close(); b.close()
                return
            (b if one is a else a).sendall(data)
while True:
    near, _ = listener.accept()
    far = socket.create_connection((host, port))
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
"""


BY_UNIX = """
for _ in range(2):
    near = socket.socket(socket.AF_UNIX)
    near.settimeout(30)
    near.connect(MORE[0])
    connection = http.client.HTTPSConnection("%s")
    connection.sock = context.wrap_socket(near, server_hostname="%s")
    assert ask(connection) == 200
    assert ask(connection) == 200
    connection.close()
""" % (HOST, HOST)


@pytest.mark.parametrize("kind", ["one process", "socat", "socat of a process for each"])
def test_a_relay_behind_a_unix_socket(stage, daemon, tmp_path, kind):
    """
    The relay's socket carries its clients' connections. They greet no AI host, so they are looked at as the relay
    greets: programs that are not known, one after the other, of another cgroup than the relay.
    """
    path = str(tmp_path / "relay")
    argv = [lab.PYTHON, "-c", RELAY, path, HOST, "443"]
    if kind != "one process":
        if not shutil.which("socat"):
            pytest.skip("socat is not installed (scripts/deps test)")
        argv = ["socat", f"UNIX-LISTEN:{path}" + (",fork" if "each" in kind else ""), f"TCP:{HOST}:443"]
    relay = stage.client(argv, stage.new_run("relay")[1], stdout=subprocess.DEVNULL)
    lab.wait(lambda: os.path.exists(path), 10)
    for number in range(1 if kind == "socat" else 2):
        run, cgroup = stage.new_run()
        text = BY_UNIX.replace("range(2)", "range(1)") if kind == "socat" else BY_UNIX
        script.ends(script.start(stage, cgroup, text + f"# another program: {number}", run, path))
        stage.must_agree(daemon, run, cgroup, 2 if kind == "socat" else 4)
    relay.terminate()
    relay.wait()


def refusing(stage, run, name="lab"):
    return f"""enforce: true
budgets:
  - name: {name}
    match: {{ cgroup: "{stage.name}/{run}" }}
    per: cgroup
    limit: 0.20 USD
    window: day
    steps: [ {{ at: 100%, do: refuse }} ]
"""


def spend(stage, daemon, cgroup, run):
    """Crosses the budget, and waits for the gate."""
    work = drive.job(drive.ANTHROPIC, run, calls=1000, settings={"delay_ms": 20})    # 0.05 USD each
    stage.client(drive.command("http.client", work), cgroup, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
    lab.wait(lambda: any(a["action"] == "refuse" and a["result"] == "done"
                         for a in json.loads(daemon.run("explain", "--format", "json").stdout)["actions"]),
             30, daemon.tail)
    stage.guests.end()
    time.sleep(1)   # what was in flight is billed


SOCKS = """
import socket, struct, sys, threading, select
listener = socket.create_server(("127.0.0.1", 1080))
print("ready", flush=True)
def exactly(s, n):
    data = b""
    while len(data) < n:
        data += s.recv(n - len(data))
    return data
def serve(near):
    exactly(near, exactly(near, 2)[1])
    near.sendall(b"\\x05\\x00")
    exactly(near, 4)
    host = exactly(near, exactly(near, 1)[0]).decode()
    port, = struct.unpack(">H", exactly(near, 2))
    far = socket.create_connection((host, port))
    near.sendall(b"\\x05\\x00\\x00\\x01" + bytes(6))
    while True:
        for one in select.select([near, far], [], [])[0]:
            data = one.recv(65536)
            if not data:
                near.close(); far.close()
                return
            (far if one is near else near).sendall(data)
while True:
    near, _ = listener.accept()
    threading.Thread(target=serve, args=(near,), daemon=True).start()
"""


def curl_code(stage, cgroup, run, *options):
    child = stage.client([*drive.command("curl", drive.job(drive.CHAT, run)), *options], cgroup,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    child.communicate(timeout=60)
    return child.returncode


def test_a_shut_gate_holds_behind_a_socks_proxy(stage, new_daemon):
    """The socket of the client goes to the proxy, which is another's: its connection says whose it is."""
    run, cgroup = stage.new_run()
    other, proxys = stage.new_run()
    daemon = new_daemon(refusing(stage, run)).start()
    proxy = stage.children.start([lab.PYTHON, "-c", SOCKS], cgroup=proxys, stdout=subprocess.PIPE,
                                 text=True)
    try:
        assert proxy.stdout.readline() == "ready\n"
        assert curl_code(stage, cgroup, run, "--socks5-hostname", "127.0.0.1:1080") == 0
        spend(stage, daemon, cgroup, run)
        before = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
        assert curl_code(stage, cgroup, run, "--socks5-hostname", "127.0.0.1:1080", "-m", "10") != 0
        assert len(stage.api.bill(run)) == before
        assert curl_code(stage, proxys, other, "--socks5-hostname", "127.0.0.1:1080") == 0
    finally:
        proxy.kill()
        proxy.wait()


def test_a_shut_gate_holds_whoever_made_the_socket(stage, new_daemon):
    """A process connects in a free cgroup, and moves into the one that may not call."""
    run, cgroup = stage.new_run()
    other, free = stage.new_run()
    daemon = new_daemon(refusing(stage, run)).start()
    spend(stage, daemon, cgroup, run)
    before = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    child = script.start(stage, free, """
        connection = http.client.HTTPSConnection("%s", context=context, timeout=5)
        assert ask(connection, {**HEADERS, "x-api-key": MORE[0]}) == 200
        open(MORE[1], "w").write("0")
        try:
            ask(connection)
        except OSError as error:
            print("refused")
        """ % HOST, run, other, lab.cgroup2_mount() + cgroup.path + "/cgroup.procs")
    assert script.ends(child) == "refused\n"
    assert len(stage.api.bill(run)) == before
    assert len(stage.api.bill(other)) == 1


def test_a_pace_holds_whoever_made_the_socket(stage, new_daemon):
    """The same for a request that must wait: it is held on its way, and goes on when the pace ends."""
    run, cgroup = stage.new_run()
    other, free = stage.new_run()
    daemon = new_daemon(refusing(stage, run).replace("do: refuse", "do: pace, to: 0.01 USD/hour")).start()

    def held():
        return sum(gate["held"] for gate in daemon.fact("gates") or [])
    work = drive.job(drive.ANTHROPIC, run, calls=1000, settings={"delay_ms": 20})
    spender = stage.client(drive.command("http.client", work), cgroup, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    before = lab.wait(held, 30, daemon.tail)
    spender.kill()
    child = script.start(stage, free, """
        connection = http.client.HTTPSConnection("%s", context=context, timeout=60)
        mine = {**HEADERS, "x-api-key": MORE[0]}
        assert ask(connection, mine) == 200
        open(MORE[1], "w").write("0")
        print("moved", flush=True)
        print(ask(connection, mine), flush=True)
        """ % HOST, run, other, lab.cgroup2_mount() + cgroup.path + "/cgroup.procs")
    assert child.stdout.readline() == "moved\n", child.stderr.read()
    lab.wait(lambda: held() > before, 20, daemon.tail)
    assert len(stage.api.bill(other)) == 1
    daemon.run("override", "open", "lab", "--for", "5m")
    assert script.ends(child) == "200\n"
    assert len(stage.api.bill(other)) == 2


def test_a_name_with_a_dot_at_its_end_is_the_same_name(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(refusing(stage, run)).start()
    text = """
        connection = http.client.HTTPSConnection("%s.", context=context, timeout=5)
        connection._create_connection = lambda address, *rest: socket.create_connection(("%s", 443))
        context.check_hostname = False
        print(ask(connection, {**HEADERS, "host": "%s."}))
        """ % (HOST, HOST, HOST)
    assert script.ends(script.start(stage, cgroup, text, run)) == "200\n"
    stage.must_agree(daemon, run, cgroup, 1)
