# SPDX-License-Identifier: Apache-2.0
"""
A month in small: one daemon, and all at once what a node has. Clients that stay, and that come and go with
their cgroups; streams that are torn; rules that change; orders, scrapes, a webhook's receiver that is away
at times. SOAK_SECONDS is the length.

The daemon is killed once and restarted once. What it may lose then: a kill -9 takes what was not committed,
200 ms at most (ledger/ledger.h), and nobody reads while no daemon runs. So a call may be missing only if it
ended later than 0.3 s before the end of a daemon, and began before its successor had settled.
"""
import contextlib
import os
import random
import re
import signal
import sqlite3
import time

import cast
import stage as lab
import watch
from look import Look, held, in_kernel
from server import Receiver

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SETTLE_SECONDS = 3
COMMIT_SECONDS = 0.3

# The windows are short, so that counters begin and end all the while; the series are few, so that their
# tables are full before the first third is over.
RULES = """attach: on-sight
first-call: hold
enforce: true
resolve: true
serve: {{ listen: "127.0.0.1:{port}", max-series: 50 }}
webhooks: [ {{ name: ops, url: "{url}", format: slack, digest: 0s }} ]
budgets:
  - name: refused
    match: {{ cgroup: "{stage}/refused-*" }}
    per: cgroup
    limit: 0.20 USD
    window: 1m
    steps: [ {{ at: 100%, do: refuse }} ]
  - name: paced
    match: {{ cgroup: "{stage}/paced-*" }}
    per: cgroup
    limit: 0.05 USD
    window: 1m
    steps: [ {{ at: 100%, do: pace, to: 72 USD/hour }} ]
  - name: noted
    match: {{ cgroup: "{stage}/*" }}
    per: cgroup
    limit: {limit} USD
    window: 1m
    steps: [ {{ at: 100%, do: note }} ]
"""
BROKEN = "budgets: [ { name: x, limit: many } ]\n"
STAY = "the rules in force stay"
PROVOKED = re.compile(r": budget (refused|paced|noted),|^warning: override: |"
                      rf"^warning: webhook ops does not take|{STAY}$")


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


