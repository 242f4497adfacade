# SPDX-License-Identifier: Apache-2.0
"""Actions reach those who asked for them, whatever happens between."""
import email
import os
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
    daemon = new_daemon(rules(stage, run, f"  - {{ name: ops, url: \"{receiver.url}\", format: json, "
                                          f"header-file: {secret} }}\n",
                              "{ at: 50%, do: note }, { at: 100%, do: refuse }"),
                        where="inside").start()
    client = spend(stage, run, cgroup, 100000)
    lab.wait(lambda: client.poll() is not None, 30, daemon.tail)
    lab.wait(lambda: len(ids(daemon)) >= 2, 20)
    lab.wait(lambda: "does not take an action" in daemon.said(), 20, daemon.tail)
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    daemon.start()
    receiver.status = 200
    lab.wait(lambda: set(sent(receiver)) >= set(ids(daemon)), 60,
             lambda: f"sent {sent(receiver)} of {ids(daemon)}\n{daemon.tail()}")
    assert sent(receiver) == ids(daemon)
    assert all(header == "abc" for _, _, header in receiver.requests)
    assert "lab-node" in receiver.requests[0][1]["node"]
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
    lab.wait(lambda: client.poll() is not None, 30, daemon.tail)
    lab.wait(alertmanager.alerts, 30, daemon.tail)
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


@pytest.fixture
def receivers():
    made = {name: server.Receiver() for name in ("slack", "teams", "pagerduty", "opsgenie", "json")}
    yield made
    for one in made.values():
        one.stop()


@pytest.fixture
def relays(stage):
    plain = server.Relay()
    secret = server.Relay(lab.SERVER, f"{stage.directory}/leaf.pem", f"{stage.directory}/leaf.key")
    yield plain, secret
    plain.stop()
    secret.stop()


def objections(card):
    """What Microsoft's library for Adaptive Cards has against one."""
    done = subprocess.run([lab.node(), os.path.join(drive.CLIENTS, "card.mjs")], input=lab.json.dumps(card), check=True,
                          capture_output=True, text=True, timeout=60)
    return lab.json.loads(done.stdout)


@pytest.fixture
def cards():
    if not lab.node() or not os.path.isdir(os.path.join(drive.CLIENTS, "node_modules", "adaptivecards")):
        pytest.skip("npm's adaptivecards is not installed (scripts/deps test)")
    run = {"type": "TextRun", "text": "a", "weight": "Bold"}
    broken = {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "RichTextBlock", "inlines": [run]}, {"type": "Textblock"}]}
    assert len(objections(broken)) == 2, "the check objects to nothing"


@pytest.mark.usefixtures("cards")
def test_cards_are_what_microsofts_library_reads(stage, new_daemon, receivers, tmp_path):
    """One action, and a digest of several: what began, what ended, with a link."""
    run, cgroup = stage.new_run()
    (tmp_path / "url").write_text(receivers["teams"].url + "\n")
    hook = f"  - {{ name: teams, format: teams, url-file: {tmp_path}/url, digest: 3s, link: 'https://wiki.example/' }}\n"
    daemon = new_daemon(rules(stage, run, hook, "{ at: 100%, do: refuse }"), where="inside").start()
    client = spend(stage, run, cgroup, 100000)
    lab.wait(lambda: client.poll() is not None and receivers["teams"].requests, 30, daemon.said)
    for _ in range(2):
        daemon.run("override", "open", "lab", "--for", "1h")
        daemon.run("override", "clear", "lab")
    lab.wait(lambda: len(receivers["teams"].requests) > 1, 30, daemon.said)
    for _, message, _ in receivers["teams"].requests:
        assert objections(message["attachments"][0]["content"]) == [], message


