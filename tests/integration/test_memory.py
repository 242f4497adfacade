# SPDX-License-Identifier: Apache-2.0
"""What was spent is remembered: over clocks that jump, other zones, restarts, and cgroups made anew."""
import time

import clock
import stage as lab
from drive import ANTHROPIC
from spending import one_call, rules, spender, spent

HOUR = 3600


def is_refused(stage, run, cgroup):
    return one_call(stage, run, cgroup, ANTHROPIC) != 0


def test_no_clock_and_no_zone_gives_the_budget_back(stage, new_daemon, tmp_path):
    its_clock = clock.Clock(tmp_path, passes=True)
    run, cgroup = stage.new_run()
    text = rules(stage, run, "refuse").replace("window: day", "window: month\n    zone: UTC")
    daemon = new_daemon(text, clock=its_clock).start()
    client = spender(stage, run, cgroup)
    lab.wait(lambda: client.poll() is not None, 40, daemon.tail)
    assert is_refused(stage, run, cgroup)
    its_clock.set(-26 * HOUR)
    lab.wait(lambda: daemon.fact("gates"), 10)
    assert is_refused(stage, run, cgroup)
    daemon.stop()
    daemon.start()      # what it spent lies in this clock's future
    assert is_refused(stage, run, cgroup)
    its_clock.set(0)
    lab.rewrite(daemon, text.replace("zone: UTC", "zone: Pacific/Kiritimati"))
    lab.wait(lambda: "is in force" in daemon.said(), 10, daemon.tail)
    assert is_refused(stage, run, cgroup)
    paid, n = spent(daemon, cgroup), len(stage.api.bill(run))
    its_clock.set(32 * 24 * HOUR)       # the next month, in any zone
    lab.wait(lambda: not is_refused(stage, run, cgroup), 30, daemon.tail)
    assert len(stage.api.bill(run)) == n + 1
    assert spent(daemon, cgroup) <= paid + lab.money("0.20")


def test_a_cgroup_made_anew_finds_what_its_path_has_spent(stage, new_daemon):
    """A unit that is started again, a container of the same name: the id is another, the budget is not."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(stage, run, "refuse")).start()
    client = spender(stage, run, cgroup)
    lab.wait(lambda: client.poll() is not None, 40, daemon.tail)
    cgroup.remove()
    time.sleep(0.3)     # the server notices that its last call was cut
    billed = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    anew = lab.Cgroup(cgroup.path)
    assert is_refused(stage, run, anew)
    assert len(stage.api.bill(run)) == billed, (stage.api.bill(run), daemon.tail())
