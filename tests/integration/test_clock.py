# SPDX-License-Identifier: Apache-2.0
"""
Somebody sets the host's clock. A rolling window goes on by the time that has truly passed: what was refused stays so,
for what was spent, nothing flaps and no budget is fresh. A calendar window is what the clock says.
"""
import time

import pytest

import clock
import drive
import stage as lab
from drive import ANTHROPIC
from spending import actions, one_call, rules, spender

HOUR = 3600
REFUSED = (7, 28, 35, 56)


def spent_up(stage, new_daemon, tmp_path, window):
    """A daemon with a clock of its own, and a cgroup that has spent its budget and is refused."""
    its_clock = clock.Clock(tmp_path, passes=False)
    run, cgroup = stage.new_run()
    text = rules(stage, run, "refuse").replace("window: day", f"window: {window}")
    daemon = new_daemon(text, clock=its_clock).start()
    client = spender(stage, run, cgroup)
    lab.wait(lambda: client.poll() is not None, 60, daemon.tail)
    lab.wait(lambda: actions(daemon), 20, daemon.tail)
    return its_clock, daemon, run, cgroup


def moved(daemon, n):
    lab.wait(lambda: daemon.said().count("the clock was set by") == n, 70, daemon.tail)


def wake(stage, run, cgroup):
    return one_call(stage, run, cgroup, ANTHROPIC)


@pytest.mark.parametrize("window", ["10m", "24h"])
def test_a_rolling_window_is_moved_by_nobody(stage, new_daemon, tmp_path, window):
    its_clock, daemon, run, cgroup = spent_up(stage, new_daemon, tmp_path, window)
    n = len(actions(daemon))
    for number, seconds in enumerate([-72 * HOUR, -70 * HOUR, 0, 100 * 24 * HOUR, 0], 1):
        its_clock.set(seconds)
        time.sleep(1.1)     # libfaketime reads its file once a second
        wake(stage, run, cgroup)
        moved(daemon, number)
        for _ in range(3):
            assert wake(stage, run, cgroup) in REFUSED, daemon.tail()
    rows = actions(daemon)
    assert len(rows) == n, rows
    assert all(float(row["spent_usd"]) > 0 for row in rows), rows
    # A neighbour has spent nothing, whatever the time.
    other, free = stage.new_run()
    assert wake(stage, other, free) == 0


def test_a_calendar_window_is_what_the_clock_says(stage, new_daemon, tmp_path):
    """Set back, nobody has a fresh budget; in a new day everybody has, and not before."""
    its_clock, daemon, run, cgroup = spent_up(stage, new_daemon, tmp_path, "day")
    its_clock.set(-72 * HOUR)
    time.sleep(1.1)
    wake(stage, run, cgroup)
    moved(daemon, 1)
    assert wake(stage, run, cgroup) in REFUSED, daemon.tail()
    its_clock.set(-48 * HOUR)
    time.sleep(1.1)
    wake(stage, run, cgroup)
    moved(daemon, 2)
    lab.wait(lambda: wake(stage, run, cgroup) == 0, 20, daemon.tail)
    assert all(float(row["spent_usd"]) > 0 for row in actions(daemon))
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
