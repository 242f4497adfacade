# SPDX-License-Identifier: Apache-2.0
"""What the daemon must never keep: prompts, keys, query strings."""
import glob
import hashlib
import hmac
import os

import drive
import stage as lab
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


def remembers(daemon, marker):
    """Which parts of the daemon's memory have it; the rings of the kernel half are what it was read from."""
    found = []
    with open(f"/proc/{daemon.child.pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{daemon.child.pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            start, end = (int(each, 16) for each in line.split()[0].split("-"))
            if "rw" not in line.split()[1] or "anon_inode" in line or "bpf" in line:
                continue
            memory.seek(start)
            if marker in memory.read(end - start):
                found.append(line.strip())
    return found


def test_nothing_said_is_kept(stage, new_daemon):
    daemon = new_daemon("attach: everyone\n").start()
    run, cgroup = stage.new_run()
    for api in (ANTHROPIC, CHAT):
        for stream in (False, True):
            body = drive.body(api, stream)
            body["messages"][0]["content"] = f"{PROMPT.decode()} " * 400
            work = drive.job((api[0], f"{api[1]}?token={QUERY.decode()}"), run, stream, body=body,
                             headers={"authorization": f"Bearer {KEY.decode()}",
                                      "user-agent": f"tool/1.0 ({PROMPT.decode()}) {QUERY.decode()}"})
            drive.make_calls(stage, "curl", work, cgroup)
    # HTTP/2 keeps header fields in a table, and what is compressed passes through a decoder's window.
    work = drive.job(CHAT, run, body=drive.body(CHAT), http2=True, headers={"authorization": f"Bearer {KEY.decode()}"},
                     settings={"encoding": "gzip"})
    drive.make_calls(stage, "httpx", work, cgroup)
    # A call that is estimated has had its text counted: it must not be kept for that.
    chat = drive.body(CHAT, stream=True)
    del chat["stream_options"]
    chat["messages"][0]["content"] = PROMPT.decode()
    drive.make_calls(stage, "curl", drive.job(CHAT, run, body=chat), cgroup)
    rows = stage.settle(daemon, run, cgroup, 6)[1]
    assert len(rows) == 6
    assert {row["path"] for row in rows} == {ANTHROPIC[1], CHAT[1]}
    assert remembers(daemon, b"claude-sonnet-5"), "the search itself must be able to find"
    for marker in (PROMPT, KEY, QUERY):
        assert not remembers(daemon, marker), marker
    assert daemon.stop() == 0
    # The ledger's files and the daemon's whole output lie in the state directory.
    assert holds(daemon.state, b"claude-sonnet-5"), "the search itself must be able to find"
    for marker in (PROMPT, KEY, QUERY):
        assert not holds(daemon.state, marker), marker


def test_a_key_is_told_apart_and_not_kept(stage, new_daemon, tmp_path):
    """With api-key-fingerprint: by each of the fields that bear one, over both HTTPs, by the file that a fleet shares."""
    file = tmp_path / "fleet.key"
    file.write_text("a secret of some fleet, as long as it likes\n", encoding="ascii")
    file.chmod(0o600)
    daemon = new_daemon(f"attach: everyone\napi-key-fingerprint: {file}\n").start()
    secret = hashlib.sha256(file.read_bytes().rstrip()).digest()
    want = {}
    for number, (field, before, kind) in enumerate((("authorization", "Bearer ", "curl"), ("x-goog-api-key", "", "curl"),
                                                    ("api-key", "", "httpx"), ("authorization", "Bearer ", "httpx"))):
        run, cgroup = stage.new_run()
        key = f"sk-{KEY.decode()}-{number}"
        work = drive.job(CHAT, run, http2=kind == "httpx", headers={"x-api-key": None, field: before + key}, calls=2)
        drive.make_calls(stage, kind, work, cgroup)
        want[cgroup.path] = hmac.new(secret, key.encode(), "sha256").hexdigest()[:16]
        lab.wait(lambda group=cgroup: len(daemon.calls(group)) == 2, 20, daemon.said)
    rows = daemon.report("cgroup,api-key")
    assert {row["cgroup"]: row["api-key"] for row in rows if row["cgroup"] in want} == want
    assert not remembers(daemon, KEY)
    assert daemon.stop() == 0
    assert not holds(daemon.state, KEY)


def test_what_is_sent_as_a_name_is_no_way_around(stage, new_daemon):
    """A key in the path, a prompt as a model, and names that turn the reading direction."""
    daemon = new_daemon("attach: everyone\n").start()
    run, cgroup = stage.new_run("evil\u202eliated\x1b")
    body = drive.body(ANTHROPIC)
    body["model"] = f"claude-sonnet-5 {PROMPT.decode()} " * 100
    work = drive.job((ANTHROPIC[0], f"/sk-ant-{KEY.decode()}{ANTHROPIC[1]}"), run, body=body,
                     headers={"user-agent": f"sk-ant-{KEY.decode()} {PROMPT.decode()}"})
    stage.client(drive.command("curl", work), cgroup).wait(30)
    lab.wait(lambda: daemon.report("cgroup,model"), 20, daemon.tail)
    assert daemon.stop() == 0
    for marker in (PROMPT, KEY, "\u202e".encode(), b"liated\x1b"):
        assert not holds(daemon.state, marker), marker
    assert holds(daemon.state, b"\\xe2\\x80\\xaeliated")


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
