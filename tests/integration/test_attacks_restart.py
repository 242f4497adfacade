# SPDX-License-Identifier: Apache-2.0
"""The daemon is restarted, or killed again and again, while calls go on: nothing is charged twice, and gaps are told."""
import json
import signal
import subprocess
import time

import drive
import stage as lab
from drive import ANTHROPIC, CHAT

CLIENT = """
import http.client, json, os, socket, ssl, sys
address, host, path, headers, body = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), sys.argv[5].encode()
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
connection = http.client.HTTPSConnection(host, context=context, timeout=60)
connection.sock = context.wrap_socket(socket.create_connection((address, 443)), server_hostname=host)
while True:
    connection.request("POST", path, body, dict(headers, **{"content-type": "application/json"}))
    answer = connection.getresponse()
    answer.read()
    print("done", answer.status, 0, flush=True)
    if not sys.stdin.readline().strip():
        break
"""


def client(stage, api, run, cgroup, address):
    work = drive.job(api, run)
    child = stage.client([lab.PYTHON, "-c", CLIENT, address, *api, json.dumps(work["headers"]), json.dumps(work["body"])],
                         cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    drive.next_done(child)
    return child


def again(child, n):
    for _ in range(n):
        child.stdin.write("again\n")
        child.stdin.flush()
        drive.next_done(child)


def test_one_address_of_two_hosts(stage, new_daemon):
    """Connections that are older than the daemon: what is read of them is not charged by its size as well."""
    daemon = new_daemon("attach: everyone\n").start()
    runs = [(api, *stage.new_run()) for api in (ANTHROPIC, CHAT)]
    children = [client(stage, api, run, cgroup, "127.0.0.10") for api, run, cgroup in runs]
    for child in children:
        again(child, 2)
    for _, run, cgroup in runs:
        stage.must_agree(daemon, run, cgroup, 3)
    daemon.agreed.clear()       # the rest comes
    assert daemon.stop() == 0
    daemon.start()
    for child in children:
        again(child, 3)
        child.communicate("\n", timeout=20)
    for _, run, cgroup in runs:
        stage.must_agree(daemon, run, cgroup, 6)
    assert daemon.stop() == 0
    daemon.must_still_agree()


def test_each_kill_is_a_gap(stage, new_daemon):
    daemon = new_daemon("attach: everyone\n").start()
    for _ in range(3):
        time.sleep(1)   # a gap of less than a second is not told
        daemon.stop(signal.SIGKILL)
        time.sleep(1)
        daemon.start()
    gaps = json.loads(daemon.run("report", "--format", "json").stdout)["gaps"]
    assert len(gaps) == 3 and not any(gap["open"] for gap in gaps), gaps
    assert "no meter" in daemon.run("report").stdout
    assert "no meter" in daemon.run("check").stdout
    assert daemon.stop() == 0, daemon.tail()
