# SPDX-License-Identifier: Apache-2.0
"""QUIC to AI hosts, by a real client and server: seen, counted, charged by size, and gated."""
import json
import subprocess

import pytest

import drive
import stage as lab
from h3 import ANSWERED, ASKED, ask

AI, OTHER = lab.HOSTS[0], lab.HOSTS[2]


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    directory = tmp_path_factory.mktemp("quic")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: on-sight\n")).start()
    yield started
    assert started.stop() == 0, started.tail()


def test_quic_is_seen_counted_and_charged_by_size(stage, servers, daemon, tmp_path, tell):
    _, cgroup = stage.new_run()
    child, got = ask(stage, tmp_path, AI, cgroup)
    assert got == ANSWERED
    rows = lab.wait(lambda: daemon.calls(cgroup), 20, daemon.tail)
    told = [sum(row[name] for row in rows) for name in ("request_bytes", "response_bytes")]
    tell(f"QUIC: bytes out {told[0] / ASKED - 1:+.2%} in {told[1] / ANSWERED - 1:+.2%}")
    assert len(rows) == 1, lab.shown(rows)
    row = rows[0]
    assert row["source"] == "size" and row["host"] == AI and int(row["pid"]) == child.pid, row
    assert row["command"] == "gtlsclient" and row["cgroup"] == cgroup.path, row
    assert told[0] == pytest.approx(ASKED, rel=0.1) and told[1] == pytest.approx(ANSWERED, rel=0.1)
    report = json.loads(daemon.run("check", "--json", check=False).stdout)
    seen = [each for each in report["coverage"] if each["pid"] == child.pid]
    assert [each["why"] for each in seen] == ["quic"], seen
    text = daemon.run("check", check=False).stdout
    assert any(str(child.pid) in line and "QUIC" in line for line in text.splitlines()), text


def test_quic_to_others_is_left_alone(stage, servers, daemon, tmp_path):
    run, cgroup = stage.new_run()
    assert ask(stage, tmp_path, OTHER, cgroup)[1] == ANSWERED
    # A later call of another shows that this one's end has been dealt with.
    other = stage.cgroup(f"{run}-later")
    drive.make_calls(stage, "curl", drive.job(drive.ANTHROPIC, run), other)
    lab.wait(lambda: daemon.calls(other), 20, daemon.tail)
    assert not daemon.calls(cgroup), lab.shown(daemon.calls(cgroup))


def test_quic_stops_at_a_shut_gate(stage, servers, new_daemon, tmp_path):
    """Its name alone tells that it is an AI host's: nobody has greeted there before."""
    run, cgroup = stage.new_run()
    daemon = new_daemon("attach: everyone\nenforce: true\nbudgets:\n"
                        f"  - name: none\n    match: {{ cgroup: {cgroup.path} }}\n    per: cgroup\n"
                        "    limit: 0.000001 USD\n    window: day\n"
                        "    steps: [ { at: 100%, do: refuse } ]\n").start()
    # The call that spends it all may be cut itself.
    stage.client(drive.curl(drive.job(drive.CHAT, run)), cgroup, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).wait(30)
    lab.wait(lambda: refused(stage, cgroup), 20, daemon.tail)
    assert ask(stage, tmp_path, AI, cgroup)[1] == 0
    # another cgroup is not touched
    _, other = stage.new_run()
    assert ask(stage, tmp_path, AI, other)[1] == ANSWERED


def refused(stage, cgroup):
    """Is the gate shut? A call by TCP says so."""
    done = subprocess.run(["curl", "-sS", "-m", "3", "-o", "/dev/null", f"https://{lab.HOSTS[1]}/"],
                          env=stage.environment, preexec_fn=cgroup.enter, capture_output=True,
                          check=False)
    return done.returncode != 0
