# SPDX-License-Identifier: Apache-2.0
"""
A budget that is nearly spent, and a daemon that sleeps or dies before it shuts the gate: the kernel stops
at the line by itself, and holds nobody before it.
"""
import contextlib
import os
import select
import signal
import subprocess
import time

import pytest

import drive
import stage as lab
from drive import ANTHROPIC
from h3 import ask
from spending import actions, spent

LIMIT = 2.0     # USD; a call of the fake API is a twentieth of one, about
FUSE = LIMIT * 7 / 8
CALL = 0.2      # the dearest


def rules(cgroup, step="do: refuse", more=""):
    return f"""attach: everyone
enforce: true
budgets:
  - name: lab
    match: {{ cgroup: "{cgroup.path}" }}
    per: cgroup
    limit: {LIMIT} USD
    window: day
    steps: [ {{ at: 100%, {step} }} ]
{more}"""


def billed(stage, run):
    return sum(float(row["cost_usd"]) for row in stage.api.bill(run))


class Caller:
    """A client that makes one call at a time, when it is told to, all on one connection."""

    def __init__(self, stage, run, cgroup):
        work = drive.job(ANTHROPIC, run, calls=100000, step=True)
        self.child = stage.client(drive.command("http.client", work), cgroup, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.has_answer(20)

    def has_answer(self, seconds):
        if not select.select([self.child.stdout], [], [], seconds)[0]:
            return False
        return self.child.stdout.readline().startswith("done")

    def call(self, seconds):
        with contextlib.suppress(BrokenPipeError):
            os.write(self.child.stdin.fileno(), b"\n")
        return self.has_answer(seconds)


def until_nearly_spent(stage, daemon, run, cgroup):
    caller = Caller(stage, run, cgroup)
    while billed(stage, run) < FUSE + 0.02:
        assert caller.call(20), daemon.tail()
    lab.wait(lambda: float(spent(daemon, cgroup)) > FUSE, 20, daemon.tail)
    time.sleep(0.2)     # the fuse is told of the last call
    return caller


def go_on_until_held(stage, run, caller, said=lambda: ""):
    """How much is billed when a call has not come back for two seconds."""
    for _ in range(40):
        if not caller.call(2):
            return billed(stage, run)
    raise AssertionError(f"nothing stops it: {billed(stage, run)} USD\n{said()}")


def test_the_kernel_stops_at_the_line_while_the_daemon_sleeps(stage, new_daemon, tell):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup)).start()
    caller = until_nearly_spent(stage, daemon, run, cgroup)
    daemon.child.send_signal(signal.SIGSTOP)
    try:
        sum_usd = go_on_until_held(stage, run, caller)
    finally:
        daemon.child.send_signal(signal.SIGCONT)
    tell(f"stopped at {sum_usd / LIMIT:.1%} of the limit")
    assert FUSE < sum_usd < LIMIT + CALL
    # Awake, it sees what it cost: either there is room and what waits goes on, or it refuses.
    lab.wait(lambda: caller.child.poll() is not None or caller.has_answer(0), 30, daemon.tail)
    go_on_until_held(stage, run, caller, daemon.tail)
    assert LIMIT * 0.97 <= billed(stage, run) < LIMIT + CALL
    assert [a["result"] for a in actions(daemon)][-1].startswith("done"), actions(daemon)


