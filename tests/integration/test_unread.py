# SPDX-License-Identifier: Apache-2.0
"""Below TLS: whoever talks to an AI host is in the ledger, with its bytes, once."""
import json
import os
import random
import signal
import subprocess
import time

import pytest

import corpus
import drive
import stage as lab
import unread
from drive import ANTHROPIC, CHAT

WORDS = "spend what you must, \"and\" no more\n größer 計測 "


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    directory = tmp_path_factory.mktemp("daemon")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: on-sight\n")).start()
    yield started
    assert started.stop() == 0, started.tail()


@pytest.fixture(scope="module")
def clients(stage, tmp_path_factory):
    return unread.Unread(tmp_path_factory.mktemp("clients"), stage.ca)


@pytest.fixture(scope="module")
def untaught(stage, tmp_path_factory):
    """A daemon that reads nobody and so has measured nothing: its estimates rest on constants."""
    directory = tmp_path_factory.mktemp("untaught")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: never\n")).start()
    yield started
    assert started.stop() == 0, started.tail()


def texts(api, run, stream, seed, calls=2, encoding="identity"):
    """A prompt of 8 to 45 kB whose tokens are known, an answer of 2 to 12 kB or a stream of 1 to 3 kB."""
    rng = random.Random(seed)
    answer = rng.randint(1000, 3000) if stream else rng.randint(2000, 12000)
    settings = {"text": "corpus", "answer_bytes": answer, "encoding": encoding}
    work = drive.job(api, run, stream, calls=calls, settings=settings)
    work["body"]["messages"][0]["content"] = corpus.draw(rng, rng.randint(8000, 45000))
    return work


# What offers gzip, as Bun and Go do unless they are told not to, gets it.
ENCODINGS = {"go": "gzip", "bun": "gzip"}


def big(api, run, stream, calls=2, kilobytes=200, **more):
    settings = {"encoding": "identity", "events": 2500, "answer_bytes": kilobytes << 10, **more}
    work = drive.job(api, run, stream, calls=calls, settings=settings)
    work["body"]["messages"][0]["content"] = WORDS
    work["expand"] = (kilobytes << 10) // len(WORDS.encode()) + 1
    return work


