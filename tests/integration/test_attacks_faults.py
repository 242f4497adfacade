# SPDX-License-Identifier: Apache-2.0
"""An unlucky operator: a full disk, a damaged ledger. Nobody spends on because of it."""
import os
import subprocess

import drive
import spending
import stage as lab
from drive import ANTHROPIC
from spending import rules, spender


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0]


def logged(daemon, words):
    with open(daemon.log, encoding="utf-8", errors="replace") as file:
        return words in file.read()


def test_a_full_disk_lets_nobody_go_on(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "stop"), where="inside")
    os.makedirs(daemon.state, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", daemon.state], check=True)
    daemon.log = daemon.state + ".log"      # not on that disk
    try:
        daemon.start()
        ballast = os.path.join(daemon.state, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        other, neighbour = stage.new_run()
        spender(stage, other, neighbour)        # fills what the log has left
        lab.wait(lambda: logged(daemon, "the ledger cannot be written"), 40, daemon.tail)
        child = spender(stage, run, cgroup)
        lab.wait(lambda: state_of(child.pid) == "T", 30, daemon.tail)
        assert "DISK IS FULL" in daemon.run("check", check=False).stdout
        assert "DISK IS FULL" in daemon.run("report").stderr
        os.unlink(ballast)
        lab.wait(lambda: logged(daemon, "the ledger is written again"), 10, daemon.tail)
        child.kill()            # it was stopped with an answer that it had not read: that call ends, too
        child.wait()
        billed = len(stage.api.bill(run))
        lab.wait(lambda: len(daemon.calls(cgroup)) >= billed, 10, daemon.tail)
        assert "DISK IS FULL" not in daemon.run("check", check=False).stdout
    finally:
        daemon.stop()
        subprocess.run(["umount", "-l", daemon.state], check=True)


def test_a_damaged_ledger_is_set_aside_and_enforcement_goes_on(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse")).start()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    stage.settle(daemon, run, cgroup, 1)
    assert daemon.stop() == 0
    for name in os.listdir(daemon.state):
        if name.endswith("-wal"):
            os.unlink(os.path.join(daemon.state, name))
    with open(os.path.join(daemon.state, "ledger.db"), "r+b") as file:
        file.write(b"\xa5" * 4096)
    daemon.start()
    assert any(name.startswith("ledger.db.damaged-") for name in os.listdir(daemon.state))
    assert "SPEND BEFORE" in daemon.run("check", check=False).stdout
    assert "SPEND BEFORE" in daemon.run("report").stderr
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 30, daemon.tail)


def test_a_ledger_of_which_nothing_is_left_refuses_whom_it_refused(stage, new_daemon):
    """Its sums stand beside it."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse")).start()
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 60, daemon.tail)
    assert daemon.stop() == 0
    billed = len(stage.api.bill(run))
    for name in os.listdir(daemon.state):
        if name.startswith("ledger.db"):
            path = os.path.join(daemon.state, name)
            size = os.path.getsize(path)
            with open(path, "r+b") as file:
                file.write(b"\xa5" * size)
    daemon.start()
    assert "SPEND BEFORE" in daemon.run("check", check=False).stdout
    assert logged(daemon, "budget counters are taken to be where they were at")
    assert spending.one_call(stage, run, cgroup, ANTHROPIC) != 0
    assert len(stage.api.bill(run)) == billed
    other, neighbour = stage.new_run()
    assert spending.one_call(stage, other, neighbour, ANTHROPIC) == 0


def test_a_state_that_becomes_read_only_lets_nobody_go_on(stage, new_daemon, tmp_path):
    """As a file system does that has met an error of its disk."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse"), where="inside")
    os.makedirs(daemon.state, exist_ok=True)
    image = str(tmp_path / "disk")
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, daemon.state], check=True)
    daemon.log = daemon.state + ".log"      # not on that disk
    try:
        daemon.start()
        subprocess.run(["mount", "-o", "remount,abort", daemon.state], check=True)
        other, neighbour = stage.new_run()
        assert spending.one_call(stage, other, neighbour, ANTHROPIC) == 0
        lab.wait(lambda: logged(daemon, "the ledger cannot be written"), 40, daemon.tail)
        live = spender(stage, run, cgroup)
        lab.wait(lambda: live.poll() is not None, 60, daemon.tail)
        assert spending.one_call(stage, run, cgroup, ANTHROPIC) != 0
        assert spending.one_call(stage, other, neighbour, ANTHROPIC) == 0
    finally:
        daemon.stop()
        subprocess.run(["umount", "-l", daemon.state], check=True)
