# SPDX-License-Identifier: Apache-2.0
"""What the daemon serves, and to whom; hostile peers; the numbers are the ledger's."""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest

import drive
import stage as lab
import watch
from drive import ANTHROPIC, CHAT

OPEN = "application/openmetrics-text; version=1.0.0"
OWN = "gpt-4.1-nano"     # no other test's model: histograms know no cgroup
ROUTES = ["/", "/status.js", "/status.css", "/icon.svg", "/metrics", "/healthz", "/readyz",
          "/api/status.json", "/api/timeline.json", "/caller.js"]


@pytest.fixture
def serving(new_daemon):
    """A daemon inside the test's own network, whose loopback nobody else uses: (daemon, port)."""
    def make(more="", keys=""):
        port = watch.free_port()
        text = f"attach: everyone\nserve: {{ listen: '127.0.0.1:{port}'{keys} }}\n{more}"
        return new_daemon(text, where="inside").start(), port
    return make


@pytest.mark.alone
def test_the_sums_are_the_ledgers(stage, serving):
    daemon, port = serving("budgets:\n  - { name: all, per: match, limit: 50 USD, steps: [ { at: 100%, do: note } ] }\n")
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=4), cgroup)
    drive.make_calls(stage, "http.client", drive.job(
        CHAT, run, body=drive.body(CHAT, stream=True, model=OWN), calls=3), cgroup)
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, body=drive.body(ANTHROPIC, model="unheard-of")), cgroup)
    stage.settle(daemon, run, cgroup, 8)
    watch.scrape(port)      # every counter begins at 0
    rows = [row for row in daemon.report("cgroup,model") if row["cgroup"] == cgroup.path]
    spent = float(sum(lab.money(row["cost_usd"]) for row in rows if row["cost_usd"]))
    assert spent > 0

    def agree():
        _, text = watch.scrape(port)
        return abs(watch.total(text, "aigress_spend_usd_total", cgroup=cgroup.path) - spent) < 1e-9
    lab.wait(agree, 30, lambda: (spent, watch.scrape(port)[1]))
    _, text = watch.scrape(port)
    for kind, column in (("input", "input"), ("cache_read", "cache_read"), ("output", "output")):
        assert watch.total(text, "aigress_tokens_total", cgroup=cgroup.path, type=kind) == \
            sum(row["tokens"][column] if "tokens" in row else row[column] for row in rows)
    assert watch.total(text, "aigress_calls_total", cgroup=cgroup.path) == 8
    assert watch.total(text, "aigress_unpriced_calls_total", model="unheard-of") == 1
    assert watch.total(text, "aigress_call_duration_seconds_count", model=OWN) == 3
    assert watch.total(text, "aigress_call_first_token_seconds_count", model=OWN) == 3
    assert watch.total(text, "aigress_budget_used_usd", budget="all") >= spent
    assert watch.total(text, "aigress_ledger_writable") == 1
    report = json.loads(daemon.run("report", "--since", "this-month", "--format", "json").stdout)
    month = report["forecast"]["month"]

    def months_agree():
        told = watch.status(port)["forecast"]["month"]
        assert watch.total(watch.scrape(port)[1], "aigress_period_spend_usd", period="month",
                           sum="priced") == pytest.approx(float(month["spent_usd"]))
        return told == month
    assert float(month["spent_usd"]) >= spent and months_agree()
    told = watch.status(port)
    mine = [row for row in told["spenders"] if cgroup.path in row["detail"]]
    assert len(mine) == 1 and float(mine[0]["day"]) == pytest.approx(spent, abs=1e-9)
    # A restart begins counters at 0; the page goes on from the ledger.
    daemon.stop()
    daemon.start()
    _, text = watch.scrape(port)
    assert watch.total(text, "aigress_node_spend_usd_total") == 0
    assert months_agree()
    mine = [row for row in watch.status(port)["spenders"] if cgroup.path in row["detail"]]
    assert len(mine) == 1 and float(mine[0]["day"]) == pytest.approx(spent, abs=1e-9)
    code, _, text = watch.ask(port, "/api/caller.json?who=" + urllib.parse.quote(mine[0]["who"]))
    caller = json.loads(text)
    assert code == 200 and caller["who"] == mine[0]["who"] and len(caller["calls"]) == 8
    assert float(caller["day"]["cost_usd"]) == pytest.approx(spent, abs=1e-9)
    assert watch.ask(port, "/api/caller.json?who=nobody")[0] == 404
    hours = json.loads(watch.ask(port, "/api/timeline.json")[2])["hours"]["priced"]
    assert len(hours) == 720 and sum(hours) / 1e6 == pytest.approx(spent, abs=720e-6)


