# SPDX-License-Identifier: Apache-2.0
"""Which program called: the executable's name, and what the program says of itself in its User-Agent."""
import os
import re
import subprocess

import pytest

import drive
import stage as lab
from drive import ANTHROPIC, CHAT
from spending import actions

NAMES = {"curl": r"curl/[\d.]+", "requests": r"python-requests/[\d.]+", "httpx": r"python-httpx/[\d.]+",
         "aiohttp": r"Python/3\.\d+", "fetch": r"node|undici", "https": "",
         "openai": r"OpenAI/JS/6\.49\.0", "anthropic": r"Anthropic/JS/1\.12\.0"}


def clients_of(daemon, cgroup):
    rows = lab.within(daemon.report("cgroup,client,command"), cgroup)
    return {row["client"]: row for row in rows}


@pytest.mark.parametrize("kind", NAMES)
def test_what_real_clients_call_themselves(stage, daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, drive.job(ANTHROPIC if kind == "anthropic" else CHAT, run), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)
    (client,) = clients_of(daemon, cgroup)
    assert re.fullmatch(NAMES[kind], client), client


def test_names_that_are_made_up_are_few(stage, daemon):
    """The sums stay those of the bill; what is beyond the tenant's share of names is one row."""
    run, cgroup = stage.new_run()
    for i in range(40):
        work = drive.job(CHAT, run, headers={"user-agent": f"agent-{i}/1.{i} (some words)"})
        drive.make_calls(stage, "curl", work, cgroup)
    stage.must_agree(daemon, run, cgroup, 40)
    rows = clients_of(daemon, cgroup)
    assert len(rows) == 33 and rows["other"]["calls"] == 8 and rows["agent-31/1.31"]["calls"] == 1


def test_a_budget_names_a_client(stage, new_daemon):
    daemon = new_daemon("budgets: [ { name: agents, match: { client: \"claude-cli/*\" }, limit: 0.000001 USD, "
                        "steps: [ { do: note } ] } ]\n").start()
    run, cgroup = stage.new_run()
    for agent in ("codex_cli_rs/0.171.0", "claude-cli/2.1.332 (external, cli)"):
        assert not actions(daemon)
        drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, headers={"user-agent": agent}), cgroup)
        stage.settle(daemon, run, cgroup, 1 if agent.startswith("codex") else 2)
    lab.wait(lambda: actions(daemon), 20, daemon.tail)
    (action,) = actions(daemon)
    assert action["budget"] == "agents"
    call = next(row["call"] for row in daemon.report("call,cgroup,client") if row["client"] == "claude-cli/2.1.332")
    said = daemon.run("explain", "call", str(call)).stdout
    assert re.search(r"client +claude-cli/2\.1\.332\n", said), said


@pytest.mark.parametrize("thread", ["MainThread", "node-MainThread"])
def test_a_program_that_renames_its_first_thread(stage, daemon, thread):
    """As Node 24 and 26 do: the program's name is its executable's."""
    run, cgroup = stage.new_run()
    argv = drive.command("http.client", drive.job(CHAT, run))
    script = (f"import ctypes, sys; ctypes.CDLL(None).prctl(15, b'{thread}', 0, 0, 0); "
              "sys.argv = eval(sys.argv[1]); exec(open(sys.argv[0]).read())")
    done = subprocess.run([lab.PYTHON, "-c", script, repr(argv[1:])], env=stage.environment,
                          preexec_fn=cgroup.enter, timeout=30, capture_output=True, text=True, check=False)
    assert drive.statuses(done.stdout) == [200], done.stderr
    (row,) = stage.must_agree(daemon, run, cgroup, 1)
    assert row["command"] == os.path.basename(os.path.realpath(lab.PYTHON))


@pytest.mark.parametrize("name", ["node-24.22.3", "node-26.12.1"])
def test_node_is_called_node(stage, daemon, name):
    binary = drive.released(name, "bin/node")
    run, cgroup = stage.new_run()
    argv = [binary, *drive.command("fetch", drive.job(CHAT, run, calls=3))[1:]]
    done = subprocess.run(argv, env=stage.environment, preexec_fn=cgroup.enter, timeout=30, capture_output=True,
                          text=True, check=False)
    assert drive.statuses(done.stdout) == [200] * 3, done.stderr
    assert {row["command"] for row in stage.must_agree(daemon, run, cgroup, 3)} == {"node"}
