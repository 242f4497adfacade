# SPDX-License-Identifier: Apache-2.0
"""A budget over one cgroup, a client that spends on it, and what came of it."""
import json
import subprocess

import drive
import stage as lab
from drive import ANTHROPIC


def rules(stage, run, action, enforce=True, limit="0.20 USD", more=""):
    return f"""attach: everyone
enforce: {'true' if enforce else 'false'}
budgets:
  - name: lab
    match: {{ cgroup: "{stage.name}/{run}" }}
    per: cgroup
    limit: {limit}
    window: day
    steps:
      - {{ at: 100%, do: {action}{more} }}
"""


def spender(stage, run, cgroup, host=ANTHROPIC, calls=100000, kind="http.client", **settings):
    """A client that does not stop by itself: it spends about 0.05 USD a call."""
    work = drive.job(host, run, calls=calls, settings=settings or {"delay_ms": 20},
                     body=drive.body(ANTHROPIC))
    return stage.client(drive.command(kind, work), cgroup, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)


def actions(daemon):
    """What `aigress explain` tells of the actions, as JSON."""
    told = json.loads(daemon.run("explain", "--format", "json").stdout)
    return told["actions"]


def spent(daemon, cgroup):
    return sum(lab.money(r["cost_usd"]) for r in daemon.report("cgroup") if r["cgroup"] == cgroup.path)


def one_call(stage, run, cgroup, host):
    """curl's exit code: 0, 7 (connect refused or denied), 35 and 56 (reset)."""
    work = drive.job(host, run, body=drive.body(ANTHROPIC))
    argv = drive.command("curl", work)
    argv[1:1] = ["--max-time", "5"]
    return stage.client(argv, cgroup, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(20)
