# SPDX-License-Identifier: Apache-2.0
"""When nothing happens the daemon sleeps: no timer fires that has nothing to do."""
import time

import pytest
import stage as lab

pytestmark = pytest.mark.alone

SECONDS = 10
# News of mappings come when a neighbour on this host starts a program meanwhile: NEWS_PAUSE_MAX_NS. He may
# also make a cgroup or two.
WAKES_OF_NEWS = 250 * SECONDS
WAKES = 5
NS_A_WAKE = 2_000_000

BUDGET = """
enforce: true
budgets:
  - name: idle
    match: { user: nobody }
    per: user
    limit: 1 USD
    window: day
    steps: [ { at: 80%, do: note }, { do: refuse } ]
"""
CONFIGS = {
    "plain": "attach: on-sight\n",
    "flows alone": "attach: never\n",
    "budgets, served, told": BUDGET + "attach: never\nserve: { listen: '127.0.0.1:19464' }\n"
                             "webhooks: [ { name: nobody, url: 'https://127.0.0.1:9/', format: slack } ]\n",
}


class Sleeper:
    def __init__(self, stage, directory, text):
        directory.mkdir()
        file = directory / "aigress.yaml"
        file.write_text(text + "resolve: false\n")
        self.daemon = lab.Daemon(stage, str(directory), str(file)).start()

    def taken(self):
        """How often it slept, and CPU time in ns: utime and stime count in 10 ms, this clock does not."""
        pid = self.daemon.child.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            switches = next(int(line.split()[1]) for line in file
                            if line.startswith("voluntary_ctxt_switches"))
        return switches, time.clock_gettime_ns(~pid << 3 | 2)     # clock_getcpuclockid(3)


def forks():
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("processes"))


def test_an_idle_daemon_sleeps(stage, tmp_path, tell):
    sleepers = {name: Sleeper(stage, tmp_path / str(i), text)
                for i, (name, text) in enumerate(CONFIGS.items())}
    try:
        time.sleep(3)       # what the start leaves: facts, the first look at restored gates
        before, forked = {name: each.taken() for name, each in sleepers.items()}, forks()
        time.sleep(SECONDS)
        after, forked = {name: each.taken() for name, each in sleepers.items()}, forks() - forked
        for name, text in CONFIGS.items():
            wakes, cpu_ns = (b - a for a, b in zip(before[name], after[name]))
            tell(f"{name}: {wakes} wake-ups and {cpu_ns / 1e6:.2f} ms in {SECONDS} s with {forked} forks")
            has_news = forked and "attach: never" not in text
            assert wakes <= (WAKES_OF_NEWS if has_news else WAKES), name
            # the search looks at what a neighbour starts, and need not sleep in between
            assert cpu_ns <= NS_A_WAKE * (1 + wakes + (forked if has_news else 0)), name
    finally:
        for each in sleepers.values():
            each.daemon.stop()


def test_an_order_wakes_it(stage, new_daemon):
    """Nobody polls the ledger: who writes an order and closes it is heard at once."""
    daemon = new_daemon(BUDGET + "attach: never\n").start()
    for _ in range(3):
        said = daemon.said()
        begun = time.monotonic()
        daemon.run("override", "hold", "idle", "--for", "2s", "--reason", "test")
        lab.wait(lambda said=said: "override: hold" in daemon.said()[len(said):], 1, daemon.tail)
        assert time.monotonic() - begun < 1
