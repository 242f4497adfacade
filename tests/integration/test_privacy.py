# SPDX-License-Identifier: Apache-2.0
"""What the daemon must never keep: prompts, keys, query strings."""
import glob
import os

import drive
from drive import ANTHROPIC, CHAT

PROMPT, KEY, QUERY = b"zq-prompt-marker-7151", b"zq-key-marker-9034", b"zq-query-marker-2276"


def holds(directory, marker):
    found = []
    for name in glob.glob(os.path.join(directory, "**"), recursive=True):
        if os.path.isfile(name):
            with open(name, "rb") as file:
                if marker in file.read():
                    found.append(os.path.basename(name))
    return found


def test_nothing_said_is_kept(stage, new_daemon):
    daemon = new_daemon("attach: everyone\n").start()
    run, cgroup = stage.new_run()
    for api in (ANTHROPIC, CHAT):
        for stream in (False, True):
            body = drive.body(api, stream)
            body["messages"][0]["content"] = f"{PROMPT.decode()} " * 400
            work = drive.job((api[0], f"{api[1]}?token={QUERY.decode()}"), run, stream, body=body,
                             headers={"authorization": f"Bearer {KEY.decode()}"})
            drive.make_calls(stage, "curl", work, cgroup)
    # A call that is estimated has had its text counted: it must not be kept for that.
    chat = drive.body(CHAT, stream=True)
    del chat["stream_options"]
    chat["messages"][0]["content"] = PROMPT.decode()
    drive.make_calls(stage, "curl", drive.job(CHAT, run, body=chat), cgroup)
    rows = stage.settle(daemon, run, cgroup, 5)[1]
    assert len(rows) == 5
    assert {row["path"] for row in rows} == {ANTHROPIC[1], CHAT[1]}
    assert daemon.stop() == 0
    # The ledger's files and the daemon's whole output lie in the state directory.
    assert holds(daemon.state, b"claude-sonnet-5"), "the search itself must be able to find"
    for marker in (PROMPT, KEY, QUERY):
        assert not holds(daemon.state, marker), marker


def test_the_daemon_leaves_no_core(stage, new_daemon):
    daemon = new_daemon().start()
    with open(f"/proc/{daemon.child.pid}/limits", encoding="ascii") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
    with open(f"/proc/{daemon.child.pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert fields["NoNewPrivs"].strip() == "1"
    # CAP_SYS_MODULE (16), CAP_SYS_RAWIO (17), CAP_SETUID (7), CAP_DAC_OVERRIDE (1): dropped.
    for name in ("CapEff", "CapPrm", "CapBnd"):
        for bit in (1, 7, 16, 17):
            assert not int(fields[name], 16) >> bit & 1, (name, bit)
