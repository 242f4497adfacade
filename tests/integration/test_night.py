# SPDX-License-Identifier: Apache-2.0
"""
Three pods ran away in the night: one was killed, one is paced, and one is not read. Somebody who has never seen aigress
asks: who, what, how much, what stopped it, was it metered all night, which process was ended, what will the month cost, what
does the unread one cost, how do I release it.
"""
import contextlib
import glob
import os
import re
import sqlite3
import subprocess
import time

import pytest

import drive
import stage as lab
import watch
from container import Container, everything
from drive import ANTHROPIC, CHAT
from spending import actions
from unread import Unread

PODS = {"indexer": ("batch", "indexer-7d9f8b6c5d-x2x4z"), "crawler": ("agents", "crawler-5c9d7f6b4-k8s2p"),
        "scorer": ("data", "scorer-6b7c8d9f4-q7w9r")}
RULES = """attach: everyone
enforce: true
serve: {{ listen: "127.0.0.1:{port}" }}
kubernetes: {{ host-root: "{root}", kubelet: off, api: off }}
budgets:
  - {{ name: batch-nightly, match: {{ namespace: batch }}, per: workload, limit: 0.30 USD, steps: [ {{ do: kill, target: cgroup, grace: 1s }} ] }}
  - {{ name: agents-daily, match: {{ namespace: agents }}, per: pod, limit: 0.20 USD, steps: [ {{ at: 80%, do: note }}, {{ do: pace, to: 1 USD/hour }} ] }}
  - {{ name: everything, per: match, limit: 100 USD, window: month, steps: [ {{ at: 1%, do: note }} ] }}
"""


class Pod(Container):
    """A container whose cgroup and log folders are as a kubelet makes them."""

    def __init__(self, stage, directory, app, argv):
        self.namespace, self.pod = PODS[app]
        self.uid = f"{len(app):08x}-0000-4000-8000-{app.encode().hex()[:12]:0>12}"
        super().__init__(stage, directory, app, argv, everything(stage, drive.CLIENTS, str(directory)),
                         f"kubepods/besteffort/pod{self.uid}")
        root = f"{directory}/root"
        os.makedirs(f"{root}/var/log/pods/{self.namespace}_{self.pod}_{self.uid}/{app}")
        os.symlink(f"/var/log/pods/{self.namespace}_{self.pod}_{self.uid}/{app}/0.log",
                   f"{root}/var/log/containers/{self.pod}_{self.namespace}_{app}-{self.id}.log")


def began_days_ago(daemon):
    """A ledger with a past, without which no forecast is made: the hours so far, on each of the five days before."""
    with contextlib.closing(sqlite3.connect(f"{daemon.state}/ledger.db")) as ledger:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(hours)")][1:]
        for day in range(1, 6):
            ledger.execute(f"INSERT INTO hours SELECT hour - {24 * day}, {','.join(columns)} FROM hours"
                           " WHERE hour = (SELECT max(hour) FROM hours)")
        ledger.commit()


def run_away(stage, daemon, unread, directory, pods):
    def work(app, api, calls):
        return drive.job(api, app, calls=calls, settings={"delay_ms": 20}, body=drive.body(api))
    pods += [Pod(stage, directory, app, argv) for app, argv in (
        ("indexer", drive.command("http.client", work("indexer", ANTHROPIC, 100000))),
        ("crawler", drive.command("http.client", work("crawler", ANTHROPIC, 100000))),
        ("scorer", unread.command("java", work("scorer", CHAT, 5))))]
    seen = set()

    def all_is_done():
        seen.update((row["action"], row["outcome"]) for row in actions(daemon))
        return {("kill", "finished"), ("pace", "done")} <= seen and \
            any(row["pod"] == PODS["scorer"][1] and row["calls"] >= 5 for row in daemon.report("pod"))
    for pod in pods:
        pod.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait(all_is_done, 60, lambda: f"{seen}\n{daemon.run('top', '-1').stdout}\n{daemon.run('explain').stdout}")


@pytest.fixture(scope="module", name="night")
def _night(stage, tmp_path_factory):
    """{surface: what it says}, of the page, top, and three commands."""
    directory, port = tmp_path_factory.mktemp("night"), watch.free_port()
    for folder in ("pods", "containers"):
        os.makedirs(directory / "root/var/log" / folder)
    unread, pods = Unread(directory, stage.ca), []
    unread.need("java")
    config = directory / "aigress.yaml"
    config.write_text(RULES.format(port=port, root=directory / "root"))
    daemon = lab.Daemon(stage, str(directory / "state"), str(config), where="inside").start()
    try:
        run, cgroup = stage.new_run("evening")
        drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=3), cgroup)
        stage.settle(daemon, run, cgroup, 3)
        daemon.stop(9)
        began_days_ago(daemon)
        time.sleep(2)       # less than a second is no gap, and the last call proves until when there was none
        daemon.start()
        run_away(stage, daemon, unread, directory, pods)
        # What other commands and the page see is written once a second.
        lab.wait(lambda: "RELEASE" in daemon.run("top", "-1").stdout, 20, daemon.tail)
        page, _ = watch.browse(f"http://127.0.0.1:{port}/", directory / "profile", "--dump-dom")
        yield {"top": daemon.run("top", "-1").stdout, "page": re.sub(r"<[^>]*>", " ", page.partition("<body")[2]),
               "explain": daemon.run("explain").stdout, "report": daemon.run("report", "--since", "today").stdout,
               "who": daemon.run("explain", "who", "scorer").stdout}
    finally:
        for pod in pods:
            pod.remove()
        daemon.stop()
        # runc leaves the parents of its cgroups, in each hierarchy.
        for name in [os.path.dirname(pod.path) for pod in pods] + [f"{stage.name}/kubepods/besteffort",
                                                                  f"{stage.name}/kubepods", stage.name]:
            for left in glob.glob(f"/sys/fs/cgroup/*{name}"):
                lab.rmdir(left)