@pytest.mark.parametrize("loss", ["open", "hold"])
def test_a_daemon_that_is_stopped_for_long(stage, new_daemon, pins, loss):  # noqa: F811
    """It holds at the line for as long as its leases run, or, if the budget says so, for the whole window."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, more=f"on-daemon-loss: {loss}\n")).start()
    caller = until_nearly_spent(stage, daemon, run, cgroup)
    daemon.child.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        held_usd = go_on_until_held(stage, run, caller)
        assert FUSE < held_usd < LIMIT + CALL
        if loss == "open":
            assert caller.has_answer(20)
            assert time.monotonic() - stopped > 5
        else:
            time.sleep(max(0, stopped + 30 - time.monotonic()))
            assert not caller.has_answer(0)
            assert billed(stage, run) == held_usd
    finally:
        daemon.child.send_signal(signal.SIGCONT)
    # Awake, it keeps the limit.
    lab.wait(lambda: caller.child.poll() is not None or caller.has_answer(0) or loss == "open", 30, daemon.tail)
    before = billed(stage, run)
    assert go_on_until_held(stage, run, caller, daemon.tail) < max(before, LIMIT) + 2 * CALL
    lab.wait(lambda: any(a["result"].startswith("done") for a in actions(daemon)), 20, daemon.tail)
    caller.child.kill()
    daemon.run("override", "open", "--all")
    lab.wait(lambda: daemon.stop() == 0 and not pins(), 20)


@pytest.mark.parametrize("loss", ["open", "hold"])
def test_the_kernel_stops_at_the_line_when_the_daemon_is_killed(stage, new_daemon, pins, loss):  # noqa: F811
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, more=f"on-daemon-loss: {loss}\n")).start()
    caller = until_nearly_spent(stage, daemon, run, cgroup)
    killed = time.monotonic()
    daemon.stop(signal.SIGKILL)
    # With it the programs go, unless they are held: then nobody counts.
    if loss == "open":
        assert not pins()
        assert caller.call(20)
        return
    sum_usd = go_on_until_held(stage, run, caller)
    assert FUSE < sum_usd < LIMIT + CALL
    # Longer than a lease, for a new connection too.
    time.sleep(max(0, killed + 11 - time.monotonic()))
    assert not caller.has_answer(0)
    done = subprocess.run(drive.curl(drive.job(ANTHROPIC, run), "--max-time", "3"), check=False,
                          env=stage.environment, preexec_fn=cgroup.enter, capture_output=True)
    assert done.returncode == 28, done      # it waits
    assert billed(stage, run) == sum_usd
    # The next one did not see those calls, and has room for what waits.
    daemon.start()
    assert caller.has_answer(20), daemon.tail()
    caller.child.kill()
    daemon.run("override", "open", "--all")
    lab.wait(lambda: daemon.stop() == 0 and not pins(), 20)


def test_nobody_is_held_before_the_line(stage, new_daemon):
    """Each call comes back at once until one has crossed the line."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup)).start()
    caller = until_nearly_spent(stage, daemon, run, cgroup)
    while True:
        before, began = billed(stage, run), time.monotonic()
        if not caller.call(20):
            break
        assert time.monotonic() - began < 1, (before, billed(stage, run))
    # What it had sent may be enough to cross it: then that call is not answered.
    assert LIMIT * 0.97 <= billed(stage, run) < LIMIT + CALL
    assert [(a["action"], a["result"]) for a in actions(daemon)][-1] == ("refuse", "done")


def test_answers_in_flight_may_end(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, "do: refuse, cut: false")).start()
    streams = [stage.client(drive.curl(drive.job(ANTHROPIC, run, stream=True,
                                                 settings={"events": 120, "delay_ms": 20})), cgroup,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(4)]
    lab.wait(lambda: len(daemon.fact("flows") or [1]) and time.sleep(0.5) is None, 20)
    caller = Caller(stage, run, cgroup)
    for _ in range(100):
        if not caller.call(3):
            break
    # What streams cost is the server's: now and then they end before the line, and nothing is in flight when it is crossed.
    lab.wait(lambda: {"done: answers in flight may end", "ended: calls in flight cost less than was held"} &
             {each["result"] for each in actions(daemon)}, 20, daemon.tail)
    n = len(stage.api.bill(run))
    for stream in streams:
        assert "done 200" in stream.communicate(timeout=60)[0]
    bill = stage.api.bill(run)
    assert not any(row["aborted"] for row in bill)
    # Those may cost less than was held for them: then the one that waited may go, if there is room for it.
    assert len(bill) <= n + len(streams) + 1
    if len(bill) > n + len(streams):
        assert sum(float(row["cost_usd"]) for row in bill[:-1]) < LIMIT


def test_quic_does_not_go_round_a_pace(stage, servers, new_daemon, tmp_path):  # noqa: F811
    """Its requests cannot be told apart: it is turned away, and TCP is paced."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, "do: pace, to: 360 USD/hour").replace(f"{LIMIT} USD",
                                                                          "0.000001 USD")).start()
    assert ask(stage, tmp_path, lab.HOSTS[0], cgroup)[1] > 0    # nothing is spent yet
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    lab.wait(lambda: any(row["action"] == "pace" for row in daemon.fact("gates") or []), 20, daemon.tail)
    assert ask(stage, tmp_path, lab.HOSTS[0], cgroup, 4)[1] == 0
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    other, free = stage.new_run()
    assert ask(stage, tmp_path, lab.HOSTS[0], free)[1] > 0
    assert os.path.isdir(free.directory) and other
