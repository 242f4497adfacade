# SPDX-License-Identifier: Apache-2.0
"""Gateways on plain HTTP, named with their ports: the ledger equals the bill, as over TLS."""
import json
import os
import subprocess

import pytest

import drive
import stage as lab
from drive import ANTHROPIC, ANY, CHAT, EMBEDDINGS, RESPONSES
from fake_api import PLAIN_PORT

HOSTS = "".join(f"  - {{ pattern: \"{host}:{PLAIN_PORT}\", like: {like} }}\n"
                for host, like in ((ANTHROPIC[0], "anthropic"), (CHAT[0], "openai")))
CONFIG = f"hosts:\n{HOSTS}attach: never\n"


def plain(api, run, stream=False, **more):
    return drive.job(api, run, stream, base=f"http://{api[0]}:{PLAIN_PORT}", **more)


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    """No probe is placed: all that it knows, it has from packets."""
    directory = tmp_path_factory.mktemp("plain")
    started = lab.Daemon(stage, str(directory), lab.config(directory, CONFIG)).start()
    yield started
    assert started.stop() == 0, started.tail()
    started.must_still_agree()


@pytest.mark.parametrize("kind", ANY)
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES, EMBEDDINGS], ids=lambda api: api[1].split("/")[-1])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_ledger_equals_bill(stage, daemon, kind, api, stream):
    """Three calls, on one connection where the client keeps it."""
    drive.need(kind)
    if stream and api == EMBEDDINGS:
        pytest.skip("embeddings are not streamed")
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, plain(api, run, stream, calls=3), cgroup)
    for row in stage.must_agree(daemon, run, cgroup, 3):
        assert row["source"] == "usage" and row["unpriced_calls"] == 0


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("length", ["known", "chunked", "close"])
def test_encodings_and_lengths(stage, daemon, encoding, length):
    run, cgroup = stage.new_run()
    settings = {"encoding": encoding, "length": length, "answer_bytes": 20000}
    work = plain(ANTHROPIC, run, settings=settings)
    if encoding == "zstd":      # this curl cannot undo it
        work["headers"]["accept-encoding"] = encoding
    drive.make_calls(stage, "curl", work, cgroup)
    stage.must_agree(daemon, run, cgroup, 1)


@pytest.mark.parametrize("cut", [1, 7, 1000])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_awkward_bytes(stage, daemon, cut, stream):
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", plain(ANTHROPIC, run, stream, settings={"cut": cut, "events": 6}), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)