def lines(text, *words):
    """The lines with all of these words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]


def says(night, surface, pattern):
    assert re.search(pattern, night[surface], re.S), f"{surface} does not say {pattern}:\n{night[surface]}"


def test_who_and_how_much(night):
    for app, (namespace, pod) in PODS.items():
        for surface in ("top", "report"):
            (line,) = lines(night[surface].partition("\ntotal")[0], f"{namespace}/{pod} {app}")
            assert app == "scorer" or re.search(r" 0\.[1-9]| [1-9]\d*\.\d", line), line
        says(night, "page", rf"{pod}.*{namespace} Deployment/{app} {app}.*\d\.\d\d")


def test_what_was_spent_on(night):
    says(night, "report", r"batch/indexer\S+ indexer +api\.anthropic\.com +claude-sonnet-5")
    says(night, "page", r"indexer-\S+.*claude-sonnet-5\s+python3")
    says(night, "explain", r"claude-sonnet-5 at api\.anthropic\.com by python3 \(pid \d+\)")


def test_what_stopped_it(night):
    says(night, "top", r"IN FORCE.*pace +agents/crawler-\S+ crawler +agents-daily")
    says(night, "top", r"LAST ACTIONS.*kill batch/indexer-\S+ indexer: done")
    says(night, "page", r"In force.*pace\s+agents/crawler-\S+ crawler.*Last actions.*kill\s+batch/indexer-\S+ indexer")
    says(night, "page", r"indexer-7d9f8b6c5d-x2x4z\s+kill \d\d:\d\d.*crawler-5c9d7f6b4-k8s2p\s+pace")
    says(night, "explain", r"pace +agents/crawler-\S+ crawler.*rule +at 100 % of 0\.2 USD a day per pod: pace to 1 USD/hour")
    says(night, "explain", r"kill +batch/indexer-\S+ indexer.*rule +at 100 % of 0\.3 USD a day per workload: kill")


def test_which_process_was_ended(night):
    for surface in ("top", "page", "explain"):
        says(night, surface, r"SIGTERM, SIGKILL in 1 s: python3\.\d+ \(\d+\)")
        says(night, surface, "SIGKILL after the grace, gone")


def test_whether_it_was_metered_all_night(night):
    for surface in ("top", "report"):
        assert len(lines(night[surface], "no meter 2", "aigress died or was killed")) == 1, night[surface]
    says(night, "page", r"Not measured: \d\d:\d\d(:\d\d)? to \d\d:\d\d")


def test_what_the_month_will_cost(night):
    says(night, "top", r"MONTH +AT ITS END\s.*in budgets( +[\d.]+)+")
    says(night, "page", r"This month.*\d\.\d\d.*USD.*at its end")
    says(night, "report", r"This month [\d.]+ USD, at its end")
    for surface in ("top", "page", "report"):
        assert "not known yet" not in night[surface]


def test_what_the_unread_one_costs(night):
    """It has no price, and is no 0: budgets count it at the price of a flagship of its provider."""
    (line,) = lines(night["top"], "data/scorer")
    assert re.search(r"scorer +\? +\? +\? +\? +0\.0\d+ +[56] .*100 % +[56]$", line), line
    (line,) = lines(night["report"], "data/scorer")
    assert re.search(r" \? +0\.0\d+ +unpriced$", line), line
    says(night, "page", r"scorer-\S+.*[56] unpriced.*[56] estimated.*\?.*0\.0\d* in budgets")
    says(night, "who", r"its cost is not known, [56] calls, [56] of them estimated.*budgets count 0\.0\d+ USD \([\d.]+ to 0\.\d+\)")


def test_how_to_release_it(night):
    release = r"aigress override open 'pod=agents/crawler-5c9d7f6b4-k8s2p'"
    for surface in ("top", "page", "explain"):
        says(night, surface, release)
    says(night, "explain", r"aigress override open 'workload=batch/Deployment/indexer'")


def test_nothing_is_called_by_a_hash_or_by_the_machinery(night):
    """Names first: no id of a container and no counter called \"match\", where a person looks first."""
    for surface in ("top", "report", "page"):
        assert not any(app.encode().hex() in night[surface] for app in PODS), night[surface]
    assert not lines(night["top"], " match ") and not lines(night["explain"], "counter  match")
