# SPDX-License-Identifier: Apache-2.0
"""Real clients, real TLS: the ledger must equal the bill, token by token and nano by nano."""
import json
import os
import subprocess

import pytest

import drive
import stage as lab
from drive import ANTHROPIC, ANY, CHAT, EMBEDDINGS, RESPONSES

CALLS = 3   # each on the same connection where the client keeps one


def apis_of(kind):
    if kind == "openai":
        return [CHAT, RESPONSES, EMBEDDINGS]
    if kind == "anthropic":
        return [ANTHROPIC]
    return [ANTHROPIC, CHAT, RESPONSES, EMBEDDINGS]


def cases():
    for kind in [*ANY, "openai", "anthropic"]:
        for api in apis_of(kind):
            for stream in (False, True):
                if not (stream and api == EMBEDDINGS):
                    name = f"{kind}-{api[1].split('/')[-1]}-{'stream' if stream else 'json'}"
                    yield pytest.param(kind, api, stream, id=name)


@pytest.mark.parametrize("kind, api, stream", cases())
def test_ledger_equals_bill(stage, daemon, kind, api, stream):
    drive.need(kind)
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, drive.job(api, run, stream, calls=CALLS), cgroup)
    for row in stage.must_agree(daemon, run, cgroup, CALLS):
        assert row["provider"] == ("anthropic" if api == ANTHROPIC else "openai")
        assert row["unpriced_calls"] == 0


def encodings():
    for kind in [*ANY, "openai", "anthropic"]:
        for encoding in ("identity", "gzip", "deflate", "br", "zstd"):
            if encoding == "zstd" and kind not in ANY:
                continue    # Node 20's fetch, and so the SDKs, cannot undo it
            yield pytest.param(kind, encoding, id=f"{kind}-{encoding}")


