# SPDX-License-Identifier: Apache-2.0
"""What is done to whole containers, by runc."""
import glob
import os
import shutil
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


@pytest.mark.skipif(not shutil.which("lxc-execute"), reason="lxc is not installed")
def test_a_container_of_lxc_is_called_by_its_name(stage, new_daemon, tmp_path):
    """On the host's own files and network, in LXC's cgroup, which is there until its last process has ended."""
    name = f"web-{os.getpid()}"
    config = tmp_path / "lxc.conf"
    config.write_text("lxc.net.0.type = none\nlxc.console.path = none\nlxc.tty.max = 0\nlxc.autodev = 0\n" + "".join(
        f"lxc.environment = {key}={stage.ca}\n" for key in ("SSL_CERT_FILE", "CURL_CA_BUNDLE")))
    daemon = new_daemon().start()
    work = drive.job(ANTHROPIC, name, calls=3, body=drive.body(ANTHROPIC))
    done = subprocess.run(["lxc-execute", "-n", name, "-P", str(tmp_path), "-f", str(config), "--",
                           *drive.command("http.client", work)], capture_output=True, text=True, timeout=60, check=False)
    for left in glob.glob("/sys/fs/cgroup/lxc.pivot") + glob.glob("/sys/fs/cgroup/*/lxc.pivot"):
        lab.rmdir(left)
    assert done.returncode == 0, done.stdout + done.stderr

    def rows():
        return [row for row in daemon.report("who,container,cgroup") if row["who"] == name]
    lab.wait(lambda: sum(row["calls"] for row in rows()) == 3, 20, lambda: daemon.report("who,container,cgroup"))
    assert {(row["container"], row["cgroup"].split("/")[1]) for row in rows()} == {(name, f"lxc.payload.{name}")}
    assert "3 calls" in daemon.run("explain", "who", name).stdout


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
        "done", "refused: it would leave 0 of"}, 40, lambda: f"{actions(daemon)}\n{daemon.tail()}")
    assert sorted(map(frozen, two)) == [False, True]
    lives = two[0] if frozen(two[1]) else two[1]
    billed = len(stage.api.bill(lives.name))
    lab.wait(lambda: len(stage.api.bill(lives.name)) > billed + 3, 20)
    assert sorted(map(frozen, two)) == [False, True]
    daemon.run("override", "open", "lab", "--for", "5m")
    lab.wait(lambda: not any(map(frozen, two)), 20, daemon.tail)
