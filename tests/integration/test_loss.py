# SPDX-License-Identifier: Apache-2.0
"""on-daemon-loss: what a shut gate does while no daemon runs, and who opens it then."""
import signal
import time

import stage as lab
from drive import ANTHROPIC
from spending import actions, one_call, rules, spender


def shut(stage, new_daemon, loss):
    """A daemon that has shut the gate of a cgroup, and its runner."""
    run, cgroup = stage.new_run()
    text = rules(stage, run, "refuse") + f"on-daemon-loss: {loss}\n"
    daemon = new_daemon(text).start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: child.poll() is not None, 30, daemon.tail)
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    return daemon, run, cgroup


def test_a_held_gate_outlives_the_daemon_and_the_next_one_takes_it_over(stage, new_daemon, pins):
    daemon, run, cgroup = shut(stage, new_daemon, "hold")
    other, neighbour = stage.new_run()
    billed = lab.steady(lambda: len(stage.api.bill(run)), 0.5)
    daemon.stop(signal.SIGKILL)
    assert len(pins()) >= 5
    # Longer than a lease: nobody renews it.
    end = time.monotonic() + 11
    while time.monotonic() < end:
        assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert one_call(stage, run, cgroup, ("bystander.test", "/")) == 0
    assert one_call(stage, other, neighbour, ANTHROPIC) == 0
    links = pins()
    daemon.start()
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert len(stage.api.bill(run)) == billed
    assert pins() == links    # none twice, none beside
    # In the new daemon's hands: it opens, and its neighbour is metered by it.
    daemon.run("override", "open", "--all", "--for", "10m")
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20, daemon.tail)
    assert one_call(stage, other, neighbour, ANTHROPIC) == 0
    lab.wait(lambda: daemon.calls(neighbour), 20, daemon.tail)
    # Nothing is held any more, so nothing stays.
    assert daemon.stop() == 0
    assert not pins()


def test_who_was_refused_before_it_spent_stays_refused(stage, new_daemon, pins):
    """As a pod made anew of a workload over its budget: no call in the ledger is its."""
    run, cgroup = stage.new_run("shared-a")
    late, newcomer = stage.new_run("shared-b")
    daemon = new_daemon(f"""attach: everyone
enforce: true
on-daemon-loss: hold
budgets: [ {{ name: lab, match: {{ cgroup: "{stage.name}/shared-*" }}, per: match, limit: 0.05 USD,
             steps: [ {{ at: 100%, do: refuse }} ] }}]
""").start()
    child = spender(stage, run, cgroup)
    lab.wait(lambda: child.poll() is not None, 30, daemon.tail)
    assert one_call(stage, late, newcomer, ANTHROPIC) in (7, 35, 56)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert "that an earlier aigress had left shut" not in daemon.said()
    assert one_call(stage, late, newcomer, ANTHROPIC) in (7, 35, 56)
    assert not stage.api.bill(late)


def test_override_opens_a_held_gate_without_a_daemon(stage, new_daemon, pins):
    daemon, run, cgroup = shut(stage, new_daemon, "hold")
    daemon.stop()
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert "left shut" in stage.outside(lab.AIGRESS, "override", "--state", daemon.state, "open", "--all")
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 10)
    assert not pins()


def test_cleanup_opens_a_held_gate(stage, new_daemon, pins):
    daemon, run, cgroup = shut(stage, new_daemon, "hold")
    assert "a daemon runs" not in stage.outside(lab.AIGRESS, "cleanup", "--state", daemon.state)
    assert pins(), "those of a daemon that runs stay"
    daemon.stop()
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    assert "nothing of aigress is left" in stage.outside(lab.AIGRESS, "cleanup", "--state", daemon.state)
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 10)
    assert not pins()


def test_an_open_gate_ends_with_its_lease_beside_a_held_one(stage, new_daemon, pins):
    """Two budgets, of which one holds: the programs stay for its sake, the other's gate opens."""
    run, held = stage.new_run()
    other, lent = stage.new_run()
    text = rules(stage, run, "refuse") + rules(stage, other, "refuse").split("budgets:\n")[1].replace(
        "name: lab", "name: lent\n    on-daemon-loss: open") + "on-daemon-loss: hold\n"
    daemon = new_daemon(text).start()
    for whose, cgroup in (run, held), (other, lent):
        child = spender(stage, whose, cgroup)
        lab.wait(lambda: child.poll() is not None, 30, daemon.tail)
    daemon.stop(signal.SIGKILL)
    lab.wait(lambda: one_call(stage, other, lent, ANTHROPIC) == 0, 30)
    assert one_call(stage, run, held, ANTHROPIC) in (7, 35, 56)
    daemon.start()
    # It is over its budget still, and the new daemon knows.
    assert one_call(stage, other, lent, ANTHROPIC) in (7, 35, 56)
    assert one_call(stage, run, held, ANTHROPIC) in (7, 35, 56)
    assert {a["budget"] for a in actions(daemon)} == {"lab", "lent"}
    daemon.run("override", "open", "--all")
    lab.wait(lambda: one_call(stage, run, held, ANTHROPIC) == 0, 20, daemon.tail)
    daemon.stop()
    assert not pins()


def test_a_hold_that_is_taken_out_of_the_rules_is_unpinned(stage, new_daemon, pins):
    daemon, run, cgroup = shut(stage, new_daemon, "hold")
    assert pins()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(rules(stage, run, "refuse"))
    lab.wait(lambda: not pins(), 20, daemon.tail)
    assert one_call(stage, run, cgroup, ANTHROPIC) in (7, 35, 56)
    daemon.stop(signal.SIGKILL)
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20)
