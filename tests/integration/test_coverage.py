# SPDX-License-Identifier: Apache-2.0
"""How much of the AI traffic was read, and why the rest was not: what `aigress check` says."""
import contextlib
import subprocess

import pytest

import drive
import stage as lab
import unread
from drive import ANTHROPIC

COUNT_TOKENS = (ANTHROPIC[0], "/v1/messages/count_tokens")
NEIGHBOUR = "storage.googleapis.com"    # of user/provider/api.c


@pytest.fixture(scope="module")
def clients(stage, tmp_path_factory):
    return unread.Unread(tmp_path_factory.mktemp("clients"), stage.ca)


def coverage(daemon, pid):
    """The fact's row of a process; None: nothing was seen of it."""
    rows = [row for row in daemon.fact("coverage") or [] if row["pid"] == pid]
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def one_curl(stage, api, *more, calls=1, cgroup=None):
    """The pid of a curl that made its calls and ended."""
    run, made = stage.new_run()
    work = drive.job(api, run, calls=calls, body=drive.body(ANTHROPIC))
    child = stage.client([*drive.curl(work), *more], cgroup or made, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    return child.pid


def test_nobody_is_probed(stage, new_daemon):
    daemon = new_daemon("attach: never\n").start()
    pid = one_curl(stage, ANTHROPIC)
    lab.wait(lambda: (coverage(daemon, pid) or {}).get("why") == "never", 10, lambda: coverage(daemon, pid))
    assert "attach: never" in daemon.run("check", check=False).stdout


def test_requests_that_are_no_calls(stage, new_daemon):
    """They are read, not charged, and not silent."""
    daemon = new_daemon("attach: everyone\n").start()
    one_curl(stage, ANTHROPIC)      # the library's file is known now
    run, cgroup = stage.new_run()
    work = drive.job(COUNT_TOKENS, run, calls=3, body=drive.body(ANTHROPIC))
    child = stage.client(drive.curl(work), cgroup, stdout=subprocess.PIPE, text=True)
    assert drive.statuses(child.communicate(timeout=30)[0]) == [404] * 3
    lab.wait(lambda: coverage(daemon, child.pid), 10)
    row = coverage(daemon, child.pid)
    assert row["other_requests"] == 3 and row["why"] == "", row
    assert row["read_bytes"]["out"] > 3 * 100 and not row["estimated_bytes"]["out"], row
    assert not daemon.calls(cgroup), lab.shown(daemon.calls(cgroup))
    line = next(line for line in daemon.run("check", check=False).stdout.splitlines()
                if str(child.pid) in line.split() and ANTHROPIC[0] in line)
    assert line.split()[-2:] == ["3", "-"], line


# --- an address is no proof -----------------------------------------------------------------

@contextlib.contextmanager
def old_connection(stage, clients):
    """A client whose TLS is not read, with a connection on which one call was made."""
    clients.need("java")
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, calls=4, settings={"answer_bytes": 20000, "encoding": "identity"})
    work["step"] = True
    child = stage.client(clients.command("java", work), cgroup, text=True, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    drive.next_done(child)
    yield child, cgroup
    assert child.wait(20) == 0, child.stderr.read()


def step(child):
    drive.go_on(child)
    drive.next_done(child)


def started(new_daemon):
    daemon = new_daemon("attach: on-sight\nresolve: true\n", where="inside").start()
    lab.wait(lambda: "the addresses of the AI hosts" in daemon.said(), 20, daemon.tail)
    return daemon


def test_an_old_connection_to_an_address_that_proves_to_be_shared(stage, new_daemon, clients):
    """Somebody greets another name there: what was taken for an AI host's is shown and not charged."""
    with old_connection(stage, clients) as (child, cgroup):
        daemon = started(new_daemon)
        step(child)
        one_curl(stage, ANTHROPIC)      # facts are told after a call
        lab.wait(lambda: coverage(daemon, child.pid), 10, daemon.tail)
        assert coverage(daemon, child.pid)["older"] == 1, coverage(daemon, child.pid)
        one_curl(stage, ("bystander.test", "/"), "--resolve", "bystander.test:443:127.0.0.10")
        step(child)
        step(child)
        drive.go_on(child)
    lab.wait(lambda: coverage(daemon, child.pid)["why"] == "shared", 10,
             lambda: f"{coverage(daemon, child.pid)}\n{lab.shown(daemon.calls(cgroup))}")
    row = coverage(daemon, child.pid)
    assert row["doubtful_bytes"]["in"] > 20000 and not row["flows"] and not row["estimated_bytes"]["in"], row
    assert not daemon.calls(cgroup), lab.shown(daemon.calls(cgroup))
    assert "not charged" in daemon.run("check", check=False).stdout


def test_an_old_connection_to_an_address_of_a_neighbour(stage, new_daemon, clients):
    """The resolver gives a name that is no AI host's the same address: nothing is known by it."""
    with open("/etc/hosts", encoding="utf-8") as file:
        before = file.read()
    try:
        with open("/etc/hosts", "a", encoding="utf-8") as file:
            file.write(f"127.0.0.10 {NEIGHBOUR}\n")
        with old_connection(stage, clients) as (child, cgroup):
            daemon = started(new_daemon)
            for _ in range(3):
                step(child)
            drive.go_on(child)
    finally:
        with open("/etc/hosts", "w", encoding="utf-8") as file:
            file.write(before)
    # A later call of another shows that the connection's end has been dealt with.
    run, other = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), other)
    lab.wait(lambda: daemon.calls(other), 20, daemon.tail)
    assert coverage(daemon, child.pid) is None
    assert not daemon.calls(cgroup), lab.shown(daemon.calls(cgroup))
