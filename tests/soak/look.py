# SPDX-License-Identifier: Apache-2.0
"""What a daemon has at a moment: its sizes, its own figures, and what it holds in the kernel."""
import os

import memory
import watch

FIGURES = ["connections", "calls_in_flight", "budget_counters", "series", "gates", "ledger_pending_calls"]
LOSSES = ["kernel_events_total", "kernel_lost_bytes_total", "parser_events_total", "parser_gap_bytes_total",
          "ledger_lost_calls_total"]
# What is no loss: what rules do, first calls that waited for their probes, and what was learned of cgroups that came and went.
MEANT = ("refused_", "held_", "paced_", "first_calls_deferred", "first_calls_crowded", "lessons_dropped")


class Look:
    def __init__(self, daemon, port, n_cgroups=0):
        pid, self.n_cgroups = daemon.child.pid, n_cgroups
        self.pss = memory.mib(pid)[1]
        self.fds = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = set(os.listdir(f"/proc/{pid}/task"))
        self.wal_kib = os.path.getsize(f"{daemon.state}/ledger.db-wal") >> 10
        self.log_kib = os.path.getsize(daemon.log) >> 10
        samples = [(name.removeprefix("aigress_"), labels, int(value))
                   for name, labels, value in watch.samples(watch.scrape(port)[1]) if value]
        self.figures = {figure: sum(value for name, _, value in samples if name == figure) for figure in FIGURES}
        self.losses = [each for each in samples
                       if each[0] in LOSSES and not each[1].get("kind", "").startswith(MEANT)]

    def is_at_rest(self, earlier):
        """A checkpoint is not rest: its thread, which comes and goes, has files of its own."""
        return self.threads == earlier.threads and \
            not any(self.figures[name] for name in ("connections", "calls_in_flight", "ledger_pending_calls"))

    def most_pss(self, later):
        """
        Measured over 7 minutes: 15 to 17 KiB for each cgroup that was seen (its row of the status page, 4.6; its
        processes' accounts, names and words; what malloc keeps), until the tables are full: by their limits 30 MiB at the
        very most. SQLite and malloc alone make it swing by 3 MiB.
        """
        return self.pss + 6 + min((later.n_cgroups - self.n_cgroups) * 24 / 1024, 32)

    def __str__(self):
        figures = ", ".join(f"{value} {name}" for name, value in self.figures.items() if value)
        return f"PSS {self.pss:.1f} MiB, {self.fds} fds, {len(self.threads)} threads, WAL {self.wal_kib} KiB, " \
               f"log {self.log_kib} KiB; {figures}"


def held(pid):
    """(kind, id) of each of its programs, links and maps."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
            info = dict(line.split(":", 1) for line in file if ":" in line)
        found |= {(kind, int(info[f"{kind}_id"])) for kind in ("prog", "link", "map") if f"{kind}_id" in info}
    return found


def in_kernel():
    """The same of this host. What is pinned is there, too."""
    return {(kind, each["id"]) for kind in ("prog", "link", "map") for each in memory.bpftool(kind, "list")}