def test_people_are_told_and_told_again_when_it_ends(stage, new_daemon, receivers, relays, tmp_path):
    """Each format from the real daemon: what began, who it is, how to release it, and the end under the same key."""
    run, cgroup = stage.new_run()
    plain, secret = relays
    for name, text in (("key", "R0UT1NG"), ("password", "correct horse"), ("url", receivers["teams"].url)):
        (tmp_path / name).write_text(text + "\n")
    hooks = f"""  - {{ name: slack, format: slack, url: "{receivers['slack'].url}", digest: 1s, link: "https://wiki.example/" }}
  - {{ name: teams, format: teams, url-file: {tmp_path}/url, digest: 1s }}
  - {{ name: pd, format: pagerduty, url: "{receivers['pagerduty'].url}", key-file: {tmp_path}/key }}
  - {{ name: genie, format: opsgenie, url: "{receivers['opsgenie'].url}", key-file: {tmp_path}/key }}
  - name: own
    format: json
    url: "{receivers['json'].url}"
    template: '{{"text": "{{{{who}}}} {{{{state}}}}", "cost": "{{{{spent}}}}", "do": "{{{{release}}}}"}}'
  - {{ name: mail, format: email, url: "smtp://127.0.0.1:{plain.port}", from: aigress@lab.example,
      to: [ ops@lab.example, boss@lab.example ], digest: 1s }}
  - {{ name: safe, format: email, url: "smtp://{lab.SERVER}:{secret.port}", from: aigress@lab.example,
      to: [ ops@lab.example ], user: aigress, password-file: {tmp_path}/password, ca-file: {stage.directory}/ca.pem,
      on: [ refuse ], digest: 1s }}
"""
    daemon = new_daemon(rules(stage, run, hooks, "{ at: 50%, do: note }, { at: 100%, do: refuse }"), where="inside").start()
    client = spend(stage, run, cgroup, 100000)
    lab.wait(lambda: client.poll() is not None, 30, daemon.tail)

    def came():
        webhooks = [line for line in daemon.said().splitlines() if "webhook" in line]
        counts = {name: len(one.requests) for name, one in receivers.items()}
        return f"{counts} {len(plain.mails)} {len(secret.mails)} {webhooks} {receivers['pagerduty'].requests}"

    lab.wait(lambda: all(one.requests for one in receivers.values()) and plain.mails and secret.mails, 60, came)
    daemon.run("override", "open", "lab", "--for", "1h", "--reason", "test")
    lab.wait(lambda: any("close" in path for path, _ in receivers["opsgenie"].heads), 30, came)
    lab.wait(lambda: any(body["event_action"] == "resolve" for _, body, _ in receivers["pagerduty"].requests), 30, came)
    lab.wait(lambda: any(" ends" in body["text"] for _, body, _ in receivers["json"].requests), 30, came)

    release = f"aigress override open 'cgroup={daemon_path(daemon)}' --for 1h"
    trigger, *others = [body for _, body, _ in receivers["pagerduty"].requests]
    assert trigger["event_action"] == "trigger" and trigger["routing_key"] == "R0UT1NG"
    assert trigger["payload"]["class"] == "refuse" and trigger["payload"]["source"] == "lab-node"
    assert release in trigger["payload"]["custom_details"]["To release"]
    assert "claude" in trigger["payload"]["custom_details"]["Last calls"]
    # A second row of the same refusal, when the calls in flight have come in, is the same alert.
    assert others[-1]["event_action"] == "resolve" and {body["dedup_key"] for body in others} == {trigger["dedup_key"]}

    (create, head), *_, (close, _) = receivers["opsgenie"].heads
    alias = receivers["opsgenie"].requests[0][1]["alias"]
    assert create == "/hook" and head["Authorization"] == "GenieKey R0UT1NG"
    assert close == f"/hook/{alias}/close?identifierType=alias" and alias == trigger["dedup_key"]

    said = lab.json.dumps(receivers["slack"].requests)
    assert "is refused AI calls" in said and release in said.replace("\\u0027", "'") and "https://wiki.example/" in said
    assert receivers["teams"].requests[0][1]["attachments"][0]["content"]["type"] == "AdaptiveCard"
    texts = [body for _, body, _ in receivers["json"].requests]
    assert any(body["do"].startswith(release) and "of 0.05" in body["cost"] for body in texts), texts

    sender, to, mail, auth = plain.mails[0]
    assert "<aigress@lab.example>" in sender and [word.split("<")[1].split(">")[0] for word in to] == \
        ["ops@lab.example", "boss@lab.example"] and auth is None
    told = [email.message_from_bytes(one[2]) for one in plain.mails]
    assert told[0]["From"] == "aigress@lab.example" and told[0]["To"] == "ops@lab.example, boss@lab.example"
    assert told[0]["Subject"].startswith("[aigress] ") and told[0]["Auto-Submitted"] == "auto-generated"
    bodies = [part.get_payload(decode=True).decode() for one in told for part in one.walk() if not part.is_multipart()]
    assert any(release in body for body in bodies), bodies
    # Signed in only behind TLS that was checked.
    _, _, mail, auth = secret.mails[0]
    assert auth == b"\0aigress\0correct horse" and b"is refused AI calls" in mail
    assert "correct horse" not in daemon.said() and "R0UT1NG" not in daemon.said()


def daemon_path(daemon):
    told = lab.json.loads(daemon.run("explain", "--format", "json").stdout)["actions"]
    return next(row["subject"] for row in told if row["action"] == "refuse").removeprefix("cgroup=")
