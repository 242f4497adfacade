# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: killed at any moment, ended cleanly, leaving nothing; and its commands."""
import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import random
import select
import signal
import sqlite3
import struct
import subprocess
import termios
import time

import pytest

import drive
import stage as lab
from drive import ANTHROPIC, CHAT


def test_nothing_is_left_behind(stage, new_daemon):
    daemon = new_daemon().start()
    pid = daemon.child.pid
    held = lab.bpf_objects(pid)
    assert len(held) > 10
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)
    assert daemon.stop(signal.SIGINT) == 0
    lab.wait(lambda: not lab.bpf_left(held), 20, lambda: f"{lab.bpf_left(held)} to go")
    assert not lab.alive(pid)


def test_killed_daemon_leaves_no_probe(stage, new_daemon):
    daemon = new_daemon().start()
    held = lab.bpf_objects(daemon.child.pid)
    daemon.stop(signal.SIGKILL)
    lab.wait(lambda: not lab.bpf_left(held), 20, lambda: f"{lab.bpf_left(held)} to go")


def test_daemon_that_hangs_does_not_look_alive(new_daemon):
    """It keeps its lock and its pid. Its last sign of life is made older, instead of waiting."""
    daemon = new_daemon().start()
    assert "NOTHING" not in daemon.run("report").stdout
    daemon.child.send_signal(signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(os.path.join(daemon.state, "ledger.db"))) as db, db:
        db.execute("UPDATE runs SET begin_us = begin_us - 300000000, seen_us = seen_us - 300000000,"
                   " seen_mono_us = seen_mono_us - 300000000")
    for command in (("report",), ("top", "-1"), ("check",)):
        said = daemon.run(*command).stdout
        assert said.startswith("NOTHING IS METERED since about"), (command, said)
        assert f"(pid {daemon.child.pid}) hangs" in said.splitlines()[0]
        assert " to now (5 min " in said, (command, said)
    daemon.child.send_signal(signal.SIGCONT)
    assert daemon.stop() == 0
    hung, stopped = json.loads(daemon.run("report", "--format", "json").stdout)["gaps"]
    assert hung["hung"] and not hung["open"] and stopped["open"] and not stopped["hung"]


def test_kill_9_loses_little_and_counts_nothing_twice(stage, new_daemon):
    """
    Calls flow while the daemon is killed at random moments. Every row must be of the bill, once;
    and a call that had ended more than 200 ms before the kill must be there.
    """
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    daemon = new_daemon()
    run, cgroup = stage.new_run()
    for _ in range(4):
        daemon.start()
        ended = []      # (count of calls in the bill, time) as the client goes on
        work = drive.job(ANTHROPIC, run, calls=100000)
        begun = len(stage.api.bill(run))
        client = stage.client(drive.command("http.client", work), cgroup,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        life = time.monotonic() + rng.uniform(0.3, 1.2)

        def watch(life=life, ended=ended):
            ended.append((len(stage.api.bill(run)), time.monotonic()))
            return time.monotonic() >= life
        lab.wait(watch, 10)
        killed = time.monotonic()       # not after: the kernel takes probes away for a while
        daemon.stop(signal.SIGKILL)
        client.kill()
        client.wait()
        surely = max([n for n, at in ended if killed - at > 0.3], default=begun)
        told = [lab.ledgered(row) for row in daemon.calls(cgroup) if row["measured_calls"]]
        bill = [lab.billed(row) for row in stage.api.bill(run)]
        assert len(told) == len(set(told)), f"counted twice (seed {seed})"
        assert set(told) <= set(bill), f"rows that nobody billed (seed {seed})"
        missing = [row for row in bill[begun:surely] if row not in set(told)]
        assert not missing, f"{len(missing)} of {surely - begun} lost (seed {seed})"
        sums = [r for r in daemon.report("cgroup") if r["cgroup"] == cgroup.path]
        assert sum(r["calls"] for r in sums) == len(daemon.calls(cgroup))


def test_inside_the_namespace_it_sees_the_same(stage, new_daemon):
    daemon = new_daemon(where="inside").start()
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "http.client", drive.job(CHAT, run, True, calls=3), cgroup)
    stage.must_agree(daemon, run, cgroup, 3)