@pytest.mark.parametrize("kind", ["curl", "requests", "aiohttp", "https"])
def test_megabyte_bodies(stage, daemon, tmp_path, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    work = plain(ANTHROPIC, run, settings={"answer_bytes": 1000000}, calls=2)
    drive.megabyte(work, kind, tmp_path)
    drive.make_calls(stage, kind, work, cgroup)
    stage.must_agree(daemon, run, cgroup, 2)


def test_sixty_four_connections_at_once(stage, daemon):
    drive.need("aiohttp")
    run, cgroup = stage.new_run()
    work = plain(ANTHROPIC, run, True, settings={"events": 20, "delay_ms": 2}, calls=64, at_once=True)
    drive.make_calls(stage, "aiohttp", work, cgroup)
    stage.must_agree(daemon, run, cgroup, 64)


def test_a_stream_that_is_left(stage, daemon):
    run, cgroup = stage.new_run()
    work = plain(ANTHROPIC, run, True, settings={"events": 400, "delay_ms": 5}, leave_after=3000)
    drive.make_calls(stage, "http.client", work, cgroup)
    (bill,), (row,) = stage.settle(daemon, run, cgroup, 1)
    assert bill["aborted"] and row["outcome"] == "aborted", row
    assert row["tokens"]["input"] == lab.numbers(bill["tokens"])["input"]


@pytest.fixture
def bad_line(stage):
    """A network namespace behind a line that loses, repeats and swaps packets; and what the server's end is called there."""
    holder = stage.guests.start(["unshare", "--net", "sleep", "infinity"])
    lab.wait(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 10)
    line = stage.guests.start([lab.PYTHON, os.path.join(lab.HERE, "wire.py"), str(holder.pid), "10.97.0.1", "10.97.0.2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert line.stdout.readline() == "ready\n"
    return ["nsenter", f"--net=/proc/{holder.pid}/ns/net"], "10.97.0.1"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_loss_and_disorder(stage, daemon, bad_line, stream):
    run, cgroup = stage.new_run()
    settings = {"answer_bytes": 300000, "events": 300}
    work = plain(ANTHROPIC, run, stream, settings=settings, calls=5)
    enter, address = bad_line
    argv = drive.command("curl", work)
    argv[1:1] = ["--connect-to", f"{ANTHROPIC[0]}:{PLAIN_PORT}:{address}:{PLAIN_PORT}"]
    child = stage.client([*enter, *argv], cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    assert drive.statuses(out) == [200] * 5, err
    stage.must_agree(daemon, run, cgroup, 5)


def test_a_server_on_that_port_is_not_charged(stage, daemon):
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", plain(CHAT, run), cgroup)
    stage.must_agree(daemon, run, cgroup, 1)
    assert daemon.calls(stage.server_cgroup) == []


def test_others_at_that_port_are_left_alone(stage, daemon):
    """A name that was not given, at the same port."""
    run, cgroup = stage.new_run()
    work = plain(("bystander.test", "/v1/messages"), run, body=drive.body(ANTHROPIC), calls=3)
    drive.make_calls(stage, "curl", work, cgroup)
    drive.make_calls(stage, "curl", plain(ANTHROPIC, run), cgroup)
    rows = stage.must_agree(daemon, run, cgroup, 1)
    assert [row["host"] for row in rows] == [ANTHROPIC[0]]


def test_another_name_at_a_known_address(stage, new_daemon):
    """What the node's resolver says of an address counts, whatever a head says."""
    daemon = new_daemon(CONFIG + "resolve: true\n", where="inside").start()
    run, cgroup = stage.new_run()
    work = plain(ANTHROPIC, run, headers={"host": "innocent.test"}, settings={"front": ANTHROPIC[0]})
    drive.make_calls(stage, "curl", work, cgroup)
    stage.must_agree(daemon, run, cgroup, 1)


def test_a_connection_that_is_older(stage, new_daemon):
    """One that is kept, and at rest when the daemon starts, is read from its next request on."""
    run, cgroup = stage.new_run()
    client = stage.client(drive.command("http.client", plain(CHAT, run, calls=3, step=True)), cgroup,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    drive.next_done(client)
    daemon = new_daemon(CONFIG).start()
    for _ in range(2):
        drive.go_on(client)
        drive.next_done(client)
    lab.wait(lambda: len(daemon.calls(cgroup)) == 2, 20, daemon.tail)
    drive.go_on(client)
    client.wait(10)
    bill = stage.api.bill(run)[1:]
    assert lab.difference(bill, daemon.calls(cgroup)) == ([], [])


BUDGET = CONFIG + """
enforce: true
budgets:
  - name: plain
    match: { cgroup: "CGROUP" }
    limit: 0.2 USD
    window: 24h
    steps: [ { at: 100%, do: DO } ]
"""


def spend(stage, cgroup, run):
    """Fifty calls on one kept connection, at 0.05 USD each."""
    return stage.client(drive.command("http.client", plain(ANTHROPIC, run, calls=50)), cgroup,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_refusal_holds(stage, new_daemon):
    """A kept connection is reset, and a new one does not come about."""
    run, cgroup = stage.new_run()
    new_daemon(BUDGET.replace("CGROUP", cgroup.path).replace("DO", "refuse")).start()
    assert spend(stage, cgroup, run).wait(30) != 0
    before = len(stage.api.bill(run))
    assert 0 < before < 50
    again = stage.client(drive.command("curl", plain(ANTHROPIC, run)), cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    out, err = again.communicate(timeout=30)
    assert again.returncode != 0, (out, err)
    assert len(stage.api.bill(run)) == before


def test_a_pace_holds(stage, new_daemon):
    """Requests wait, on the kept connection as on a new one."""
    run, cgroup = stage.new_run()
    new_daemon(BUDGET.replace("CGROUP", cgroup.path).replace("DO", "pace, to: 0.01 USD/hour")).start()
    client = spend(stage, cgroup, run)
    lab.wait(lambda: stage.api.bill(run), 20)
    before = lab.steady(lambda: len(stage.api.bill(run)), 2)
    again = stage.client(drive.command("curl", plain(ANTHROPIC, run)), cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        again.wait(3)
    assert client.poll() is None
    assert len(stage.api.bill(run)) == before < 50


def test_check_names_candidates(stage, new_daemon):
    """A connection to such a port, until it is named: the port of this one is LiteLLM's."""
    run, cgroup = stage.new_run()
    client = stage.client(drive.command("http.client", plain(CHAT, run, calls=2, step=True)), cgroup,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    drive.next_done(client)

    def candidates(daemon):
        found = json.loads(daemon.run("check", "--json").stdout)["plain_candidates"]
        return [row for row in found if row["port"] == PLAIN_PORT and row["address"].startswith("127.0.0.")]
    daemon = new_daemon("attach: never\n").start()
    (row,) = candidates(daemon)
    assert row["server"] == "LiteLLM" and row["connections"] == 1
    assert f"{row['address']}:{PLAIN_PORT}  the port of LiteLLM" in daemon.run("check").stdout
    daemon.stop()
    assert candidates(new_daemon(CONFIG).start()) == []
    assert client.poll() is None