@pytest.mark.alone
def test_a_connection_met_in_its_middle_is_let_go_of(stage, serving):
    """Its server is probed as well, and lives on: what is ignored there ends with the connection, too."""
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, stream=True, calls=20, settings={"events": 10, "delay_ms": 30})
    child = stage.client(drive.command("http.client", work), cgroup, stdout=subprocess.PIPE, text=True)
    drive.next_done(child)
    _, port = serving()
    lab.wait(lambda: watch.total(watch.scrape(port)[1], "aigress_connections"), 20)
    assert child.wait(30) == 0
    lab.wait(lambda: not watch.total(watch.scrape(port)[1], "aigress_connections"), 20,
             lambda: [line for line in watch.scrape(port)[1].splitlines() if "aigress_connections" in line])


def test_both_formats_are_right(serving, tmp_path):
    promtool = watch.need("promtool")
    daemon, port = serving()
    invoice = tmp_path / "invoice.csv"
    invoice.write_text(f"day,provider,model,cost\n{time.strftime('%Y-%m-%d', time.gmtime(time.time() - 86400))},"
                       "OpenAI,gpt-4o,12.5\n")
    daemon.run("reconcile", "--invoice", str(invoice), "--keep")       # beside the daemon
    headers, text = watch.scrape(port)
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for what in ("billed", "never-seen"):
        assert watch.total(text, "aigress_reconciled_usd", what=what) == 12.5
    headers, text = watch.scrape(port, accept=OPEN)
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert text.endswith("\n# EOF\n")


