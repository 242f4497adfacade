# SPDX-License-Identifier: Apache-2.0
"""Actions reach those who asked for them, whatever happens between."""
import shutil
import signal
import subprocess

import pytest

import drive
import server
import stage as lab
from drive import ANTHROPIC


@pytest.fixture
def receiver():
    made = server.Receiver()
    yield made
    made.stop()


def rules(stage, run, hooks, steps="{ at: 100%, do: refuse }"):
    return f"""attach: everyone
enforce: true
node: lab-node
webhooks:
{hooks}budgets:
  - name: lab
    match: {{ cgroup: "{stage.name}/{run}" }}
    per: cgroup
    limit: 0.05 USD
    window: day
    steps: [ {steps} ]
"""


def spend(stage, run, cgroup, calls):
    work = drive.job(ANTHROPIC, run, calls=calls, settings={"delay_ms": 20},
                     body=drive.body(ANTHROPIC))
    return stage.client(drive.command("http.client", work), cgroup, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)


def ids(daemon):
    told = lab.json.loads(daemon.run("explain", "--format", "json").stdout)["actions"]
    return sorted(action["id"] for action in told)


def sent(receiver):
    return [int(key.rpartition("-")[2]) for key, _, _ in receiver.requests]


def test_every_action_arrives_once_and_in_order(stage, new_daemon, receiver, tmp_path):
    """The receiver fails, the daemon is killed meanwhile, the receiver comes back."""
    run, cgroup = stage.new_run()
    secret = tmp_path / "header"
    secret.write_text("X-Secret: abc\n")
    receiver.status = 503
    daemon = new_daemon(rules(stage, run, f"  - {{ name: ops, url: \"{receiver.url}\", format: slack, "
                                          f"header-file: {secret} }}\n",
                              "{ at: 50%, do: note }, { at: 100%, do: refuse }"),
                        where="inside").start()
    client = spend(stage, run, cgroup, 100000)
    lab.wait(lambda: client.poll() is not None, 30, daemon.said)
    lab.wait(lambda: len(ids(daemon)) >= 2, 20)
    lab.wait(lambda: "does not take an action" in daemon.said(), 20, daemon.said)
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    daemon.start()
    receiver.status = 200
    lab.wait(lambda: set(sent(receiver)) >= set(ids(daemon)), 60,
             lambda: f"sent {sent(receiver)} of {ids(daemon)}\n{daemon.said()}")
    assert sent(receiver) == ids(daemon)
    assert all(header == "abc" for _, _, header in receiver.requests)
    assert "blocks" in receiver.requests[0][1]
    assert "abc" not in daemon.said()


@pytest.mark.skipif(not shutil.which("prometheus-alertmanager"),
                    reason="prometheus-alertmanager is not installed (scripts/deps test)")
def test_alertmanager_takes_them(stage, new_daemon, tmp_path):
    run, cgroup = stage.new_run()
    alertmanager = server.Alertmanager(stage, tmp_path)
    text = rules(stage, run, f"  - {{ name: am, url: \"{alertmanager.url}\", format: alertmanager, "
                             f"on: [ refuse ], link: \"https://wiki.example/a\" }}\n")
    daemon = new_daemon(text, where="inside").start()
    client = spend(stage, run, cgroup, 100000)
    lab.wait(lambda: client.poll() is not None, 30, daemon.said)
    lab.wait(alertmanager.alerts, 30, daemon.said)
    (alert,) = alertmanager.alerts()
    assert alert["labels"]["alertname"] == "AigressBudget"
    assert alert["labels"]["budget"] == "lab" and alert["labels"]["node"] == "lab-node"
    assert alert["labels"]["rehearsed"] == "false"
    assert alert["generatorURL"] == "https://wiki.example/a"
    assert alert["status"]["state"] == "active"
    # Let go, it is resolved.
    daemon.run("override", "open", "lab", "--for", "1h", "--reason", "test")
    lab.wait(lambda: not alertmanager.alerts(), 30,
             lambda: f"{alertmanager.alerts()} {daemon.run('explain', '--format', 'json').stdout}")
