# SPDX-License-Identifier: Apache-2.0
"""A call that was cut short is one row, whatever of its answer is left in the socket."""
import json
import signal
import subprocess
import time

import pytest

import drive
import stage as lab
from drive import ANTHROPIC

SLOW = """
import json, os, socket, ssl, sys, time
host, path, run, how = sys.argv[1:]
plain = socket.create_connection((host, 443))
tls = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
body = json.dumps({"model": "claude-sonnet-5", "max_tokens": 1000, "stream": True,
                   "messages": [{"role": "user", "content": "hello"}]})
tls.sendall((f"POST {path} HTTP/1.1\\r\\nhost: {host}\\r\\nx-api-key: {run}\\r\\nx-fake: events=600\\r\\n"
             f"content-type: application/json\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n{body}").encode())
got = b""
while how != "unanswered" and got.count(b"content_block_delta") < 40:
    got += tls.recv(4096)
time.sleep(0.5)     # the rest comes, and stays in the socket
print("left", flush=True)
if how == "socket":     # before its session, which ends seconds later
    os.close(tls.fileno())
    time.sleep(4)
elif how == "session":
    tls.close()
else:
    time.sleep(60)
os._exit(0)
"""


def leave(stage, run, cgroup, how):
    """A client that leaves most of a stream in its socket: a process that has said so."""
    child = stage.client([lab.PYTHON, "-c", SLOW, *ANTHROPIC, run, how], cgroup,
                         stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "left\n"
    return child


def settled(daemon, cgroup):
    """Its rows, when whatever comes late has come."""
    lab.wait(lambda: daemon.calls(cgroup), 20)
    time.sleep(4)
    return daemon.calls(cgroup)


@pytest.mark.parametrize("how", ["killed", "socket", "session", "unanswered"])
def test_what_is_left_in_the_socket_is_the_calls(stage, daemon, how):
    run, cgroup = stage.new_run()
    child = leave(stage, run, cgroup, how)
    if how in ("killed", "unanswered"):
        child.send_signal(signal.SIGKILL)
    child.wait(20)
    rows = settled(daemon, cgroup)
    assert len(rows) == 1, lab.shown(rows)
    row, = rows
    assert row["outcome"] == ("no-answer" if how == "unanswered" else "aborted"), row
    assert row["estimated_calls"] == 1 and row["path"] == ANTHROPIC[1]
    assert row["response_bytes"] > 50000
    # 600 deltas came, of which 40 at most were read: a few tokens each
    assert 600 < row["tokens"]["output"] < 12000, row


def test_two_curls_killed_in_mid_stream(stage, daemon):
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, settings={"events": 600})
    argv = drive.curl(work, "--limit-rate", "2k")
    children = [stage.client(argv, cgroup, stdout=subprocess.DEVNULL) for _ in range(2)]
    time.sleep(2)
    for child in children:
        child.kill()
        child.wait(10)
    rows = settled(daemon, cgroup)
    assert [row["outcome"] for row in rows] == ["aborted"] * 2, lab.shown(rows)


def test_a_long_living_program_with_other_connections(stage, daemon):
    """Its account does not settle, since a connection stays open; the call still has its bytes, once."""
    run, cgroup = stage.new_run()
    child = stage.client([lab.PYTHON, "-c", "import socket, ssl\n" + f"""
kept = ssl.create_default_context().wrap_socket(socket.create_connection(("{ANTHROPIC[0]}", 443)),
                                                server_hostname="{ANTHROPIC[0]}")
""" + SLOW.replace("os._exit(0)", "time.sleep(4)")
   .replace('sys.argv[1:]', f'{json.dumps([*ANTHROPIC, run, "session"])}')], cgroup,
                         stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "left\n"
    child.wait(20)
    rows = settled(daemon, cgroup)
    assert len(rows) == 1, lab.shown(rows)
    row, = rows
    assert row["outcome"] == "aborted" and row["response_bytes"] > 50000, row