@pytest.mark.parametrize("kind", [*drive.ANY[1:], "openai", "anthropic"])
def test_on_sight_measures_after_the_greeting(stage, new_daemon, kind):
    """
    Probes come with a process's first greeting. On loopback the first calls may win that race:
    they are charged by size, however small. From then on each is exact, and nothing is missing.
    """
    drive.need(kind)
    daemon = new_daemon("attach: on-sight\n").start()
    run, cgroup = stage.new_run()
    api = CHAT if kind == "openai" else ANTHROPIC
    child = stage.client(drive.command(kind, drive.job(
                             api, run, calls=30, step=True,
                             settings={"answer_bytes": 400})), cgroup,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    missed = drive.step_until_exact(stage, daemon, child, run, cgroup, 10)
    for _ in range(5):
        drive.go_on(child)
        drive.next_done(child)
    child.kill()
    bill = stage.api.bill(run)[missed:]
    lab.wait(lambda: not lab.difference(bill, daemon.calls(cgroup))[0], 20,
             lambda: lab.shown(lab.difference(bill, daemon.calls(cgroup))[0]))
    if missed:
        lab.wait(lambda: any(row["estimated_calls"] for row in daemon.calls(cgroup)), 20,
                 lambda: f"{missed} calls missed, none estimated:\n{lab.shown(daemon.calls(cgroup))}")


def test_second_daemon_is_refused(stage, daemon):
    done = daemon.run("run", check=False)
    assert done.returncode == 1
    assert daemon.state in done.stderr or "another" in done.stderr, done.stderr


def test_report_in_every_form(stage, daemon):
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, calls=2), cgroup)
    stage.must_agree(daemon, run, cgroup, 2)
    for key in ("cgroup", "container", "command", "host", "provider", "model", "hour"):
        rows = daemon.report(key)
        assert rows and all(key in row for row in rows), key
        assert all("exe" not in row for row in rows)
    out = daemon.run("report", "--by", "cgroup,model", "--format", "csv").stdout
    table = list(csv.DictReader(io.StringIO(out)))
    assert sum(int(row["calls"]) for row in table) >= 2
    assert cgroup.path in {row["cgroup"] for row in table}
    assert run in daemon.run("report", "--by", "cgroup", "--format", "table").stdout
    later = daemon.report("cgroup", "--since", "2099-01-01T00:00:00Z")
    assert later == []


def test_spend_of_a_unit_and_of_a_user(stage, daemon):
    """As on a host without Kubernetes: a service's cgroup, a process of an unprivileged user."""
    run, _ = stage.new_run()
    unit = f"agent-{os.getpid()}.service"
    cgroup = stage.cgroup(unit)
    # -k: the user may not enter the folder that the CA is in
    argv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
            *drive.curl(drive.job(ANTHROPIC, run, calls=2), "-k")]
    client = stage.client(argv, cgroup, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert client.wait(30) == 0
    stage.must_agree(daemon, run, cgroup, 2)
    bill = sum(lab.money(row["cost_usd"]) for row in stage.api.bill(run))
    (row,) = [each for each in daemon.report("unit,user") if each["unit"] == unit]
    assert (row["user"], row["calls"], lab.money(row["cost_usd"])) == ("nobody", 2, bill)


def test_commands_run_and_are_valid(stage, daemon):
    assert daemon.run("top", "--once").stdout.strip()
    assert "\nPrices\n  litellm 2026-08-01, " in daemon.run("check").stdout
    assert json.loads(daemon.run("check", "--json").stdout)["prices"]["files"][0] == "litellm 2026-08-01"
    assert "0.000000" in daemon.run("prices", "reprice", "--keep").stdout      # beside the daemon
    json.loads(daemon.run("explain", "--format", "json").stdout)
    wrong = daemon.run("report", "--by", "weather", check=False)
    assert wrong.returncode == 2 and "weather" in wrong.stderr


def test_top_on_a_terminal(stage, daemon):
    """Keys are what they say: help, the night's story, a filter, another order; and it ends with q."""
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)
    pid, terminal = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm"
        os.execv(lab.AIGRESS, ["aigress", "top", "--state", daemon.state])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    said = ""

    def shows(*words):
        nonlocal said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536).decode(errors="replace")
        return all(word in said for word in words)

    def press(keys, *words):
        nonlocal said
        said = ""
        os.write(terminal, keys.encode())
        lab.wait(lambda: shows(*words), 10, lambda: f"{keys!r}: {said!r}")

    # of a later frame only what has changed is sent
    press("", "IN BUDGETS", "? help")
    press("?", "sort by what is spent now")
    press("x", "IN BUDGETS")
    press("e", "No action in the last 24 hours", "goes back")
    press("x3", " 24 H")
    press("/" + run + "\n", "only")
    press("m", "MODEL")
    os.write(terminal, b"q")
    assert os.waitpid(pid, 0)[1] == 0
    os.close(terminal)


def test_no_prompt_and_no_key_is_kept(stage, new_daemon):
    """The state directory and the log hold no byte of a body, a key or a query."""
    daemon = new_daemon().start()
    run, cgroup = stage.new_run()
    made = drive.body(ANTHROPIC)
    made["messages"][0]["content"] = "zebra-in-the-prompt"
    work = drive.job((ANTHROPIC[0], ANTHROPIC[1] + "?secret=zebra-in-the-query"), "zebra-in-the-key",
                     body=made)
    drive.make_calls(stage, "curl", work, cgroup)
    lab.wait(lambda: daemon.calls(cgroup), 20)
    assert daemon.stop() == 0
    for path in (os.path.join(at, name) for at, _, names in os.walk(daemon.state) for name in names):
        with open(path, "rb") as file:
            assert b"zebra" not in file.read(), path
    assert run