def test_only_reading_and_only_by_its_own_name(serving):
    _, port = serving()
    for path in ROUTES:
        code, headers, body = watch.ask(port, path)
        assert code == 200 and body, path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["connection"] == "close"
        code, headers, body = watch.ask(port, path, method="HEAD")
        assert code == 200 and not body, path
        for method in "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW":
            code, headers, _ = watch.ask(port, path, method=method)
            assert code == 405 and headers["allow"] == "GET, HEAD", (method, path)
    for path in ("/metrics", "/api/status.json"):
        assert watch.ask(port, path, headers={"Host": "evil.example"})[0] == 421
        assert watch.ask(port, path, headers={"Host": "localhost"})[0] == 200
    for path in ("/../etc/passwd", "/metrics/", "/%2e%2e/", "/status.html", "//"):
        assert watch.ask(port, path)[0] in (400, 404), path
    for raw in (b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
                b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\n" + b"H: v\r\n" * 20000 + b"\r\n",
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        assert watch.ask(port, "", raw=raw, seconds=20)[0] in (0, 400, 404, 405, 413, 414, 431, 505), raw[:60]
    assert watch.ask(port, "/healthz") [0] == 200


def test_the_token_opens(serving, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-s3cret-s3cret\n")
    daemon, port = serving(keys=f", token-file: {token}")
    bearer = {"Authorization": "Bearer s3cret-s3cret-s3cret"}
    for path in ("/metrics", "/api/status.json"):
        code, headers, _ = watch.ask(port, path)
        assert code == 401 and headers["www-authenticate"] == "Bearer"
        assert watch.ask(port, path, headers={"Authorization": "Bearer s3cret-s3cret-s3creT"})[0] == 401
        assert watch.ask(port, path, headers=bearer)[0] == 200
        assert watch.ask(port, path, headers={**bearer, "Host": "aigress.monitoring.svc"})[0] == 200
    for path in ("/", "/status.js", "/healthz", "/readyz"):
        assert watch.ask(port, path)[0] == 200
    assert "s3cret" not in daemon.said()
    # Other rules, while it runs.
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(f"serve: {{ listen: '0.0.0.0:{port}', public-metrics: true }}\n")
    daemon.child.send_signal(signal.SIGHUP)
    lab.wait(lambda: watch.ask(port, "/metrics")[0] == 200, 10, daemon.tail)
    assert watch.ask(port, "/api/status.json", headers=bearer)[0] == 403


def test_slow_peers_hold_neither_the_meter_nor_the_others(stage, serving):
    """More connections than there is room for, that drip: calls are measured, and whoever asks is answered."""
    daemon, port = serving()
    peers = []
    for _ in range(48):
        peer = socket.create_connection(("127.0.0.1", port), 5)
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ")
        peers.append(peer)
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=5), cgroup)
    stage.must_agree(daemon, run, cgroup, 5)

    # The kubelet is answered at once, each time, whoever else comes and says nothing.
    for _ in range(20):
        peers.append(socket.create_connection(("127.0.0.1", port), 5))
        assert watch.ask(port, "/healthz", seconds=2)[0] == 200
    # Who asked before and is slow to read goes only when nobody else is left to go.
    reader = socket.create_connection(("127.0.0.1", port), 5)
    reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.recv(10) == b"HTTP/1.1 2"
    for _ in range(40):
        peers.append(socket.create_connection(("127.0.0.1", port), 5))
    assert watch.ask(port, "/healthz", seconds=2)[0] == 200
    text = b""
    while piece := reader.recv(65536):
        text += piece
    assert b"aigress_ledger_writable" in text
    for peer in [*peers, reader]:
        peer.close()


def test_readyz_says_why_not(stage, serving):
    """The ledger's file system fills up: a tmpfs of a test's own."""
    daemon, port = serving()
    assert watch.ask(port, "/readyz") == (200, watch.ask(port, "/readyz")[1], b"ok\n")

    def probe(path="/readyz"):
        return daemon.run("check", "--url", f"http://127.0.0.1:{port}{path}", check=False)
    assert probe().returncode == 0 and ": 200 after " in probe().stdout
    daemon.stop()
    assert probe().returncode == 1 and "aigress check: http://127.0.0.1:" in probe().stderr
    os.makedirs(daemon.state, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", daemon.state], check=True)
    try:
        daemon.start()
        assert watch.ask(port, "/readyz")[0] == 200
        with open(os.path.join(daemon.state, "ballast"), "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass
        run, cgroup = stage.new_run()
        drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=3), cgroup)

        def refused():
            code, _, body = watch.ask(port, "/readyz")
            return code == 503 and b"ledger cannot be written" in body
        lab.wait(refused, 30, lambda: watch.ask(port, "/readyz"))
        assert probe().returncode == 1 and "503: the ledger cannot be written" in probe().stderr, probe().stderr
        assert watch.ask(port, "/healthz")[0] == 200
        assert watch.total(watch.scrape(port)[1], "aigress_ledger_writable") == 0
        os.unlink(os.path.join(daemon.state, "ballast"))
        lab.wait(lambda: watch.ask(port, "/readyz")[0] == 200, 30, daemon.tail)
    finally:
        daemon.stop()
        subprocess.run(["umount", "-l", daemon.state], check=True)


def test_a_taken_port_is_tried_again(serving, new_daemon):
    first, port = serving()
    second = new_daemon(f"attach: never\nserve: {{ listen: '127.0.0.1:{port}' }}\n", where="inside")
    second.state += "-2"
    second.log = os.path.join(second.state, "run.log")
    second.start()
    assert "not served" in second.said()
    first.stop()
    lab.wait(lambda: "are served now" in second.said(), 30, second.tail)
    assert watch.ask(port, "/healthz")[0] == 200
