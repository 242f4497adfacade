# SPDX-License-Identifier: Apache-2.0
"""WebSockets of real clients: each turn is a call of the bill, and the bytes of the connection cost nothing more."""
import json
import os
import subprocess

import pytest

import drive
import stage as lab

LIVE = "generativelanguage.googleapis.com"
PYTHON = ["websockets", "aiohttp"]
TURNS = 3


def need(kind):
    if kind in PYTHON:
        drive.need("http.client" if kind == "websockets" else kind)
        if subprocess.run([lab.PYTHON, "-c", f"import {kind}"], capture_output=True, check=False).returncode:
            pytest.skip(f"python3-{kind} is not installed")
        return
    if not lab.node():
        pytest.skip("node is not installed")
    if kind == "ws" and not os.path.isdir(os.path.join(drive.CLIENTS, "node_modules", "ws")):
        pytest.skip("npm's ws is not installed (scripts/deps test)")
    if kind == "WebSocket" and subprocess.run(
            [lab.node(), "--experimental-websocket", "-e", "new WebSocket"], capture_output=True,
            check=False).returncode == 9:
        pytest.skip("this node has no WebSocket")


def talk(stage, kind, run, cgroup, path, says, until, host="api.openai.com", **more):
    need(kind)
    settings = more.pop("settings", {})
    work = {"host": host, "path": path, "says": says, "until": until,
            "headers": {"x-fake": drive.fake(**settings), "x-api-key": run}, **more}
    work["headers"] = {name: value for name, value in work["headers"].items() if value}
    if kind in PYTHON:
        argv = [lab.PYTHON, os.path.join(drive.CLIENTS, "websocket.py")]
    else:
        argv = [lab.node(), "--experimental-websocket", os.path.join(drive.CLIENTS, "websocket.mjs")]
    child = stage.client([*argv, kind, json.dumps(work)], cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    assert out == "done\n", err


def asks(n=TURNS, **more):
    """What Codex sends: a warm-up, then its turns."""
    ask = {"type": "response.create", "model": "gpt-5.4", "input": drive.SAY}
    return [{**ask, "generate": False, **more}, *[{**ask, **more}] * n]


@pytest.mark.parametrize("kind", [*PYTHON, "ws", "WebSocket", "http2"])
@pytest.mark.parametrize("deflate", ["", "keep", "reset"], ids=["plain", "deflate", "reset"])
def test_responses(stage, daemon, kind, deflate):
    if kind == "http2" and deflate:
        pytest.skip("Node's http2 does not compress messages")
    run, cgroup = stage.new_run()
    talk(stage, kind, run, cgroup, "/v1/responses", asks(), "response.completed",
         compress=bool(deflate), settings={"deflate": deflate} if deflate == "reset" else {})
    stage.must_agree(daemon, run, cgroup, TURNS)


@pytest.mark.parametrize("kind", PYTHON)
def test_fragments_and_pings(stage, daemon, kind):
    run, cgroup = stage.new_run()
    talk(stage, kind, run, cgroup, "/v1/responses", asks(), "response.completed",
         settings={"fragment": 50})
    stage.must_agree(daemon, run, cgroup, TURNS)


@pytest.mark.parametrize("kind", [*PYTHON, "ws", "http2"])
def test_realtime(stage, daemon, kind):
    """60 pieces of speech of 48 kB: the bill is 0.081 USD a turn, and what was heard beside it."""
    run, cgroup = stage.new_run()
    says = [{"type": "input_audio_buffer.append", "audio": "AAAA" * 12000},
            {"type": "response.create"}]
    talk(stage, kind, run, cgroup, "/v1/realtime?model=gpt-realtime", says[1:], "response.done")
    rows = stage.must_agree(daemon, run, cgroup, 2)
    assert {row["model"]: row["cost_usd"] for row in rows}["gpt-realtime"] == "0.081000"


@pytest.mark.parametrize("kind", [*PYTHON, "ws"])
def test_gemini_live(stage, daemon, kind):
    run, cgroup = stage.new_run()
    turn = {"clientContent": {"turns": [{"parts": [{"text": "Hi"}]}], "turnComplete": True}}
    talk(stage, kind, run, cgroup,
         "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
         [{"setup": {"model": "models/gemini-3.1-flash-live-preview"}}, turn, turn],
         "omplete\": ", host=LIVE)
    stage.must_agree(daemon, run, cgroup, 2)


def test_a_refused_websocket_is_no_call(stage, daemon):
    run, cgroup = stage.new_run()
    argv = ["curl", "-sS", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}", "-H",
            "connection: upgrade", "-H", "upgrade: websocket", "-H", "x-fake: refuse=1", "-H",
            f"x-api-key: {run}", "https://api.openai.com/v1/responses"]
    done = stage.client(argv, cgroup, stdout=subprocess.PIPE, text=True)
    assert done.communicate(timeout=20)[0] == "404"
    drive.make_calls(stage, "curl", drive.job(drive.RESPONSES, run), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)


def test_a_message_of_any_length_takes_no_memory(stage, daemon):
    """64 MB in one message: its text is counted as it passes."""
    def resident():
        with open(f"/proc/{daemon.child.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

    run, cgroup = stage.new_run()
    before = resident()
    talk(stage, "websockets", run, cgroup, "/v1/responses", asks(1)[1:], "response.completed",
         large=64 << 20)
    stage.must_agree(daemon, run, cgroup, 1)
    assert resident() - before < 20 << 10
