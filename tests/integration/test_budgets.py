# SPDX-License-Identifier: Apache-2.0
"""Who crosses a budget is stopped, who does not is not, and a rehearsal stops nobody."""
import json
import os
import subprocess

import pytest

import drive
import stage as lab
from drive import ANTHROPIC
from spending import actions, one_call, rules, spender, spent


def test_kill_stops_the_process_and_not_its_neighbour(stage, new_daemon):
    run, cgroup = stage.new_run()
    other, neighbour = stage.new_run()
    daemon = new_daemon(rules(stage, run, "kill", more=", grace: 1s")).start()
    bystander = spender(stage, other, neighbour)
    culprit = spender(stage, run, cgroup)
    lab.wait(lambda: culprit.poll() is not None, 30, daemon.tail)
    assert culprit.returncode in (-15, -9)
    assert spent(daemon, cgroup) >= lab.money("0.20")
    before = len(stage.api.bill(other))
    lab.wait(lambda: len(stage.api.bill(other)) > before + 3, 20)
    assert bystander.poll() is None
    assert any(a["action"] == "kill" and not a["rehearsed"] for a in actions(daemon))


def test_rehearsal_stops_nobody_and_says_whom(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "kill", enforce=False)).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: actions(daemon), 30, daemon.tail)
    before = len(stage.api.bill(run))
    lab.wait(lambda: len(stage.api.bill(run)) > before + 5, 20)
    assert child.poll() is None
    (row,) = [a for a in actions(daemon) if a["action"] == "kill"]
    assert row["rehearsed"] and str(child.pid) in row["target"], row


def test_refuse_ends_ai_calls_and_nothing_else(stage, new_daemon):
    run, cgroup = stage.new_run()
    other, neighbour = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse")).start()
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 30, daemon.tail)     # its connection is reset
    assert live.returncode == 1     # a Python exception, no signal
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    billed = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert len(stage.api.bill(run)) == billed
    assert one_call(stage, run, cgroup, ("bystander.test", "/")) == 0
    assert one_call(stage, other, neighbour, ANTHROPIC) == 0
    # The gate ends with the daemon.
    assert daemon.stop() == 0
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20)


def test_restart_over_budget_refuses_the_first_call(stage, new_daemon):
    run, cgroup = stage.new_run()
    text = rules(stage, run, "refuse")
    daemon = new_daemon(text).start()
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 30, daemon.tail)
    assert daemon.stop() == 0
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20)
    daemon.start()
    billed = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert len(stage.api.bill(run)) == billed


def test_protected_cgroup_is_left_alone(stage, new_daemon):
    run, cgroup = stage.new_run()
    text = rules(stage, run, "kill") + f'protect: [ {{ cgroup: "{cgroup.path}" }} ]\n'
    daemon = new_daemon(text).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: spent(daemon, cgroup) > lab.money("0.40"), 30, daemon.tail)
    assert child.poll() is None


def test_wrong_configuration_names_its_line(stage, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("enforce: false\nbudgets:\n  - name: x\n    limit: many\n", encoding="utf-8")
    done = subprocess.run([lab.AIGRESS, "run", "--state", str(tmp_path), "--config", str(file)],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"{os.path.basename(file)}:4" in done.stderr, done.stderr


def test_an_action_carries_its_evidence(stage, new_daemon):
    """A row that `explain` lists, and the same as a JSON line of the daemon's, as it happens."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse").replace("window: day", "window: day\n    zone: UTC"))
    daemon.start("--log-json")
    live = spender(stage, run, cgroup)
    lab.wait(lambda: any(a["result"] == "done" for a in actions(daemon)), 30, daemon.tail)
    live.kill()
    (row,) = [a for a in actions(daemon) if a["result"] == "done"]
    assert (row["budget"], row["subject"]) == ("lab", f"cgroup={cgroup.path}")
    with open(daemon.config, encoding="utf-8") as config:
        number = next(n for n, line in enumerate(config, 1) if "do: refuse" in line)
    assert row["rule"] == f"{daemon.config}:{number}", row
    assert (row["action"], row["target"], row["rehearsed"]) == ("refuse", f"cgroup {cgroup.path}", False)
    assert lab.money(row["spent_usd"]) >= lab.money("0.20") == lab.money(row["limit_usd"])
    assert row["measured_permille"] == 1000
    midnight = row["time"][:10] + "T00:00:00Z"
    assert row["window_start"] == midnight < row["until"]
    calls = {r["call"]: r for r in daemon.report("call,cgroup,model")}
    assert row["last_calls"] and all(calls[n]["cgroup"] == cgroup.path for n in row["last_calls"])
    assert row["rule_text"] == "at 100 % of 0.2 USD a day per cgroup: refuse"
    assert row["model"] == calls[row["last_calls"][0]]["model"] and row["command"] and row["pid"]
    told = daemon.run("explain", "action", str(row["id"])).stdout
    assert told in daemon.run("explain").stdout
    for word in row["target"], row["rule"], row["spent_usd"], row["until"], "100.0 %", row["model"], \
            f"aigress override open '{row['subject']}'":
        assert word in told, told
    with open(daemon.log, encoding="utf-8") as log:
        lines = [json.loads(line) for line in log if line.startswith("{")]
    assert {line["who"] for line in lines if line.get("event") == "call"} >= {cgroup.path}
    line = next(line for line in lines if line.get("event") == "action" and line["result"] == "done")
    del line["event"]
    assert line.items() <= row.items()


def test_a_container_is_killed_whole(stage, new_daemon):
    """target: cgroup, with a child that does not call anybody; its cgroup's neighbour lives."""
    run, cgroup = stage.new_run()
    other, neighbour = stage.new_run()
    daemon = new_daemon(rules(stage, run, "kill", more=", target: cgroup, whole: true, grace: 1s")).start()
    bystander = stage.client(["sleep", "1000"], neighbour)
    idle = stage.client(["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"], cgroup)
    spender(stage, run, cgroup)
    lab.wait(lambda: idle.poll() is not None and not cgroup.pids(), 40, daemon.tail)
    assert idle.returncode == -9
    assert bystander.poll() is None
    assert not len(stage.api.bill(other))


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_fifty_at_once_do_not_slip_under_the_line(stage, new_daemon, tell, is_known):
    """As asyncio.gather() makes them: none has ended, and hardly one has begun, when the last begins.

    Whose calls are not known yet is taken to spend 0.04 USD a call, of which 15 fit; what a neighbour's
    cost says nothing.
    """
    drive.need("aiohttp")
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, "*", "refuse", limit="0.60 USD")).start()
    mean = lab.money("0.04")
    if is_known:
        drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=6, body=drive.body(ANTHROPIC)),
                         cgroup)
        lab.wait(lambda: len(daemon.calls(cgroup)) == 6, 20, daemon.tail)
        mean = spent(daemon, cgroup) / 6
    n_before = len(stage.api.bill(run))
    room = (lab.money("0.60") - (spent(daemon, cgroup) if n_before else 0)) / mean
    work = drive.job(ANTHROPIC, run, stream=True, calls=50, at_once=True,
                     settings={"events": 60, "delay_ms": 50})
    client = stage.client(drive.command("aiohttp", work), cgroup, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    client.wait(60)
    # a stream that was cut is billed when the server notices
    n_made = lab.steady(lambda: len(stage.api.bill(run))) - n_before
    tell(f"{'known' if is_known else 'unknown'}, room for {room:.1f} calls: {n_made} of 50 were made")
    # what a call may cost beyond the mean is held for it, too
    assert room - 5 < n_made < room + 4
