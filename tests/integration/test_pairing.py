# SPDX-License-Identifier: Apache-2.0
"""Which socket carries which TLS connection: no phantom charge, whoever holds the socket."""
import json
import os
import subprocess
import textwrap

import pytest

import drive
import stage as lab

HOST, PATH = drive.CHAT
ENDED = "the flows' ends are settled a second after they came"


def python(stage, cgroup, text, *args):
    """A client of one script; `lab` has a TLS context, and ask(connection) that makes one call."""
    prelude = """
        import http.client, json, os, socket, ssl, sys, time
        RUN, BODY, HEADERS = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        def ask(connection, headers=HEADERS):
            connection.request("POST", "%s", BODY, {**headers, "content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        """ % PATH
    work = drive.job(drive.CHAT, args[0])
    script = textwrap.dedent(prelude) + textwrap.dedent(text)
    return stage.client([lab.PYTHON, "-c", script, args[0], json.dumps(work["body"]),
                         json.dumps(work["headers"]), *args[1:]], cgroup, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True)


def ends(child):
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, out + err
    return out


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
        ends(stage.client(drive.command(kind, drive.job(drive.CHAT, run)), cgroup,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    stage.must_agree(daemon, run, cgroup, 3)


def test_a_connection_that_a_fork_inherits(stage, daemon):
    """The parent connects, calls once, and exits; the child goes on."""
    run, cgroup = stage.new_run()
    ends(python(stage, cgroup, """
        connection = http.client.HTTPSConnection("%s", context=context)
        assert ask(connection) == 200
        child = os.fork()
        if child:
            os.waitpid(child, 0)    # the pipe is inherited, too
            os._exit(0)
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


def test_a_relay_behind_a_unix_socket(stage, daemon, tmp_path):
    run, cgroup = stage.new_run()
    path = str(tmp_path / "relay")
    relay = stage.client([lab.PYTHON, "-c", RELAY, path, HOST, "443"], cgroup,
                         stdout=subprocess.PIPE, text=True)
    assert relay.stdout.readline() == "ready\n"
    command = drive.command("curl", drive.job(drive.CHAT, run))
    for _ in range(3):
        ends(stage.client([command[0], "--unix-socket", path, *command[1:]], cgroup,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    relay.terminate()
    relay.wait()
    stage.must_agree(daemon, run, cgroup, 3)
