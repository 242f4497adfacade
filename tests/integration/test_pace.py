# SPDX-License-Identifier: Apache-2.0
"""Who is paced goes on, at the rate; what waits is let go, turned away or lost with nobody's money."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time

import pytest

import container
import drive
import stage as lab
from drive import ANTHROPIC, CHAT
from spending import actions, spent

LOOP = os.path.join(drive.CLIENTS, "loop.mjs")
HEALTH = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\\n")
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""


def rules(cgroup, steps, limit="0.02 USD"):
    return f"""attach: everyone
enforce: true
budgets:
  - name: lab
    match: {{ cgroup: "{cgroup.path}" }}
    per: cgroup
    limit: {limit}
    steps: [ {steps} ]
"""


def gates(daemon):
    """What stands, as `top` and `explain` know it."""
    return {row["action"]: row for row in daemon.fact("gates") or []}


class Health:
    """A program that answers, asked all the while."""

    def __init__(self, child):
        self.child = child
        self.answers, self.failures, self.is_over = 0, [], False
        lab.wait(self.ask, 20)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ask(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 8099, timeout=10)
            connection.request("GET", "/health")
            return connection.getresponse().read() == b"ok\n"
        except OSError:
            return False

    def run(self):
        while not self.is_over:
            if self.ask():
                self.answers += 1
            else:
                self.failures.append(time.monotonic())
            time.sleep(0.02)

    def end(self):
        self.is_over = True
        self.thread.join()
        return self.answers, self.failures


def lines(out):
    with open(out.name, encoding="utf-8") as file:
        return file.read().splitlines()


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_loop_is_paced_then_refused_then_killed(stage, new_daemon, containers, tmp_path, kind):
    """
    The official SDK in a container, whose first process is healthy all the while. The loop's
    program is called kubelet there, which must not save it.
    """
    drive.need(kind)
    run, _ = stage.new_run()
    steps = ("{ at: 100%, do: pace, to: 72 USD/hour }, { at: 300%, do: refuse }, "
             "{ at: 300%, do: kill, target: process, grace: 3s }")
    binds = container.everything(stage, drive.CLIENTS)
    binds["/opt/kubelet"] = os.path.realpath(lab.node())
    box = container.Container(stage, tmp_path, run, [lab.PYTHON, "-c", HEALTH], binds)
    containers.append(box)
    daemon = new_daemon(rules(box, steps, "0.05 USD")).start()
    health = Health(box.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    try:
        with open(tmp_path / "out", "w+", encoding="utf-8") as out:
            child = box.enter(["/opt/kubelet", LOOP, kind, run], stdout=out, stderr=out)
        lab.wait(lambda: "pace" in gates(daemon), 30, daemon.tail)
        began, before = time.monotonic(), spent(daemon, box)
        lab.wait(lambda: gates(daemon).get("pace", {}).get("held", 0) > 0, 30, daemon.tail)
        lab.wait(lambda: any(a["action"] == "refuse" for a in actions(daemon)), 60, daemon.tail)
        seconds, paid = time.monotonic() - began, float(spent(daemon, box) - before)
        # 0.02 USD a second; the call that crossed the first line must be earned back, the last is on top
        assert paid < 0.02 * seconds * 1.05 + 0.05, (paid, seconds)
        lab.wait(lambda: any(line.startswith("error") for line in lines(out)), 20, daemon.tail)
        lab.wait(lambda: child.poll() is not None, 20, daemon.tail)
        assert child.returncode == 128 + signal.SIGKILL, child.returncode    # as `runc exec` tells it
    finally:
        answers, failures = health.end()
    assert answers > 20 and not failures, (answers, failures)
    assert health.child.poll() is None
    said = lines(out)
    errors = [i for i, line in enumerate(said) if line.startswith("error")]
    assert "done" not in said[errors[0]:], said     # it worked until it was refused, and then no more
    assert "deaf" in said
    done = [(a["action"], a["result"]) for a in actions(daemon)]
    assert any(a == "pace" and r.startswith("done") for a, r in done), done
    assert ("refuse", "done") in done, done
    (kill,) = [a for a in actions(daemon) if a["result"].startswith("done: SIGTERM")]
    assert kill["target"].startswith("process "), kill


def test_the_rate_is_kept(stage, new_daemon, tell):
    """Eight clients at once, for ten seconds; the bench does it for three."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, "{ at: 100%, do: pace, to: 360 USD/hour }", "0.01 USD")).start()
    work = drive.job(CHAT, run, calls=100000)
    for _ in range(8):
        stage.client(drive.command("http.client", work), cgroup, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    lab.wait(lambda: gates(daemon).get("pace", {}).get("held", 0) > 20, 60, daemon.tail)
    began, before = time.monotonic(), spent(daemon, cgroup)
    lab.wait(lambda: time.monotonic() > began + 10, 20)
    paid, seconds = float(spent(daemon, cgroup) - before), time.monotonic() - began
    tell(f"paid {paid:.4f} USD in {seconds:.1f} s at 0.1 USD/s: {paid / seconds / 0.1:.2f} of the rate")
    assert 0.7 < paid / seconds / 0.1 < 1.3
    n = len(stage.api.bill(run))
    daemon.run("override", "open", "lab", "--for", "10m", "--reason", "enough")
    lab.wait(lambda: len(stage.api.bill(run)) > n + 200, 30, daemon.tail)
    assert any(a["result"].startswith("ended: what ordered it no longer does (")
               for a in actions(daemon)), actions(daemon)


def held_request(stage, daemon, run, cgroup, kind="http.client", **more):
    """A client whose second call waits at a gate that will not open for hours."""
    work = drive.job(ANTHROPIC, run, calls=2, step=True, **more)
    child = stage.client(drive.command(kind, work), cgroup, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    drive.next_done(child)
    lab.wait(lambda: "pace" in gates(daemon) and stage.api.bill(run), 30, daemon.tail)
    drive.go_on(child)
    lab.wait(lambda: gates(daemon).get("pace", {}).get("held", 0) > 0, 30, daemon.tail)
    return child


def slow_rules(cgroup):
    """
    Whoever has made one call waits: any answer costs more than the limit, and the next one's credit is earned in an
    hour. What a request is estimated to cost while it is sent does not count, or the first might wait itself.
    """
    text = rules(cgroup, "{ at: 100%, do: pace, to: 0.000000001 USD/hour }", "0.0002 USD")
    return text.replace("    per: cgroup\n", "    per: cgroup\n    estimates: none\n")


@pytest.mark.parametrize("kind", ["http.client", "fetch", "anthropic"])
def test_what_waits_goes_on_with_its_connection(stage, new_daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    daemon = new_daemon(slow_rules(cgroup)).start()
    child = held_request(stage, daemon, run, cgroup, kind)
    assert len(stage.api.bill(run)) == 1
    daemon.run("override", "open", "lab", "--for", "10m")
    drive.next_done(child)
    drive.go_on(child)
    assert child.wait(20) == 0
    first, second = stage.api.bill(run)
    assert first["peer"] == second["peer"]      # the same connection


def test_what_waits_goes_on_when_the_daemon_is_killed_or_stopped(stage, new_daemon):
    for number in signal.SIGKILL, signal.SIGTERM:
        run, cgroup = stage.new_run()
        daemon = new_daemon(slow_rules(cgroup)).start()
        child = held_request(stage, daemon, run, cgroup)
        assert len(stage.api.bill(run)) == 1, f"{gates(daemon)}\n{stage.api.bill(run)}\n{daemon.tail()}"
        daemon.stop(number)
        drive.next_done(child)
        drive.go_on(child)
        assert child.wait(60) == 0


def test_a_pace_ends_with_its_lease_where_the_programs_stay(stage, new_daemon, pins):  # noqa: F811
    """A held refusal outlives the daemon; a pace would let nobody go."""
    run, cgroup = stage.new_run()
    daemon = new_daemon(slow_rules(cgroup) + "on-daemon-loss: hold\n").start()
    held_request(stage, daemon, run, cgroup).kill()
    daemon.stop(signal.SIGKILL)
    assert pins()
    began = time.monotonic()
    work = drive.job(ANTHROPIC, run)
    lab.wait(lambda: subprocess.run(drive.curl(work, "--max-time", "1"), env=stage.environment, check=False,
                                    preexec_fn=cgroup.enter, capture_output=True).returncode == 0, 20)
    assert time.monotonic() - began < 13


HTTP2_KINDS = ["curl", "httpx", "httpx-async", "http2"]
SHAPES = {
    "short": {},
    "stream": {"stream": True, "settings": {"events": 60}},
    "upload": {"expand": 4000},     # 200 kB: beyond HTTP/2's first window
}


def test_requests_of_http2_are_told_apart(stage, new_daemon, tell):
    """
    How many requests the kernel sees of those that real clients make one after the other on one connection:
    neither their window updates, settings and pings nor the parts of an upload are taken for some. A
    connection's preface may be, where it leaves by itself.
    """
    n_calls = 10
    run, cgroup = stage.new_run()
    daemon = new_daemon(rules(cgroup, "{ at: 100%, do: pace, to: 1000000 USD/hour }", "0.000001 USD")).start()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    lab.wait(lambda: "pace" in gates(daemon), 20, daemon.tail)

    def seen():
        """Requests let go, when the daemon has told twice the same."""
        while True:
            before = gates(daemon)["pace"]["let_go"]
            time.sleep(1.2)
            if gates(daemon)["pace"]["let_go"] == before:
                return before

    told, before = {}, seen()
    for kind in HTTP2_KINDS:
        if kind == "http2" and not lab.node():
            tell("node is not installed: its client is left out")
            continue
        connections = 0
        for shape, more in SHAPES.items():
            if kind == "curl" and shape == "upload":
                continue    # its body is an argument, which has no room for it
            work = drive.job(ANTHROPIC, run, calls=n_calls, http2=True, **more)
            drive.make_calls(stage, kind, work, cgroup)
            assert {row["http"] for row in stage.api.bill(run)[-n_calls:]} == {"2"}
            connections += 1
        now = seen()
        told[kind], before = (now - before, connections), now
    tell("HTTP/2 requests seen: " + ", ".join(f"{kind} {n} of {n_calls * connections}"
                                              for kind, (n, connections) in told.items()))
    assert all(n_calls * c <= n <= (n_calls + 1) * c for n, c in told.values()), told


def test_one_who_gives_up_buys_nothing(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(slow_rules(cgroup)).start()
    child = held_request(stage, daemon, run, cgroup)
    child.kill()
    child.wait()
    daemon.run("override", "open", "lab", "--for", "10m")
    lab.wait(lambda: "pace" not in gates(daemon), 20, daemon.tail)
    other = drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    assert other == [200]
    assert len(stage.api.bill(run)) == 2    # the first, and the last
    costs_what_was_billed(stage, daemon, run, cgroup, 3)


def costs_what_was_billed(stage, daemon, run, cgroup, n_calls):
    """The ledger's sum is the bill's, and of so many calls only those that were billed are no gifts."""
    lab.wait(lambda: len(daemon.calls(cgroup)) >= n_calls, 20, daemon.tail)
    time.sleep(1.5)     # what nobody read is settled a second after its connection has ended
    calls, bill = daemon.calls(cgroup), stage.api.bill(run)
    assert len(calls) == n_calls, lab.shown(calls)
    assert sum(row["source"] == "free" for row in calls) == n_calls - len(bill), lab.shown(calls)
    assert sum(lab.money(row["cost_usd"]) for row in calls) == \
        sum(lab.money(row["cost_usd"]) for row in bill), lab.shown(calls)


@pytest.mark.parametrize("kind, more, end", [
    ("http.client", {}, "killed"), ("http.client", {}, "refused"), ("httpx", {}, "refused"),
    ("httpx", {"http2": True}, "killed"), ("httpx", {"http2": True}, "refused"),
    ("fetch", {}, "killed"), ("fetch", {}, "refused"), ("fetch", {"expand": 8000}, "refused"), ("anthropic", {}, "refused")])
def test_what_never_left_costs_nothing(stage, new_daemon, kind, more, end):
    drive.need(kind)
    run, cgroup = stage.new_run()
    daemon = new_daemon(slow_rules(cgroup)).start()
    child = held_request(stage, daemon, run, cgroup, kind, **more)
    if end == "killed":
        child.kill()
    else:
        daemon.run("override", "hold", "lab", "--for", "10m")
    child.communicate(timeout=60)
    assert len(stage.api.bill(run)) == 1
    costs_what_was_billed(stage, daemon, run, cgroup, 2)


def test_a_restart_paces_on(stage, new_daemon):
    run, cgroup = stage.new_run()
    daemon = new_daemon(slow_rules(cgroup)).start()
    held_request(stage, daemon, run, cgroup).kill()
    assert daemon.stop() == 0
    daemon.start()
    assert "pace" in gates(daemon)
    work = drive.job(ANTHROPIC, run)
    before = len(stage.api.bill(run))
    child = stage.client(drive.command("curl", work), cgroup, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    lab.wait(lambda: gates(daemon).get("pace", {}).get("held", 0) > 0, 30, daemon.tail)
    assert len(stage.api.bill(run)) == before
    child.kill()


def is_slow(stage, run):
    """It makes fewer than ten calls in two seconds."""
    before = len(stage.api.bill(run))
    time.sleep(2)
    return len(stage.api.bill(run)) - before < 10


@pytest.mark.parametrize("step", ["pace, to: 36 USD/hour", "refuse"])
def test_a_restart_meets_a_fast_client_on_its_old_connection(stage, new_daemon, step):
    """
    Thousands of requests a second on a connection that is older than the daemon: it shows all the plaintext that may be
    shown before a daemon that starts has looked at it, and sends many records before they are noted.
    """
    run, cgroup = stage.new_run()
    text = rules(cgroup, "{ at: 100%, do: pace, to: 36 USD/hour }")
    daemon = new_daemon(text).start()
    child = stage.client(drive.command("http.client", drive.job(ANTHROPIC, run, calls=200000)), cgroup,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait(lambda: gates(daemon).get("pace", {}).get("held", 0) > 0, 30, daemon.tail)
    daemon.stop(signal.SIGKILL)
    lab.wait(lambda: len(stage.api.bill(run)) > 500, 20, "calls without a daemon")
    lab.rewrite(daemon, text.replace("pace, to: 36 USD/hour", step))
    daemon.start()
    lab.wait(lambda: is_slow(stage, run), 20, daemon.tail)
    assert (child.poll() is None) == step.startswith("pace")


def test_rehearsal_paces_nobody(stage, new_daemon):
    run, cgroup = stage.new_run()
    text = slow_rules(cgroup).replace("enforce: true", "enforce: false")
    daemon = new_daemon(text).start()
    assert drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=5), cgroup)
    lab.wait(lambda: actions(daemon), 20, daemon.tail)
    assert json.dumps(gates(daemon)) == "{}"
    assert actions(daemon)[0]["rehearsed"]
