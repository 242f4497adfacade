# SPDX-License-Identifier: Apache-2.0
"""What an operator orders is done within a tick; what stands goes on, whatever becomes of the daemon."""
import os
import pathlib
import signal
import subprocess

import drive
import stage as lab
from drive import ANTHROPIC
from spending import actions, one_call, rules, spender


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_open_lets_go_and_clear_shuts_again(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse")).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: child.poll() is not None, 30, daemon.tail)
    assert one_call(stage, run, cgroup, ANTHROPIC) != 0
    daemon.run("override", "open", "lab", "--for", "10m", "--reason", "a test")
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20, daemon.tail)
    assert "a test" in daemon.run("override", "list").stdout
    daemon.run("override", "clear", "--all")
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) != 0, 20, daemon.tail)
    rows = [a for a in actions(daemon) if a["action"] == "override"]
    assert len(rows) == 2 and rows[0]["target"] == "open lab", rows


def test_hold_refuses_who_is_within_the_budget(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "note", enforce=False, limit="1000 USD")).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: daemon.report("cgroup"), 30, daemon.tail)
    daemon.run("override", "hold", "--all")
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) != 0, 20, daemon.tail)
    child.kill()
    child.wait()


def test_a_stopped_process_goes_on_when_the_daemon_is_killed(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "stop")).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: state_of(child.pid) == "T", 30, daemon.tail)
    daemon.stop(signal.SIGKILL)
    lab.wait(lambda: state_of(child.pid) != "T", 10)
    child.kill()
    child.wait()


def test_a_frozen_cgroup_goes_on_by_override_and_when_the_daemon_stops(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "freeze")).start()
    child = spender(stage, run, cgroup)
    frozen = os.path.join(cgroup.directory, "cgroup.freeze")

    def is_frozen():
        with open(frozen) as file:
            return file.read().strip() == "1"

    lab.wait(is_frozen, 30, daemon.tail)
    daemon.run("override", "open", "--all", "--for", "5s")
    lab.wait(lambda: not is_frozen(), 10, daemon.tail)
    lab.wait(is_frozen, 30, daemon.tail)
    daemon.stop()
    lab.wait(lambda: not is_frozen(), 10)
    child.kill()
    child.wait()


def test_cleanup_finds_what_daemon_and_watchdog_left(stage, new_daemon, pins):
    """Both are killed at once: nothing is left that would resume what was stopped. It removes all pins of the host."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "stop")).start()
    refused = daemon.run("cleanup", check=False)
    assert refused.returncode == 1 and "a daemon runs" in refused.stderr
    child = spender(stage, run, cgroup)
    lab.wait(lambda: state_of(child.pid) == "T" and daemon.report("cgroup"), 30, daemon.tail)
    with open(f"/proc/{daemon.child.pid}/task/{daemon.child.pid}/children", encoding="ascii") as file:
        children = [int(pid) for pid in file.read().split()]
    (watchdog,) = [pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text() == "aigress-wdog\n"]
    os.kill(watchdog, signal.SIGKILL)
    daemon.stop(signal.SIGKILL)
    assert state_of(child.pid) == "T"
    assert "1 go on" in daemon.run("cleanup").stdout
    assert state_of(child.pid) != "T"
    assert daemon.report("cgroup")
    daemon.start().stop()       # an orderly end writes the sums of the budgets
    (pathlib.Path(daemon.state) / "counters.new").touch()   # and another was cut short while it wrote them
    assert {"counters", "last-good.yaml", "searches"} <= set(os.listdir(daemon.state))
    daemon.run("cleanup", "--remove-state")
    assert os.listdir(daemon.state) == ["run.log"] and not pins()
    child.kill()
    child.wait()


def test_a_stream_is_cut_in_its_middle(stage, new_daemon):
    """It would run for 100 seconds; what it has cost so far is spent, long before its end."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse", limit="0.001 USD")).start()
    work = drive.job(ANTHROPIC, run, stream=True, settings={"events": 2000, "delay_ms": 50})
    child = stage.client(drive.command("curl", work), cgroup, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    lab.wait(lambda: child.poll() is not None, 30, daemon.tail)
    assert child.returncode in (18, 56), child.returncode
    lab.wait(lambda: daemon.calls(cgroup), 10, daemon.tail)
    (row,) = daemon.calls(cgroup)
    assert row["outcome"] == "aborted", row
    assert any(a["action"] == "refuse" and a["result"] == "done" for a in actions(daemon))
