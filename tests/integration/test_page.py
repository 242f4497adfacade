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
import urllib.parse

import pytest

import stage as lab

PAGES = {"/": ("status.html", "text/html"), "/status.js": ("status.js", "text/javascript"),
         "/caller.js": ("caller.js", "text/javascript"), "/status.css": ("status.css", "text/css"), "/icon.svg": ("icon.svg", "image/svg+xml")}
CLIENTS = pathlib.Path(lab.ROOT) / "tests/integration/clients"


def money(n):
    return f"{n:.6f}"


def sums(n):
    return {"name": f"pod-{n}", "detail": f"namespace shop/{n % 7}", "model": "claude-sonnet-5",
            "who": f"shop/pod-{n} <b>", "program": f"agent-{n % 5}", "day_in_budgets": money(n * 3), "minute": "0", "calls": 5000 - n,
            "five_minutes": money((1000 - n) / 100), "hour": money(n), "day": money(n * 2), "tokens": 1, "estimated": n % 3,
            "unpriced": n % 2, **({"spark": [n % 60] * 60} if n < 100 else {})}


def status():
    now = int(time.time() * 1e6)
    period = {"start": "", "end": "", "spent_usd": "10", "low_usd": "11", "expected_usd": "12", "high_usd": "13"}
    forecast = {"usd_per_hour": "1", "day": period, "month": period}
    budget = {"counter": "match", "window": "day", "reached": "note", "unit": "USD", "used": "5", "limit": "10", "share": 0.5,
              "end_us": now + 7200 * 10**6}
    return {"node": "n", "enforce": True, "trouble": "", "config_error": "", "prices_error": "", "now_us": now, "day_from_us": now - 23 * 3600 * 10**6, "version": "0",
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


def caller(who):
    sums = {"calls": 61, "estimated_calls": 61, "unpriced_calls": 61, "tokens": 9, "cost_usd": None, "in_budgets_usd": "9.34",
            "low_usd": "5.4", "high_usd": "28.9"}
    known = {"cost_usd": "1.5", "in_budgets_usd": "1.5", "model": "claude-sonnet-5", "command": "java", "pid": 7}
    period = {"spent_usd": "9.34", "low_usd": "9.34", "expected_usd": "23.9", "high_usd": "47.8"}
    forecast = {"usd_per_hour": "0.5", "day": period, "month": period}
    return {"who": who, "time": "2026-11-30T08:00:00Z", "hour": {**sums, "calls": 0}, "day": sums, "forecast": forecast,
            "forecast_in_budgets": forecast, "actions": actions(), "rows": [{**known, **sums, "host": "api.x", "client": ""}],
            "calls": [{**known, "call": n, "time": "2026-11-30T07:00:00Z", "status": 0, "source": "size", "count": 61, "tokens": 8}
                      for n in range(20)]}


def actions():
    common = {"budget": "b", "subject": "c", "rehearsed": False, "who": "shop/pod-1", "decided": "2026-11-29T23:59:59.990Z"}
    return [{**common, "time": "2026-11-30T00:00:00Z", "action": "pace", "target": "cgroup /x", "result": "done: 1 USD/hour",
             "until": "2026-12-01T00:00:00Z", "release": "aigress override open 'c'"},
            {**common, "time": "2026-11-29T00:00:00Z", "action": "refuse", "target": "cgroup /x", "result": "done", "until": None,
             "ended": "2026-11-29T01:00:00Z", "because": "the window is over"}]


def timeline():
    hours = [n % 24 * 10000 for n in range(720)]
    start = int(time.time() * 1e6) - 720 * 3600 * 10**6
    return {"from_us": start, "hours": {"priced": hours, "counted": [n * 2 for n in hours]}, "actions": actions(),
            "gaps": [{"from_us": start + 10**11, "until_us": start + 2 * 10**11}]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/api/status.json":
            body, kind = json.dumps(status()).encode(), "application/json"
        elif self.path == "/api/timeline.json":
            body, kind = json.dumps(timeline()).encode(), "application/json"
        elif self.path.startswith("/api/caller.json?who="):
            who = urllib.parse.unquote(self.path.partition("=")[2])
            body, kind = json.dumps(caller(who)).encode(), "application/json"
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
                          text=True, timeout=400, check=False, env={**os.environ, "HOME": "/tmp"})
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_the_page_is_accessible(seen):
    assert not seen["errors"]
    assert seen["violations"] == {name: [] for name in ("dark", "dark, a caller", "light", "light, a caller")}
    assert seen["rules"] > 10       # it did look


def test_callers_are_sorted_and_filtered(seen):
    assert seen["first"] == ["pod-0", "pod-1", "pod-2"]
    assert seen["shown"] == seen["cleared"] == 200 and "800 more" in seen["more"]
    assert seen["by_name"] == ["pod-0", "pod-1"] and seen["by_name_down"] == ["pod-999", "pod-998"]
    assert seen["sort"] == ["ascending", "none", "none", None, "none", "none", "none", "none"]
    assert seen["by_calls"] == ["pod-0"]


def test_the_keyboard_is_enough(seen):
    assert seen["focus"] == "filter"
    assert seen["filtered"] == seen["kept"] == ["pod-77"] + [f"pod-77{n}" for n in range(10)]
    assert seen["count"].startswith("11 of 1,000")


def test_budgets_say_where_they_will_be(seen):
    assert seen["budgets"] == ["50 % used", "50 % used, 250 % when its window ends", "150 % used"]
    assert "full in 30 min at this rate" in seen["full"]


def test_thirty_days_have_their_spend_actions_and_gaps(seen):
    assert seen["timeline"] == {"priced": 1, "counted": 1, "gap": 1, "mark": 2}
    assert seen["timeline_steps"] == 720
    assert "2 actions and 0 notes; 1 gap in which nobody measured" in seen["timeline_label"]


def test_a_click_opens_a_caller(seen):
    assert seen["caller"]["name"] == "shop/pod-0 <b>" and seen["caller"]["focus"] == "caller-name"
    assert "cost not known, 61 calls" in seen["caller"]["spend"] and "(5.40 to 28.90)" in seen["caller"]["spend"]
    assert "this month 9.34 USD, at its end about 23.90" in seen["caller"]["forecast"]
    assert "aigress override open 'c'" in seen["caller"]["actions"] and "because the window is over" in seen["caller"]["actions"]
    assert seen["caller"]["rows"] == 1 and seen["caller"]["calls"] == 20
    assert seen["back"]


def test_a_thousand_callers_are_drawn_without_delay(seen):
    assert seen["draw_ms"] < 200 and seen["filter_ms"] < 2000
