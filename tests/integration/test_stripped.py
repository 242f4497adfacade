# SPDX-License-Identifier: Apache-2.0
"""
Programs whose TLS code has no symbols: found by what it leaves behind, and read as exactly as a library. The
real ones are in a folder of their own (scripts/clients puts them there); what is not there is skipped.
"""
import json
import os
import subprocess

import pytest

import drive
import stage as lab
from drive import ANTHROPIC, CHAT, RESPONSES

CLIENTS = os.environ.get("AIGRESS_CLIENTS", "/var/cache/aigress-clients")
BUN = ["bun-1.0.0", "bun-1.1.45", "bun-1.3.0", "bun-1.4.5"]
DENO = ["deno-2.4.4", "deno-2.9.6"]


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    """As it is installed: a program is probed when it greets an AI host, and its first call waits for that."""
    directory = tmp_path_factory.mktemp("daemon")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: on-sight\n")).start()
    yield started
    assert started.stop() == 0, started.said()
    started.must_still_agree()


def binary(name, path):
    file = os.path.join(CLIENTS, name, "package", path)
    if not os.access(file, os.X_OK):
        pytest.skip(f"{name} is not in {CLIENTS} (scripts/clients)")
    return file


def make_calls(stage, argv, cgroup, calls, **options):
    done = subprocess.run(argv, env=dict(stage.environment, **options), preexec_fn=cgroup.enter,
                          timeout=90, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert drive.statuses(done.stdout) == [200] * calls, done.stdout + done.stderr


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
@pytest.mark.parametrize("name", BUN)
def test_bun(stage, daemon, name, api, stream):
    bun = binary(name, "bin/bun")
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=3)
    argv = [bun, os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]
    make_calls(stage, argv, cgroup, 3, NODE_TLS_REJECT_UNAUTHORIZED="0")
    stage.must_agree(daemon, run, cgroup, 3)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
@pytest.mark.parametrize("name", DENO)
def test_deno(stage, daemon, name, api, stream):
    deno = binary(name, "deno")
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=3)
    argv = [deno, "run", "-A", "--no-remote", f"--cert={stage.ca}",
            os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]
    make_calls(stage, argv, cgroup, 3, DENO_NO_UPDATE_CHECK="1", DENO_DIR=stage.directory + "/deno")
    stage.must_agree(daemon, run, cgroup, 3)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("h2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("flags", ["", "-ldflags=-s -w", "-buildmode=pie", "-race"], ids=["plain", "stripped", "pie", "race"])
def test_go(stage, daemon, tmp_path_factory, flags, h2, stream):
    directory = str(tmp_path_factory.getbasetemp())
    program = os.path.join(directory, "goclient" + flags.replace(" ", ""))
    if not os.path.exists(program):
        subprocess.run(["go", "build", *([flags] if flags else []), "-o", program, "client.go"], cwd=drive.CLIENTS,
                       check=True, env=dict(os.environ, GOFLAGS="-mod=mod", GO111MODULE="off",
                                            HOME=directory, GOCACHE=directory + "/gocache"))
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, stream, calls=3)
    work["http2"] = h2
    make_calls(stage, [program, json.dumps(work)], cgroup, 3)
    stage.must_agree(daemon, run, cgroup, 3)
