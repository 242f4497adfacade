# SPDX-License-Identifier: Apache-2.0
"""What watches aigress in the tests: plain HTTP, Prometheus, a browser; and whether they are here."""
import json
import os
import re
import shutil
import socket
import subprocess
import urllib.parse

import pytest

import stage as lab

CHROMIUM = shutil.which("chromium")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need(program):
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed (scripts/deps test)")
    return found


def ask(port, path, method="GET", headers=None, raw=None, seconds=10):
    """(status, headers, body) of one request, over a bare socket: what is sent is what is meant."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in
             {"Host": f"127.0.0.1:{port}", "Connection": "close", **(headers or {})}.items() if v is not None)]
    with socket.create_connection(("127.0.0.1", port), seconds) as peer:
        peer.settimeout(seconds)
        try:
            peer.sendall(raw if raw is not None else ("\r\n".join(lines) + "\r\n\r\n").encode())
            data = b""
            while piece := peer.recv(65536):
                data += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    if not data:
        return 0, {}, b""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunk(body)
    return int(first.split()[1]), headers, body


def unchunk(body):
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        n = int(size, 16)
        if not n:
            return whole
        whole, body = whole + body[:n], body[n + 2:]
    raise AssertionError("the answer was cut")


def status(port, **more):
    return json.loads(ask(port, "/api/status.json", **more)[2])


SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """[(name, labels, value)] of an exposition."""
    found = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        found.append((name, dict(LABEL.findall(labels or "")), float(value)))
    return found


def scrape(port, accept=None, **more):
    code, headers, body = ask(port, "/metrics", headers={"Accept": accept}, **more)
    assert code == 200, body
    return headers, body.decode()


def total(text, name, **labels):
    return sum(value for n, has, value in samples(text)
               if n == name and all(has.get(k) == v for k, v in labels.items()))


class Prometheus:
    """Debian's, scraping one target each second, with the alert rules loaded."""

    def __init__(self, stage, directory, target):
        self.port = free_port()
        self.log = os.path.join(directory, "prometheus.log")
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [ {lab.ROOT}/deploy/prometheus/aigress.rules.yaml ]
scrape_configs:
  - job_name: aigress
    honor_labels: true
    static_configs: [ {{ targets: [ "127.0.0.1:{target}" ] }} ]
""")
        with open(self.log, "w", encoding="utf-8") as log:
            self.child = stage.children.start(
                [need("prometheus"), f"--config.file={config}",
                 f"--storage.tsdb.path={directory}/tsdb",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        lab.wait(self.is_up, 60, lambda: "Prometheus: " + open(self.log, encoding="utf-8").read()[-3000:])

    def is_up(self):
        try:
            return ask(self.port, "/-/ready", seconds=2)[0] == 200
        except OSError:
            return False

    def api(self, path, **query):
        code, _, body = ask(self.port, f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
        told = json.loads(body)
        assert code == 200 and told["status"] == "success", told
        return told["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def value(self, expression):
        rows = self.query(expression)
        return float(rows[0]["value"][1]) if rows else None

    def stop(self):
        self.child.terminate()
        self.child.wait(20)


def browse(url, directory, *more, wait_ms=8000):
    """Headless Chromium with a fresh profile; its standard output, and what it logged."""
    need("chromium")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={directory}",
         f"--virtual-time-budget={wait_ms}", *more, url],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, done.stderr
