# SPDX-License-Identifier: Apache-2.0
"""A tenant that does not want to be killed: by names, threads, zombies and cgroups of its own choice."""
import os
import subprocess

import pytest

import drive
import stage as lab
import tenant
from drive import ANTHROPIC
from spending import actions, spent

RULES = """attach: everyone
enforce: true
budgets:
  - name: lab
    match: {{ cgroup: "{name}/hostile-*" }}
    per: cgroup
    limit: 0.20 USD
    steps:
      - {{ at: 100%, do: kill, target: cgroup, whole: true, grace: 1s }}
"""

# Calls in a second thread, when the first has ended: the process is shown as a zombie.
HEADLESS = """
import ctypes, runpy, sys, threading, time
del sys.argv[0]
threading.Thread(target=runpy.run_path, args=(sys.argv[0],)).start()
ctypes.CDLL(None).syscall(60, 0)
"""


@pytest.fixture(scope="module")
def strict(stage, tmp_path_factory):
    directory = tmp_path_factory.mktemp("strict")
    started = lab.Daemon(stage, str(directory), lab.config(directory, RULES.format(name=stage.name))).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def begin(stage):
    """Starts a client of the tenant's in a cgroup."""
    with tenant.home(stage) as (directory, environment):
        def start(cgroup, argv):
            return stage.client([each.replace("HOME", directory) for each in argv], cgroup, env=environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield start
        stage.guests.end()


def command(run, calls=100000):
    return drive.command("http.client", drive.job(ANTHROPIC, run, calls=calls, settings={"delay_ms": 20},
                                                  body=drive.body(ANTHROPIC)))


def ended(daemon, cgroup, child):
    """The row that says what came of it, when it has come."""
    def rows():
        return [a for a in actions(daemon) if a["target"].startswith(f"cgroup {cgroup.path}")
                and a["result"].startswith(("done: SIGKILL", "done: it ended", "failed"))]
    lab.wait(rows, 40, lambda: f"{actions(daemon)}\n{daemon.tail()}")
    lab.wait(lambda: child.poll() is not None, 5)
    return rows()[-1]["result"]


def test_a_process_that_is_called_crun_spares_nobody(stage, strict, begin):
    run, cgroup = stage.new_run("hostile")
    beside = begin(cgroup, [*tenant.AS_NOBODY, "HOME/crun", "1000"])
    child = begin(cgroup, [*tenant.AS_NOBODY, *command(run)])
    assert ended(strict, cgroup, child).startswith("done")
    lab.wait(lambda: beside.poll() is not None, 5)


def test_a_process_in_a_cgroup_of_threads_is_killed(stage, strict, begin):
    run, cgroup = stage.new_run("hostile")
    tenant.own(cgroup)
    threads = tenant.own(cgroup, "threads")
    with open(os.path.join(threads, "cgroup.type"), "w", encoding="ascii") as file:
        file.write("threaded")
    child = begin(cgroup, tenant.inside(threads, command(run), "cgroup.threads"))
    assert ended(strict, cgroup, child).startswith("done")
    # It counts where the process lives.
    lab.wait(lambda: float(spent(strict, cgroup)) > 0, 20, strict.tail)


def test_a_process_without_its_first_thread_is_killed(stage, strict, begin):
    run, cgroup = stage.new_run("hostile")
    python, *rest = command(run)
    child = begin(cgroup, [*tenant.AS_NOBODY, python, "-c", HEADLESS, *rest])
    assert ended(strict, cgroup, child).startswith("done")


def test_a_cgroup_below_ones_own_is_no_fresh_budget(stage, strict, begin):
    run, cgroup = stage.new_run("hostile")
    tenant.own(cgroup)
    for name in "one", "two":
        child = begin(cgroup, tenant.inside(tenant.own(cgroup, name), command(run, calls=3)))
        child.wait(30)
    lab.wait(lambda: any(a["subject"] == f"cgroup={cgroup.path}" for a in actions(strict)), 20, strict.tail)
    assert not any(a["subject"].startswith(f"cgroup={cgroup.path}/") for a in actions(strict))