class Soak:
    def __init__(self, stage, new_daemon):
        self.stage, self.seed = stage, random.randrange(1 << 32)
        rng = random.Random(self.seed)
        self.port, self.receiver = watch.free_port(), Receiver()
        self.daemon = new_daemon(self.rules(), where="inside")
        self.exact = [*cast.lanes(stage), cast.Churn(stage, rng)]
        self.disturbed = [*cast.disturbed(stage), cast.Torn(stage, rng)]
        self.churn, self.bystanders = self.exact[-1], cast.Bystanders(stage)
        self.actors = [*self.exact, *self.disturbed, self.bystanders,
                       cast.Turns(max(1, SECONDS / 300), self.deeds()),
                       cast.Turns(max(1, SECONDS / 100), [self.look])]
        self.n_broken, self.windows, self.looks = 0, [], []

    def rules(self, limit="0.04"):
        return RULES.format(port=self.port, url=self.receiver.url, stage=self.stage.name, limit=limit)

    def deeds(self):
        """What an operator does, and what happens to him; each a function."""
        def broken():
            self.n_broken += 1
            lab.rewrite(self.daemon, BROKEN)

        def answers(status):
            self.receiver.status = status
        return [lambda: lab.rewrite(self.daemon, self.rules("0.05")),
                lambda: self.daemon.run("override", "raise", "refused", "--to", "2 USD", "--for", "1h"),
                lambda: self.daemon.run("report", "--by", "cgroup,model"),
                lambda: answers(503),
                lambda: self.daemon.child.send_signal(signal.SIGHUP),
                broken,
                lambda: lab.rewrite(self.daemon, self.rules("0.04")),
                lambda: self.daemon.run("override", "clear", "refused", check=False),
                lambda: answers(200),
                lambda: self.daemon.run("explain", "--format", "json")]

    def look(self):
        self.looks.append(Look(self.daemon, self.port, self.churn.n))

    def play(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.daemon.child.poll() is None, self.daemon.tail()
            for each in self.actors:
                each.step()
            time.sleep(0.03)

    def begin(self, first_line=0):
        """
        The daemon starts amid it all, with rules that are whole: by broken ones it does not start. What began
        before it had settled may be missing.
        """
        lab.rewrite(self.daemon, self.rules())
        self.daemon.start()
        self.play(SETTLE_SECONDS)
        self.windows.append((first_line, max((row["id"] for _, row in self.bill()), default=0)))

    def begin_anew(self, number):
        """It ends by a signal, and the next one goes on with its ledger."""
        first_line = len(lines_of(self.stage.api.bill_file))
        self.play(COMMIT_SECONDS)
        self.daemon.stop(number)
        self.begin(first_line)

    def rest(self):
        """All have left, nothing is held back any more; what the daemon has then."""
        self.daemon.run("override", "open", "--all", "--for", "1h")
        for each in self.actors:
            each.end()
        last = Look(self.daemon, self.port)

        def is_at_rest():
            nonlocal last
            time.sleep(1)
            earlier, last = last, Look(self.daemon, self.port)
            return last.is_at_rest(earlier)
        lab.wait(is_at_rest, 60, lambda: f"rest: {last}")
        self.look()
        self.daemon.run("override", "clear", "--all")
        return self.looks[-1]

    def bill(self, run=None):
        """[(number of its line, row)] of one or all."""
        rows = map(lab.json.loads, lines_of(self.stage.api.bill_file))
        return [(n, row) for n, row in enumerate(rows) if run in (None, row["run"])]

    def may_be_missing(self, line, row):
        return any(line >= first and row["id"] <= last for first, last in self.windows)

    def must_be_told(self):
        """Each action reaches the receiver, which was away at times."""
        def untold():
            with contextlib.closing(sqlite3.connect(f"file:{self.daemon.state}/ledger.db?mode=ro", uri=True)) as db:
                return {row[0] for row in db.execute("SELECT id FROM actions")} - \
                    {int(key.rpartition("-")[2]) for key, _, _ in self.receiver.requests}
        self.receiver.status = 200
        lab.wait(lambda: not untold(), 120, lambda: f"actions {sorted(untold())[:20]} were not told")
        return len(self.receiver.requests)


def must_agree(soak, actor, rows):
    """What is measured was billed, and what was billed is measured."""
    ledger = [row for row in lab.within(rows, actor.cgroup) if row["measured_calls"]]
    told = {lab.ledgered(row) for row in ledger}
    bill = soak.bill(actor.run)
    billed = {lab.billed(row) for _, row in bill}
    assert len(billed) == len(bill) and len(told) == len(ledger), f"{actor.run}: one twice"
    assert told <= billed, f"{actor.run}: in the ledger, not billed:\n{sorted(told - billed)[:10]}"
    missing = [(line, row) for line, row in bill if lab.billed(row) not in told]
    lost = [row for line, row in missing if not soak.may_be_missing(line, row)]
    assert not lost, f"{actor.run}: {len(lost)} lost, windows {soak.windows}, seed {soak.seed}:\n{lab.shown(lost)}"
    return len(ledger), len(missing)


def must_be_charged(soak, actor, rows):
    """Each call is charged, if only by its size."""
    due = sum(not soak.may_be_missing(line, row) for line, row in soak.bill(actor.run))
    charged = len(lab.within(rows, actor.cgroup))
    assert charged >= due, f"{actor.run}: {due} calls, {charged} rows"


def test_soak(stage, new_daemon, tell):
    soak = Soak(stage, new_daemon)
    daemon = soak.daemon
    soak.begin()
    soak.play(SECONDS * 0.15)
    soak.begin_anew(signal.SIGKILL)
    soak.play(SECONDS * 0.15)
    soak.begin_anew(signal.SIGTERM)

    soak.looks.clear()      # of this life from here on
    soak.play(SECONDS * 0.35)
    middle = soak.rest()
    soak.play(SECONDS * 0.35)
    end = soak.rest()
    first = soak.looks[len(soak.looks) // 3]
    n_told = soak.must_be_told()
    objects = held(daemon.child.pid)
    assert daemon.stop() == 0, daemon.tail()
    rows = daemon.all_calls()
    n_processes = sum(each.n for each in [*soak.exact, *soak.disturbed, soak.bystanders])
    tell(f"{SECONDS:.0f} s, {len(soak.bill())} calls, {n_processes} processes, {soak.churn.n} cgroups come and gone, "
         f"{n_told} actions told")
    for name, look in ("first third", first), ("middle, at rest", middle), ("end, at rest", end):
        tell(f"{name}: {look}")

    for actor in soak.exact:
        n, n_missing = must_agree(soak, actor, rows)
        tell(f"{actor.run}: {n} calls as billed, {n_missing} while no daemon had settled")
    for actor in soak.disturbed:
        must_be_charged(soak, actor, rows)
    assert not lab.within(rows, soak.bystanders.cgroup)
    sums = sum(lab.money(row["cost_usd"]) for row in daemon.report("cgroup") if row["cost_usd"])
    assert sums == sum(lab.money(row["cost_usd"]) for row in rows if row["cost_usd"])

    assert end.fds <= middle.fds, f"{middle}\n{end}"
    assert end.pss <= first.most_pss(end), f"{first}\n{end}"
    assert max(look.wal_kib for look in soak.looks) <= 64 << 10
    assert not end.losses, end.losses
    odd = [line for line in lines_of(daemon.log)
           if line.startswith(("warning: ", "error: ")) and not PROVOKED.search(line)]
    assert not odd, odd[:10]
    n_stay = sum(line.endswith(STAY) for line in lines_of(daemon.log))
    assert n_stay >= min(1, soak.n_broken), soak.n_broken

    lab.wait(lambda: not objects & in_kernel(), 20, lambda: objects & in_kernel())
    assert not [name for name in os.listdir(soak.churn.cgroup.directory) if name.startswith("pod-")]
    soak.receiver.stop()
