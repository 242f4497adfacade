# SPDX-License-Identifier: Apache-2.0
"""
Requests in unusual ways to write them: another Host under the right name of the hello, line ends before a request, a path
that is written otherwise. What a provider would answer is a call: it is measured, and behind a shut gate it does not leave.
"""
import json
import subprocess

import pytest

import drive
import stage as lab
import tenant
from drive import ANTHROPIC
from spending import actions, rules, spender

HOST, PATH = ANTHROPIC
CLIENT = """
import os, socket, ssl, sys
host, head, body = sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode("latin-1"), sys.argv[3].encode()
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
plain = socket.create_connection((host, 443), timeout=4)
tls = context.wrap_socket(plain, server_hostname=host)
for number in range(2):
    step = int(sys.argv[4])
    data = head + b"content-length: %d\\r\\n\\r\\n" % len(body) + body
    for at in range(0, len(data), step):
        tls.sendall(data[at:at + step])
    answer = tls.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    length = int(answer.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
    while len(answer.split(b"\\r\\n\\r\\n", 1)[1]) < length:
        answer += tls.recv(65536)
print("done 200 0")
"""

LINES = {
    "plain": (f"POST {PATH} HTTP/1.1", f"Host: {HOST}"),
    "dot": (f"POST {PATH} HTTP/1.1", f"Host: {HOST}."),
    "case": (f"POST {PATH} HTTP/1.1", f"hOSt: {HOST.upper()}"),
    "port": (f"POST {PATH} HTTP/1.1", f"Host: {HOST}:443"),
    "other": (f"POST {PATH} HTTP/1.1", "Host: example.internal"),
    "other-provider": (f"POST {PATH} HTTP/1.1", "Host: api.deepseek.com"),
    "none": (f"POST {PATH} HTTP/1.1", "X-Nothing: 1"),
    "two": (f"POST {PATH} HTTP/1.1", f"Host: example.internal\\r\\nHost: {HOST}"),
    "bytes": (f"POST {PATH} HTTP/1.1", "Host: \\xff\\xfe{}"),
    "absolute": (f"POST https://{HOST}{PATH} HTTP/1.1", "Host: example.internal"),
    "absolute-other": (f"POST http://u:p@example.internal:8080{PATH} HTTP/1.1", f"Host: {HOST}"),
    "line-ends": (f"\\r\\n\\r\\n\\n\\r\\nPOST {PATH} HTTP/1.1", f"Host: {HOST}"),
    "encoded": ("POST /v1/%6d%65ssages HTTP/1.1", f"Host: {HOST}"),
    "encoded-slash": ("POST /v1%2Fmessages HTTP/1.1", f"Host: {HOST}"),
    "dots": ("POST /x/..//v1/./y/../messages HTTP/1.1", f"Host: {HOST}"),
    "long": ("POST " + "/." * 1500 + f"{PATH} HTTP/1.1", f"Host: {HOST}"),
    "query": (f"POST {PATH}?beta=true&model=none HTTP/1.1", f"Host: {HOST}"),
}


def started(stage, directory, attach):
    text = rules(stage, "shut-*", "refuse").replace("attach: everyone", f"attach: {attach}")
    return lab.Daemon(stage, str(directory), lab.config(directory, text)).start()


@pytest.fixture(name="daemon", scope="module")
def one_daemon(stage, tmp_path_factory):
    """It knows each connection's name, as it probes everybody."""
    daemon = started(stage, tmp_path_factory.mktemp("hosts"), "everyone")
    yield daemon
    assert daemon.stop() == 0, daemon.tail()


@pytest.fixture(name="on_sight", scope="module")
def daemon_on_sight(stage, tmp_path_factory):
    """Its probes on a new program come after the program has said the name."""
    daemon = started(stage, tmp_path_factory.mktemp("sight"), "on-sight")
    yield daemon
    assert daemon.stop() == 0, daemon.tail()


def ask(stage, home, run, cgroup, lines, step=1 << 20):
    _, environment = home
    work = drive.job(ANTHROPIC, run, settings={"front": HOST})
    head = "\\r\\n".join([*lines, f"x-api-key: {run}", f"x-fake: {work['headers']['x-fake']}",
                          "content-type: application/json", ""])
    return stage.client([*tenant.AS_NOBODY, lab.PYTHON, "-c", CLIENT, HOST, head, json.dumps(work["body"]), str(step)],
                        cgroup, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def must_measure(stage, daemon, home, way, step):
    run, cgroup = stage.new_run("free")
    out, err = ask(stage, home, run, cgroup, LINES[way], step).communicate(timeout=60)
    assert "done 200" in out, err
    bill, ledger = stage.settle(daemon, run, cgroup, 2)
    assert len(bill) == len(ledger) == 2, ledger
    assert all(row["measured_calls"] == 1 and row["host"] == HOST for row in ledger), ledger
    assert sorted(lab.money(row["cost_usd"]) for row in ledger) == sorted(lab.money(row["cost_usd"]) for row in bill)


@pytest.mark.parametrize("way", LINES)
def test_it_is_measured(stage, daemon, home, way):
    must_measure(stage, daemon, home, way, 1 << 20)


# A head that names the provider is enough, however it is written: byte by byte, each in a record of its own.
@pytest.mark.parametrize("way", ["plain", "dot", "absolute", "line-ends", "encoded", "encoded-slash", "dots"])
def test_a_new_program_is_measured_byte_by_byte(stage, on_sight, home, way):
    must_measure(stage, on_sight, home, way, 1)


# If it does not, only the socket does, and records of a byte do not tell which that is: it is estimated by its size.
@pytest.mark.parametrize("way", ["other", "none", "bytes", "absolute-other"])
def test_a_new_program_is_charged_byte_by_byte(stage, on_sight, home, way):
    run, cgroup = stage.new_run("free")
    out, err = ask(stage, home, run, cgroup, LINES[way], 1).communicate(timeout=60)
    assert "done 200" in out, err
    rows = lab.wait(lambda: on_sight.calls(cgroup), 20, on_sight.tail)
    assert all(row["host"] == HOST for row in rows), rows


def test_none_passes_a_shut_gate(stage, daemon, home):
    run, cgroup = stage.new_run("shut")
    client = spender(stage, run, cgroup)
    lab.wait(lambda: client.poll() is not None, 60, daemon.tail)
    lab.wait(lambda: any(a["result"] == "done" for a in actions(daemon)), 20, daemon.tail)
    n = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    children = [ask(stage, home, run, cgroup, lines) for lines in LINES.values()]
    for child in children:
        out, _ = child.communicate(timeout=60)
        assert "done" not in out
    assert len(stage.api.bill(run)) == n
