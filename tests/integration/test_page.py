# SPDX-License-Identifier: Apache-2.0
"""
The status page with made-up data of 1,000 callers: is it accessible (axe-core), and what do its controls do? What a daemon
gives it is tested in test_serve and test_watch.
"""
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

import stage as lab

PAGES = {"/": ("status.html", "text/html"), "/status.js": ("status.js", "text/javascript"),
         "/status.css": ("status.css", "text/css"), "/icon.svg": ("icon.svg", "image/svg+xml")}
CLIENTS = pathlib.Path(lab.ROOT) / "tests/integration/clients"


def money(n):
    return f"{n:.6f}"


def sums(n):
    return {"name": f"pod-{n}", "detail": f"namespace shop/{n % 7}", "model": "claude-sonnet-5", "minute": "0", "calls": 5000 - n,
            "five_minutes": money((1000 - n) / 100), "hour": money(n), "day": money(n * 2), "tokens": 1, "estimated": n % 3,
            "unpriced": n % 2, **({"spark": [n % 60] * 60} if n < 100 else {})}


def status():
    now = int(time.time() * 1e6)
    period = {"start": "", "end": "", "spent_usd": "10", "low_usd": "11", "expected_usd": "12", "high_usd": "13"}
    forecast = {"usd_per_hour": "1", "day": period, "month": period}
    budget = {"counter": "match", "window": "day", "reached": "note", "unit": "USD", "used": "5", "limit": "10", "share": 0.5,
              "end_us": now + 7200 * 10**6}
    return {"node": "n", "enforce": True, "trouble": "", "config_error": "", "prices_error": "", "now_us": now, "version": "0",
            "started_us": now, "in_flight": 0, "total": {**sums(1), "spark": list(range(60))},
            "spenders": [sums(n) for n in range(1000)], "more_spenders": 0, "gaps": [{"from_us": now - 9**9, "until_us": now}],
            "gates": [{"action": "refuse", "budget": "b", "counter": "c", "target": "cgroup /x", "who": "shop/web-1 web",
                       "decided_us": now - 10**9, "release": "aigress override open 'c'", "until_us": now + 10**9}],
            "budgets": [{**budget, "budget": "slow"},
                        {**budget, "budget": "fast", "per_hour": "10", "full_us": now + 1800 * 10**6},
                        {**budget, "budget": "over", "share": 1.5, "used": "15"}],
            "more_budgets": 0, "forecast": forecast, "forecast_in_budgets": forecast,
            "actions": [{"time_us": now, "action": "kill", "budget": "b", "counter": "c", "target": "process 1 (x)", "who": "shop/web-1 web", "result": "done",
                         "decided_us": now - 2000, "ended_us": 0, "rehearsed": False, "spent": "1", "limit": "1", "unit": "USD"}],
            "coverage": {"traffic": 100, "measured": 60, "estimated": 30,
                         "processes": [{"command": "python3", "pid": 1, "host": "api.x", "traffic": 10, "measured": 5}]},
            "losses": {"ring": 1}}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/api/status.json":
            body, kind = json.dumps(status()).encode(), "application/json"
        elif self.path in PAGES:
            name, kind = PAGES[self.path]
            body = (pathlib.Path(lab.ROOT) / "user/web" / name).read_bytes()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except BrokenPipeError:
            pass                # the page was closed meanwhile

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module", name="seen")
def _seen():
    for module in ("axe-core", "playwright-core"):
        if not (CLIENTS / "node_modules" / module).exists():
            pytest.skip(f"{module} is not installed (scripts/deps test)")
    if not shutil.which("chromium") or not shutil.which("node"):
        pytest.skip("chromium or node is not installed (scripts/deps test)")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = subprocess.run(["node", str(CLIENTS / "page.mjs"), f"http://127.0.0.1:{server.server_port}/"], capture_output=True,
                          text=True, timeout=180, check=False, env={**os.environ, "HOME": "/tmp"})
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_the_page_is_accessible(seen):
    assert not seen["errors"]
    assert seen["violations"] == {"dark": [], "light": []}
    assert seen["rules"] > 10       # it did look


def test_callers_are_sorted_and_filtered(seen):
    assert seen["first"] == ["pod-0", "pod-1", "pod-2"]
    assert seen["shown"] == seen["cleared"] == 200 and "800 more" in seen["more"]
    assert seen["by_name"] == ["pod-0", "pod-1"] and seen["by_name_down"] == ["pod-999", "pod-998"]
    assert seen["sort"] == ["ascending", None, "none", "none", "none", "none"]
    assert seen["by_calls"] == ["pod-0"]


def test_the_keyboard_is_enough(seen):
    assert seen["focus"] == "filter"
    assert seen["filtered"] == seen["kept"] == ["pod-77"] + [f"pod-77{n}" for n in range(10)]
    assert seen["count"].startswith("11 of 1,000")


def test_budgets_say_where_they_will_be(seen):
    assert seen["budgets"] == ["50 % used", "50 % used, 250 % when its window ends", "150 % used"]
    assert "full in 30 min at this rate" in seen["full"]
