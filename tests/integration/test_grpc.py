# SPDX-License-Identifier: Apache-2.0
"""Gemini and Vertex over gRPC, called by python3-grpcio: the ledger must equal the bill."""
import json
import os
import subprocess

import pytest

import drive
import pb
import stage as lab

HOSTS = {pb.Gemini: "generativelanguage.googleapis.com", pb.Vertex: "aiplatform.googleapis.com"}
METHODS = ["GenerateContent", "StreamGenerateContent"]


def call(stage, run, cgroup, api, method, settings=None, asked=drive.SAY, **more):
    file = os.path.join(stage.directory, f"{run}.request")
    with open(file, "wb") as out:
        out.write(api.request("gemini-2.5-flash", asked))
    work = {"host": HOSTS[api], "method": api.SERVICE + method,
            "request": file,
            "metadata": {"x-api-key": run, "x-fake": drive.fake(**(settings or {}))}, **more}
    done = subprocess.run([lab.PYTHON, os.path.join(drive.CLIENTS, "grpc_client.py"), json.dumps(work)],
                          env=stage.environment, preexec_fn=cgroup.enter, timeout=60, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return drive.statuses(done.stdout)


@pytest.mark.parametrize("api", HOSTS, ids=lambda api: api.__name__)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_ledger_equals_bill(stage, daemon, api, method, packed):
    run, cgroup = stage.new_run()
    settings = {"encoding": "gzip"} if packed else {"cut": 700}
    assert call(stage, run, cgroup, api, method, settings, calls=3, gzip=packed) == [200] * 3
    for row in stage.must_agree(daemon, run, cgroup, 3):
        assert row["provider"] == ("gcp.gemini" if api is pb.Gemini else "gcp.vertex_ai")
        assert row["unpriced_calls"] == 0
    assert {row["client"].split("/")[0] for row in lab.within(daemon.report("cgroup,client"), cgroup)} == {"grpc-python"}


@pytest.mark.parametrize("api", HOSTS, ids=lambda api: api.__name__)
@pytest.mark.parametrize("status, code", [(429, 8), (503, 14), (400, 3)])
def test_an_error_is_free(stage, daemon, api, status, code):
    run, cgroup = stage.new_run()
    assert call(stage, run, cgroup, api, "GenerateContent", {"status": status}) == [code]
    (row,) = stage.must_agree(daemon, run, cgroup, 1)
    assert row["source"] == "free" and row["outcome"] == "error"


def test_a_long_prompt_and_a_long_answer(stage, daemon):
    run, cgroup = stage.new_run()
    settings = {"answer_bytes": 900000, "cut": 16000}
    assert call(stage, run, cgroup, pb.Gemini, "GenerateContent", settings, asked="word " * 200000) == [200]
    stage.must_agree(daemon, run, cgroup, 1)


def test_who_leaves_a_stream_keeps_what_was_told(stage, daemon):
    """Each message has the counts so far, so the last one that was read is what the call cost until then."""
    run, cgroup = stage.new_run()
    call(stage, run, cgroup, pb.Vertex, "StreamGenerateContent", {"events": 30, "delay_ms": 50}, leave_after=5)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert bill["aborted"] and row["outcome"] == "aborted" and row["source"] == "partial"
    tokens = lab.numbers(row["tokens"])
    assert tokens["input"] == bill["tokens"]["input"]
    assert 0 < tokens["output"] <= bill["tokens"]["output"]