def run_unread(stage, clients, kind, work, cgroup):
    child = stage.client(clients.command(kind, work), cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, f"{kind}: {child.returncode}\n{out}{err}"
    return child.pid


def all_flows_ended(stage, daemon, run, cgroup, n_calls, command=None):
    """Bill and rows (of one command) once what was charged has reached what the server saw, or has stood still."""
    lab.wait(lambda: len(stage.api.bill(run)) >= n_calls, 20, lambda: stage.api.bill(run))
    bill = stage.api.bill(run)

    def is_there():
        rows = [row for row in daemon.calls(cgroup) if command in (None, row["command"])]
        return rows and min(unread.errors(bill, rows)) > -0.02 and rows
    return bill, lab.wait(is_there, 10, lambda: f"{unread.sent(bill)}: {lab.shown(daemon.calls(cgroup))}")


UNREAD = [*((kind, *what) for kind in unread.KINDS for what in ((ANTHROPIC, False), (CHAT, True))),
          ("wget", ANTHROPIC, True), ("wget", CHAT, False)]


@pytest.mark.parametrize("kind, api, stream", UNREAD)
def test_unread_tls_is_seen_and_charged(stage, untaught, clients, tell, kind, api, stream):
    """Its bytes are exact, and its tokens are no further off than the row says."""
    clients.need(kind)
    daemon = untaught
    run, cgroup = stage.new_run()
    work = texts(api, run, stream, f"{kind} {stream} {api}", encoding=ENCODINGS.get(kind, "identity"))
    pid = run_unread(stage, clients, kind, work, cgroup)
    bill, rows = all_flows_ended(stage, daemon, run, cgroup, 2)
    out, back = unread.errors(bill, rows)
    tokens = [unread.Tokens(name, bill, rows) for name in ("input", "output")]
    tell(f"{kind:6} {api[0]:17} {'stream' if stream else 'json':6} bytes out {out:+.2%} in {back:+.2%}, "
         f"tokens {tokens[0]}, {tokens[1]}")
    # 512 bytes: session tickets that come later than the others'.
    for told, true in zip(unread.charged(rows), unread.sent(bill)):
        assert abs(told - true) <= 0.02 * true + 512, f"{unread.sent(bill)}: {lab.shown(rows)}"
    for each in tokens:
        # 150 tokens a request: where answers are short, and HTTP/2's preface counts as one, that is as much.
        assert each.is_covered() and each.error < 1.25 * each.told, f"{each}: {lab.shown(rows)}"
    for row in rows:
        assert row["source"] == "size" and row["estimated_calls"] and not row["measured_calls"], row
        assert row["host"] == api[0] and row["cgroup"] == cgroup.path and int(row["pid"]) == pid, row
        assert row["command"] == unread.COMMANDS[kind], row
        assert row["unpriced_calls"], row   # no model is known: shown apart, dear for budgets


@pytest.mark.parametrize("api, stream", [(ANTHROPIC, False), (CHAT, True)])
def test_measured_calls_teach_the_estimates_of_unread_ones(stage, new_daemon, clients, tell, api, stream):
    """50 calls of curl are measured; then Java's in the same cgroup, which are not, come out much nearer."""
    clients.need("java")
    daemon = new_daemon("attach: on-sight\n").start()
    _, cgroup = stage.new_run()
    for number in range(5):
        run, _ = stage.new_run()
        drive.make_calls(stage, "curl", texts(api, run, stream, f"lesson {number}", calls=11), cgroup)
        lab.wait(lambda run=run: len(stage.api.bill(run)) == 11, 20)

    def lessons():
        return {(row["from"], row["tokens"]): row for row in daemon.fact("estimates") or []
                if row["host"] == api[0] and row["calls"] >= 40 and row["error_permille"] is not None}
    lab.wait(lambda: len(lessons()) == 3, 20, lambda: daemon.fact("estimates"))
    run, _ = stage.new_run()
    run_unread(stage, clients, "java", texts(api, run, stream, "examination", calls=3), cgroup)
    bill, rows = all_flows_ended(stage, daemon, run, cgroup, 3, unread.COMMANDS["java"])
    tokens = [unread.Tokens(name, bill, rows) for name in ("input", "output")]
    tell(f"taught {api[0]:17} {'stream' if stream else 'json':6} tokens {tokens[0]}, {tokens[1]}")
    for each in tokens:
        assert each.is_covered(), f"{each}: {lab.shown(rows)}\n{lessons()}"
    # What is not seen of a JSON answer is whether it is compressed: that no lesson can tell.
    assert tokens[0].is_within(0.2) and (tokens[1].is_within(0.2) or not stream)
    assert "What measured calls taught" in daemon.run("check", check=False).stdout


def test_unread_processes_are_named_in_the_report(stage, daemon, clients):
    """What coverage says of them: nothing read, and whose it was."""
    clients.need("java")
    run, cgroup = stage.new_run()
    run_unread(stage, clients, "java", big(ANTHROPIC, run, False, 1), cgroup)
    all_flows_ended(stage, daemon, run, cgroup, 1)
    users = {row["user"] for row in daemon.report("cgroup,user") if row["cgroup"] == cgroup.path}
    assert users == {"root"}


# --- never twice ---------------------------------------------------------------------------

def coverage(daemon, rows):
    """What `aigress check` says of the process of these rows."""
    pids = {str(row["pid"]) for row in rows}
    text = daemon.run("check", check=False).stdout
    return "\n".join(line for line in text.splitlines() if any(pid in line for pid in pids))


def once(stage, daemon, run, cgroup, n_calls, first=0):
    """
    The calls from `first` on that were measured, and the rows: what was not measured is charged by
    size, all of it and once.
    """
    lab.wait(lambda: len(stage.api.bill(run)) >= n_calls, 20, lambda: stage.api.bill(run))
    bill = stage.api.bill(run)[first:]

    def unmeasured():
        rows = daemon.calls(cgroup)
        left, extra = lab.difference(bill, rows)
        return left, extra, rows

    def is_there():
        """
        Beside calls that were read, what is below the slack of user/flow/reconcile.c is not charged, and
        the call in which the probes came may be read in part.
        """
        left, extra, _ = unmeasured()
        slack = 8192 + sum(unread.sent(bill)) / 50 + max(sum(row["bytes"]) for row in bill)
        slack = 0 if len(left) == len(bill) else slack
        return bool(extra) == bool(left) and sum(unread.charged(extra)) >= 0.98 * sum(unread.sent(left)) - slack

    def brief():
        left, extra, rows = unmeasured()
        return (f"{len(left)} of {len(bill)} calls were not measured, {unread.sent(left)} B; charged "
                f"for them {unread.charged(extra)} B in {len(extra)} of {len(rows)} rows\n"
                f"{coverage(daemon, rows)}")
    lab.wait(is_there, 20, brief)
    left, extra, rows = unmeasured()
    for told, n in zip(unread.charged(extra), unread.sent(left)):
        most = 1.02 * n + HANDSHAKE_BYTES
        assert told <= most, brief()
    assert all(row["estimated_calls"] for row in extra), brief()
    return len(bill) - len(left), rows


HANDSHAKE_BYTES = 8192      # of all connections of a test: what the flow may take for a call


def size_rows(rows):
    return [row for row in rows if row["source"] == "size"]


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("kind", ["curl", "http.client", "aiohttp", "fetch"])
def test_read_tls_is_charged_once(stage, daemon, tell, kind, stream):
    """
    On sight the first calls, a millisecond each here, win the race against the probes and are
    charged by size together; no other is.
    """
    drive.need(kind)
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, stream, calls=CALLS,
                     settings={"answer_bytes": 60 << 10, "events": 60, "encoding": "identity",
                               "delay_ms": 1})
    drive.make_calls(stage, kind, work, cgroup)
    measured, rows = once(stage, daemon, run, cgroup, CALLS)
    tell(f"{kind:12} {'stream' if stream else 'json':6} {measured} of {CALLS} measured, "
         f"{len(size_rows(rows))} rows by size")
    assert measured and len(size_rows(rows)) <= 1, lab.shown(size_rows(rows))