@pytest.mark.parametrize("kind, encoding", encodings())
def test_encodings(stage, daemon, kind, encoding):
    drive.need(kind)
    run, cgroup = stage.new_run()
    api = CHAT if kind == "openai" else ANTHROPIC
    # Not every client can decode what it is given: a raw read is a read, too.
    settings = {"encoding": encoding, "answer_bytes": 20000}
    work = drive.job(api, run, settings=settings, calls=2)
    more = []
    if kind == "curl" and encoding in ("identity", "zstd"):
        work["headers"]["accept-encoding"] = encoding
    argv = drive.command(kind, work) + more
    done = subprocess.run(argv, env=stage.environment, preexec_fn=cgroup.enter, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert drive.statuses(done.stdout), done.stderr
    calls = len(drive.statuses(done.stdout))
    stage.must_agree(daemon, run, cgroup, calls)


@pytest.mark.parametrize("length", ["known", "chunked", "close"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_awkward_bytes(stage, daemon, length, stream, cut):
    run, cgroup = stage.new_run()
    settings = {"length": length, "cut": cut, "events": 6}
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, stream, settings=settings), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)


@pytest.mark.parametrize("kind", [*ANY, "openai", "anthropic"])
@pytest.mark.parametrize("status", [400, 429, 529])
def test_errors_cost_nothing(stage, daemon, kind, status):
    drive.need(kind)
    run, cgroup = stage.new_run()
    api = CHAT if kind == "openai" else ANTHROPIC
    work = drive.job(api, run, settings={"status": status}, calls=2)
    drive.make_calls(stage, kind, work, cgroup, expect=[status, status])
    for row in stage.must_agree(daemon, run, cgroup, 2):
        assert row["source"] == "free" and lab.money(row["cost_usd"]) == 0


def test_retries_are_calls_of_their_own(stage, daemon):
    drive.need("openai")
    run, cgroup = stage.new_run()
    work = drive.job(CHAT, run, settings={"status": 429}, retries=2)
    drive.make_calls(stage, "openai", work, cgroup, expect=[429])
    stage.must_agree(daemon, run, cgroup, 3)


@pytest.mark.parametrize("kind", [*ANY[1:], "openai", "anthropic"])
def test_stream_left_half_way(stage, daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    api = CHAT if kind == "openai" else ANTHROPIC
    settings = {"events": 400, "delay_ms": 5}
    work = drive.job(api, run, True, settings=settings, leave_after=3000)
    drive.make_calls(stage, kind, work, cgroup)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert bill["aborted"]
    assert row["outcome"] == "aborted", row
    assert row["source"] == ("text" if api == CHAT else "partial"), row     # chat told no usage yet
    assert row["measured_calls"] == 0 and row["estimated_calls"] == 1
    tokens, told = lab.numbers(bill["tokens"]), row["tokens"]
    if api == ANTHROPIC:    # message_start tells the input side
        for name in ("input", "cache_read", "cache_write"):
            assert told[name] == tokens[name], name
    else:
        assert 0 < told["input"] <= 200
    assert 0 < told["output"] <= 3 * tokens["output"] + 100
    assert lab.money(row["cost_usd"]) > 0


def test_stream_that_ends_with_an_error(stage, daemon):
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, settings={"error_event": 1, "events": 20})
    drive.make_calls(stage, "curl", work, cgroup)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert row["outcome"] == "error" and row["source"] == "partial", row
    assert row["tokens"]["input"] == bill["tokens"]["input"]
    assert 0 < row["tokens"]["output"] <= 3 * bill["tokens"]["output"] + 100


def test_server_that_closes_early(stage, daemon):
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, settings={"leave": 12, "events": 100})
    child = stage.client(drive.command("curl", work), cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    child.communicate(timeout=30)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert bill["aborted"] and row["outcome"] == "aborted", row
    assert row["tokens"]["input"] == bill["tokens"]["input"]


def test_chat_stream_without_usage_is_estimated(stage, daemon):
    run, cgroup = stage.new_run()
    made = drive.body(CHAT, True)
    del made["stream_options"]
    drive.make_calls(stage, "http.client", drive.job(CHAT, run, body=made,
                                                     settings={"events": 100}), cgroup)
    _, (row,) = stage.settle(daemon, run, cgroup, 1)
    assert row["estimated_calls"] == 1 and row["source"] in ("text", "partial"), row
    assert row["tokens"]["input"] > 0 and row["tokens"]["output"] > 0
    assert lab.money(row["cost_usd"]) > 0


@pytest.mark.parametrize("kind", [*ANY, "openai", "anthropic"])
def test_megabyte_bodies(stage, daemon, tmp_path, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    api = CHAT if kind == "openai" else ANTHROPIC
    work = drive.job(api, run, settings={"answer_bytes": 1000000}, calls=2)
    drive.megabyte(work, kind, tmp_path)
    drive.make_calls(stage, kind, work, cgroup)
    stage.must_agree(daemon, run, cgroup, 2)


def test_sixty_four_connections_at_once(stage, daemon):
    drive.need("aiohttp")
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, settings={"events": 20, "delay_ms": 2}, calls=64,
                     at_once=True)
    drive.make_calls(stage, "aiohttp", work, cgroup)
    stage.must_agree(daemon, run, cgroup, 64)


@pytest.mark.parametrize("kind", ["curl", "http.client", "aiohttp", "fetch", "anthropic"])
def test_fifty_calls_on_one_connection(stage, daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, drive.job(ANTHROPIC, run, calls=50), cgroup)
    stage.must_agree(daemon, run, cgroup, 50)


def test_pipelined_requests(stage, daemon):
    """No client of today pipelines, so openssl's own does: five requests, then the answers."""
    run, cgroup = stage.new_run()
    text = json.dumps(drive.body(ANTHROPIC))
    request = (f"POST {ANTHROPIC[1]} HTTP/1.1\r\nhost: {ANTHROPIC[0]}\r\nx-api-key: {run}\r\n"
               f"content-type: application/json\r\ncontent-length: {len(text)}\r\n")
    sent = "".join(request + ("connection: close\r\n" if last else "") + "\r\n" + text
                   for last in (False, False, False, False, True))
    argv = ["openssl", "s_client", "-quiet", "-connect", f"{ANTHROPIC[0]}:443",
            "-servername", ANTHROPIC[0], "-CAfile", stage.ca]
    child = stage.client(argv, cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    out, _ = child.communicate(sent.encode(), timeout=30)
    assert out.count(b"HTTP/1.1 200") == 5
    stage.must_agree(daemon, run, cgroup, 5)


def test_a_mixed_crowd_is_told_apart(stage, daemon):
    """Many clients, each in its cgroup, all at the same time."""
    kinds = [k for k in [*ANY, "anthropic"] if k in ("curl", "http.client") or lab.node()]
    running = []
    for kind in kinds:
        drive.need(kind)
        run, cgroup = stage.new_run()
        work = drive.job(ANTHROPIC, run, True, calls=10)
        running.append((run, cgroup, stage.client(drive.command(kind, work), cgroup,
                                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
    for _, _, child in running:
        child.communicate(timeout=60)
        assert child.returncode == 0
    for run, cgroup, _ in running:
        stage.must_agree(daemon, run, cgroup, 10)


@pytest.mark.parametrize("kind", ["curl", "httpx", "httpx-async"])
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES], ids=lambda api: api[1].split("/")[-1])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_http2(stage, daemon, kind, api, stream):
    drive.need(kind)
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=CALLS, http2=True, settings={"answer_bytes": 200000})
    drive.make_calls(stage, kind, work, cgroup)
    rows = stage.must_agree(daemon, run, cgroup, CALLS)
    assert {row["http"] for row in stage.api.bill(run)} == {"2"}
    assert {row["outcome"] for row in rows} == {"ok"}


def test_http2_answer_ends_with_its_length(stage, daemon):
    """curl goes on, or closes the connection, without waiting for END_STREAM."""
    run, cgroup = stage.new_run()
    work = drive.job(CHAT, run, calls=CALLS, http2=True,
                     settings={"answer_bytes": 20000, "length": "known"})
    drive.make_calls(stage, "curl", work, cgroup)
    rows = stage.must_agree(daemon, run, cgroup, CALLS)
    assert {row["outcome"] for row in rows} == {"ok"}


def test_http2_streams_at_once(stage, daemon):
    """Twenty streams of one connection, whose frames interleave."""
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, calls=20, http2=True, settings={"delay_ms": 1})
    argv = drive.command("curl", work)
    argv[1:1] = ["--parallel", "--parallel-max", "20"]
    done = subprocess.run(argv, env=stage.environment, preexec_fn=cgroup.enter, timeout=60,
                          capture_output=True, text=True, check=False)
    assert drive.statuses(done.stdout) == [200] * 20, done.stderr
    stage.must_agree(daemon, run, cgroup, 20)


def test_bystanders_are_not_in_the_ledger(stage, daemon):
    """A host that is no AI provider, whatever is sent to it."""
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(("bystander.test", "/v1/messages"), run,
                                              body=drive.body(ANTHROPIC), calls=3), cgroup)
    # An AI call that ends later shows that what went before has been dealt with.
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    rows = stage.must_agree(daemon, run, cgroup, 1)
    assert [row["host"] for row in rows] == [ANTHROPIC[0]]


