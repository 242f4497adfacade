# SPDX-License-Identifier: Apache-2.0
"""The clients: how each is started, and whether it is here."""
import copy
import glob
import json
import os
import shutil
import subprocess
import time

import pytest

import stage

CLIENTS = os.path.join(stage.ROOT, "tests", "integration", "clients")
# What scripts/clients put there.
RELEASED = os.environ.get("AIGRESS_CLIENTS", "/var/cache/aigress-clients")
PYTHON_KINDS = ["http.client", "requests", "httpx", "httpx-async", "aiohttp"]
NODE_KINDS = ["fetch", "https", "openai", "anthropic"]
ANY = ["curl", *PYTHON_KINDS, "fetch", "https"]      # these make any call; an SDK only its own

ANTHROPIC = ("api.anthropic.com", "/v1/messages")
CHAT = ("api.openai.com", "/v1/chat/completions")
RESPONSES = ("api.openai.com", "/v1/responses")
EMBEDDINGS = ("api.openai.com", "/v1/embeddings")

MODELS = {ANTHROPIC: "claude-sonnet-5", CHAT: "gpt-4o-mini", RESPONSES: "gpt-5.4",
          EMBEDDINGS: "text-embedding-3-small"}
SAY = "Count to ten, \"slowly\"; größer, 計測 🙂."


def body(api, stream=False, **more):
    made = {"model": MODELS[api]}
    if api in (RESPONSES, EMBEDDINGS):
        made["input"] = SAY
    else:
        made["messages"] = [{"role": "user", "content": SAY}]
    if api == ANTHROPIC:
        made["max_tokens"] = 1000
    if stream:
        made["stream"] = True
        if api == CHAT:
            made["stream_options"] = {"include_usage": True}
    made.update(more)
    return made


def fake(**settings):
    return ",".join(f"{k}={v}" for k, v in settings.items())


def job(api, run, stream=False, headers=None, settings=None, **more):
    host, path = api
    head = {"x-fake": fake(**(settings or {})), "x-api-key": run, **(headers or {})}
    head = {name: value for name, value in head.items() if value}
    return {"host": host, "path": path, "run": run, "headers": head,
            "body": more.pop("body", None) or body(api, stream), **more}


def megabyte(work, kind, directory):
    """Makes a job's request one of 1 MiB: by a file for curl (it asks 100-continue of such a body), else in the client."""
    words = "spend \"less\"\n größer 計測 " * 300
    times = (1 << 20) // len(words.encode()) + 1
    if kind == "curl":
        large = copy.deepcopy(work["body"])
        large["messages"][0]["content"] = words * times
        file = directory / "body.json"
        file.write_text(json.dumps(large), encoding="utf-8")
        work["data"] = f"@{file}"
    else:
        work["body"]["messages"][0]["content"] = words
        work["expand"] = times


def released(name, path, mode=os.X_OK):
    """A file of a released program; skips the test, and says why, where the program is not on this host."""
    file = os.path.join(RELEASED, name, "package", path)
    if not os.access(file, mode):
        pytest.skip(f"{name} is not in {RELEASED} (scripts/clients)")
    return file


def need(kind):
    """Skips the test, and says why, where a client is not on this host."""
    if kind == "curl":
        missing = None if shutil.which("curl") else "curl is not installed"
    elif kind in PYTHON_KINDS:
        module = kind.replace("-async", "")
        found = subprocess.run([stage.PYTHON, "-c", f"import {module}"], check=False,
                               capture_output=True).returncode == 0
        missing = None if found else f"python3-{module} is not installed"
    else:
        missing = None if stage.node() else "node is not installed"
        if not missing and kind in ("openai", "anthropic"):
            package = "openai" if kind == "openai" else "@anthropic-ai/sdk"
            if not os.path.isdir(os.path.join(CLIENTS, "node_modules", package)):
                missing = f"npm's {package} is not installed (scripts/deps test)"
    if missing:
        pytest.skip(missing)


def command(kind, work):
    if kind == "curl":
        return curl(work)
    if kind in PYTHON_KINDS:
        return [stage.PYTHON, os.path.join(CLIENTS, "python.py"), kind, json.dumps(work)]
    return [stage.node(), os.path.join(CLIENTS, "node.mjs"), kind, json.dumps(work)]


def curl(work, *more):
    argv = ["curl", "-sS", "--http2" if work.get("http2") else "--http1.1", "--no-buffer", "-w", "done %{http_code} %{size_download}\n",
            "-H", "content-type: application/json", "--data-binary", work.get("data") or json.dumps(work["body"])]
    for name, value in work["headers"].items():
        argv += ["-H", f"{name}: {value}"]
    if "accept-encoding" not in {n.lower() for n in work["headers"]}:
        argv.append("--compressed")
    argv += more
    for _ in range(work.get("calls", 1)):
        argv += ["-o", "/dev/null", f"{work.get('base') or 'https://' + work['host']}{work['path']}"]
    return argv


def statuses(text):
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith("done ")]


def make_calls(the_stage, kind, work, cgroup, seconds=60, expect=None):
    """Runs a client to its end; its answers' statuses."""
    child = the_stage.client(command(kind, work), cgroup, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=seconds)
    got = statuses(out)
    assert child.returncode == 0, f"{kind}: {child.returncode}\n{err}"
    assert got == (expect or [200] * work.get("calls", 1)), err
    return got


# Clients that go step by step (step=True).

def next_done(child):
    line = child.stdout.readline()
    assert line.startswith("done "), line + child.stderr.read()


def go_on(child):
    child.stdin.write("\n")
    child.stdin.flush()


def step_until_exact(the_stage, daemon, child, run, cgroup, n_calls):
    """
    Lets a client call until a call is measured; stands after it. Returns how many were not: a file
    never seen before and a process just greeted race their probes.
    """
    def is_exact(bill):
        return not stage.difference([bill], daemon.calls(cgroup))[0]

    def settled(done):
        """The call is in the ledger, or has had a second to come."""
        bills = the_stage.api.bill(run)
        return len(bills) >= done and (is_exact(bills[-1]) or time.monotonic() > patience)

    for done in range(1, n_calls + 1):
        next_done(child)
        patience = time.monotonic() + 1
        stage.wait(lambda done=done: settled(done), 20)
        if is_exact(the_stage.api.bill(run)[-1]):
            return done - 1
        go_on(child)
    raise AssertionError(f"none of {n_calls} calls was measured:\n{daemon.tail()}")


def copy_of_libssl(directory):
    """A TLS library file of its own, as a container or a virtual environment has."""
    for name in ("libssl.so.3", "libcrypto.so.3"):
        found = glob.glob(f"/usr/lib/*/{name}")
        if not found:
            pytest.skip("no OpenSSL 3 on this host")
        shutil.copy(found[0], directory)
    return {"LD_LIBRARY_PATH": str(directory)}
