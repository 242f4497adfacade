# SPDX-License-Identifier: Apache-2.0
"""Rules change under a running daemon: by a signal, by a new file, and not by a broken one."""
import os
import signal

import stage as lab
from drive import ANTHROPIC
from spending import actions, one_call, rules, spender


def test_rules_are_taken_over_and_a_broken_file_is_not(stage, new_daemon):
    run, cgroup = stage.new_run()
    refuse = rules(stage, run, "refuse")
    daemon = new_daemon(refuse).start()
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 30, daemon.tail)
    assert one_call(stage, run, cgroup, ANTHROPIC) != 0

    lab.rewrite(daemon, "budgets: [ { name: x, limit: many } ]\n")
    lab.wait(lambda: "the rules in force stay" in daemon.said(), 10, daemon.tail)
    assert os.path.basename(daemon.config) + ":1" in daemon.said()
    assert one_call(stage, run, cgroup, ANTHROPIC) != 0

    lab.rewrite(daemon, refuse.replace("0.20 USD", "1000 USD"))
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) == 0, 20, daemon.tail)
    opened = [a for a in actions(daemon) if a["result"].startswith("ended")]
    assert opened, actions(daemon)

    # What was spent before is still known: the old limit bites at once.
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(refuse)
    daemon.child.send_signal(signal.SIGHUP)
    lab.wait(lambda: one_call(stage, run, cgroup, ANTHROPIC) != 0, 20, daemon.tail)


def test_a_gate_outlives_a_reload_that_does_not_concern_it(stage, new_daemon):
    run, cgroup = stage.new_run()
    refuse = rules(stage, run, "refuse")
    daemon = new_daemon(refuse).start()
    live = spender(stage, run, cgroup)
    lab.wait(lambda: live.poll() is not None, 30, daemon.tail)
    before = len(actions(daemon))
    lab.rewrite(daemon, refuse.replace("budgets:\n", "keep: 30d\nbudgets:\n"))
    lab.wait(lambda: "is in force" in daemon.said(), 10, daemon.tail)
    assert one_call(stage, run, cgroup, ANTHROPIC) != 0
    assert len(actions(daemon)) == before


def test_a_file_beside_a_busy_ledger_is_read(stage, new_daemon, tmp_path):
    """In the state directory something happens all the time; only the file's own rest counts."""
    daemon = new_daemon("attach: never\nenforce: false\n")
    os.makedirs(daemon.state)
    daemon.config = os.path.join(daemon.state, "aigress.yaml")
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write("attach: never\nresolve: false\n")
    daemon.start()
    beside = os.path.join(daemon.state, "ledger.db-busy")

    def is_read():
        with open(beside, "w", encoding="ascii"):
            pass
        return "is in force: 0 budgets, enforced" in daemon.said()

    lab.rewrite(daemon, "attach: never\nresolve: false\nenforce: true\n")
    lab.wait(is_read, 5, daemon.tail)