def test_servers_are_not_charged(stage, daemon, tmp_path):
    """A gateway on this host receives AI calls: its callers reach it by an AI host's name."""
    run, cgroup = stage.new_run()
    _, gateway = stage.new_run("gateway")
    server = stage.client([lab.PYTHON, os.path.join(drive.CLIENTS, "server.py"), stage.directory,
                           "8443"], gateway, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    work = drive.job(ANTHROPIC, run, calls=3)
    argv = [a.replace(ANTHROPIC[0], f"{ANTHROPIC[0]}:8443") if a.startswith("https://") else a
            for a in drive.command("curl", work)]
    argv[1:1] = ["--connect-to", f"{ANTHROPIC[0]}:8443:127.0.0.1:8443"]
    done = subprocess.run(argv, env=stage.environment, preexec_fn=cgroup.enter, timeout=30,
                          capture_output=True, text=True, check=False)
    assert drive.statuses(done.stdout) == [200, 200, 200], done.stderr
    # And one to the fake API, whose process receives such calls in every test.
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    lab.wait(lambda: len(daemon.calls(cgroup)) >= 4, 20, lambda: daemon.calls(cgroup))
    assert len(daemon.calls(cgroup)) == 4
    assert daemon.calls(gateway) == []
    assert daemon.calls(stage.server_cgroup) == []


def test_unknown_model_is_unpriced_and_flagged(stage, daemon):
    run, cgroup = stage.new_run()
    made = drive.body(ANTHROPIC, model="claude-tomorrow-9")
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, body=made), cgroup)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert row["unpriced_calls"] == 1 and row["measured_calls"] == 1
    assert row["tokens"] == {**row["tokens"], **lab.numbers(bill["tokens"])}