CALLS = 40


def step_client(stage, work, cgroup, env=None):
    return stage.client(drive.command("http.client", work), cgroup, text=True,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        env=env or stage.environment)


def steps(child, n):
    for _ in range(n):
        drive.go_on(child)
        drive.next_done(child)


def end(child):
    drive.go_on(child)
    assert child.wait(20) == 0, child.stderr.read()


@pytest.mark.parametrize("after_s", [0.3, 0.9])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("kind", ["curl", "fetch"])
def test_probes_that_come_late(stage, new_daemon, tell, kind, stream, after_s):
    """The daemon stands still as the client begins: no call is in no row, and none in two."""
    drive.need(kind)
    daemon = new_daemon("attach: on-sight\n").start()
    run, cgroup = stage.new_run()
    # 600 ms a call, so that some come when the daemon goes on: a JSON is one piece, a stream has 60.
    work = drive.job(ANTHROPIC, run, stream, calls=6,
                     settings={"answer_bytes": 60 << 10, "events": 60, "encoding": "identity",
                               "delay_ms": 10 if stream else 600})
    daemon.child.send_signal(signal.SIGSTOP)
    child = stage.client(drive.command(kind, work), cgroup, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    time.sleep(after_s)
    daemon.child.send_signal(signal.SIGCONT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    measured, rows = once(stage, daemon, run, cgroup, 6)
    tell(f"{kind:12} {'stream' if stream else 'json':6} {measured} of 6 measured, "
         f"{len(size_rows(rows))} rows by size")
    assert measured and len(size_rows(rows)) <= 1, lab.shown(size_rows(rows))
    why = {row["why"] for row in daemon.fact("coverage") if row["pid"] == child.pid}
    assert why == ({"late"} if size_rows(rows) else {""})


def test_connection_that_is_older_than_the_daemon(stage, new_daemon):
    run, cgroup = stage.new_run()
    work = big(ANTHROPIC, run, False, calls=5)
    work["step"] = True
    child = step_client(stage, work, cgroup)
    drive.next_done(child)
    daemon = new_daemon("attach: everyone\n").start()
    steps(child, 4)
    end(child)
    measured, rows = once(stage, daemon, run, cgroup, 5, first=1)
    # The first, 270 kB in one write, may outrun the verdict on a connection that nobody named.
    assert measured >= 3 and len(rows) <= 4, lab.shown(rows)


def test_process_that_becomes_read_with_a_new_daemon(stage, new_daemon):
    """One daemon without probes, then one with: the connection goes on under both."""
    run, cgroup = stage.new_run()
    work = big(ANTHROPIC, run, False, calls=4)
    work["step"] = True
    daemon = new_daemon("attach: never\n").start()
    child = step_client(stage, work, cgroup)
    drive.next_done(child)
    steps(child, 1)
    assert daemon.stop() == 0, daemon.tail()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write("attach: everyone\n")
    daemon.start()
    steps(child, 2)
    end(child)
    measured, rows = once(stage, daemon, run, cgroup, 4)
    assert measured == 2 and len(rows) == 3, lab.shown(rows)


def test_process_that_loads_another_library_late(stage, daemon):
    """GnuTLS first; then OpenSSL, in the same process, to the same host."""
    if not unread.has_gnutls_curl():
        pytest.skip("python3-pycurl (with GnuTLS) is not installed")
    run, cgroup = stage.new_run()
    work = big(ANTHROPIC, run, False, calls=2)
    work["step"] = True
    script = ("import sys, json\nwork = json.loads(sys.argv[1])\n"
              f"exec(open({os.path.join(drive.CLIENTS, 'gnutls.py')!r}).read())\ncurl.close()\n"
              "sys.argv = ['x', 'http.client', json.dumps(dict(work, calls=4))]\n"
              f"exec(open({os.path.join(drive.CLIENTS, 'python.py')!r}).read())")
    child = stage.client([lab.PYTHON, "-c", script, json.dumps(work)], cgroup, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    drive.next_done(child)
    steps(child, 5)
    end(child)
    measured, rows = once(stage, daemon, run, cgroup, 6)
    assert measured >= 1, lab.shown(rows)


# --- older than the daemon ------------------------------------------------------------------

def old_client(stage, clients, kind, work, cgroup):
    """A client with a connection on which one call was made, waiting for the next word."""
    if kind in unread.KINDS:
        clients.need(kind)
        argv = clients.command(kind, work)
    else:
        drive.need(kind)
        argv = drive.command(kind, work)
    child = stage.client(argv, cgroup, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=stage.environment)
    drive.next_done(child)
    return child


@pytest.mark.parametrize("kind", ["http.client", "gnutls", "java"])
def test_an_old_connection_is_known_by_its_address(stage, clients, new_daemon, tell, kind):
    """
    Opened before the daemon starts and kept: what flows from then on is charged, by size or, where
    its process can be read, as measured; with its process and host, and nothing of the time before.
    """
    run, cgroup = stage.new_run()
    # Slow, so that the probes go in beside the first call that the daemon sees, and read the others.
    work = big(ANTHROPIC, run, False, calls=4, kilobytes=50, delay_ms=400)
    work["step"] = True
    child = old_client(stage, clients, kind, work, cgroup)
    # Inside: a host's resolver knows the hosts, here by /etc/hosts.
    daemon = new_daemon("attach: on-sight\nresolve: true\n", where="inside").start()
    lab.wait(lambda: "the addresses of the AI hosts" in daemon.said(), 20, daemon.tail)
    steps(child, 3)
    end(child)
    measured, rows = once(stage, daemon, run, cgroup, 4, first=1)
    tell(f"{kind:12} {measured} of 3 measured, {len(size_rows(rows))} rows by size")
    assert rows and all(row["host"] == ANTHROPIC[0] and int(row["pid"]) == child.pid
                        for row in rows), lab.shown(rows)
    if kind == "http.client":
        assert measured, lab.shown(rows)


def test_no_row_is_made_of_an_old_connection_to_somebody_else(stage, new_daemon, clients):
    """The bystander's connection is as old, and its address is no AI host's."""
    run, cgroup = stage.new_run()
    work = big(ANTHROPIC, run, False, calls=3, kilobytes=20)
    work.update(step=True, host=lab.HOSTS[2])
    child = old_client(stage, clients, "http.client", work, cgroup)
    daemon = new_daemon("attach: on-sight\nresolve: true\n", where="inside").start()
    lab.wait(lambda: "the addresses of the AI hosts" in daemon.said(), 20, daemon.tail)
    steps(child, 2)
    end(child)
    # A later call of another shows that the bystander's end has been dealt with.
    run, other = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), other)
    lab.wait(lambda: daemon.calls(other), 20, daemon.tail)
    assert not daemon.calls(cgroup), lab.shown(daemon.calls(cgroup))
