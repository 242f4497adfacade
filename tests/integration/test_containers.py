# SPDX-License-Identifier: Apache-2.0
"""What is done to whole containers, by runc."""
import subprocess

import pytest

import drive
import stage as lab
from container import Container, everything
from drive import ANTHROPIC
from spending import actions


@pytest.fixture
def two(stage, tmp_path, containers):
    """Two containers that spend without end, under one budget."""
    for _ in range(2):
        run, _ = stage.new_run()
        work = drive.job(ANTHROPIC, run, calls=100000, settings={"delay_ms": 20},
                         body=drive.body(ANTHROPIC))
        containers.append(Container(stage, tmp_path, run, drive.command("http.client", work),
                                    everything(stage, drive.CLIENTS)))
    return containers


def frozen(box):
    with open(f"{lab.cgroup2_mount()}{box.path}/cgroup.events", encoding="ascii") as events:
        return "frozen 1" in events.read()


def test_one_of_two_stays_healthy(stage, new_daemon, two):
    """The second is left alone for as long as it is the last, however much it spends."""
    daemon = new_daemon(f"""attach: everyone
enforce: true
budgets:
  - name: lab
    match: {{ cgroup: "{stage.name}/docker/*" }}
    per: match
    limit: 0.20 USD
    min-healthy: 1
    steps: [ {{ do: freeze }} ]
""").start()
    for box in two:
        box.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait(lambda: {a["result"][:28] for a in actions(daemon)} == {
        "done", "refused: it would leave 0 of"}, 40, lambda: f"{actions(daemon)}\n{daemon.said()}")
    assert sorted(map(frozen, two)) == [False, True]
    lives = two[0] if frozen(two[1]) else two[1]
    billed = len(stage.api.bill(lives.name))
    lab.wait(lambda: len(stage.api.bill(lives.name)) > billed + 3, 20)
    assert sorted(map(frozen, two)) == [False, True]
    daemon.run("override", "open", "lab", "--for", "5m")
    lab.wait(lambda: not any(map(frozen, two)), 20, daemon.said)
