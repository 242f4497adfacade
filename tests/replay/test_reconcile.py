# SPDX-License-Identifier: Apache-2.0
"""
`aigress reconcile` against servers of our own that speak the documented shapes of Anthropic's Usage & Cost API and OpenAI's
organization reports, with pages and errors, and against files. The ledger is made by `aigress replay`, without root.
"""
import csv
import datetime
import decimal
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import bodies                                                   # noqa: E402
from bodies import ANTHROPIC, CHAT, MESSAGES, OPENAI, Case, Exchange, js     # noqa: E402

AIGRESS = os.environ.get("AIGRESS", str(HERE.parent.parent / "build" / "aigress"))
DAY = datetime.datetime(2026, 9, 21, tzinfo=datetime.timezone.utc)     # of the recording's time: bodies.EPOCH_S
KEY = "sk-admin-0123456789"


class Reports(http.server.BaseHTTPRequestHandler):
    """Pages of `reports[path]`; whatever `refusals` holds comes first."""

    def log_message(self, *_args):
        pass

    def send(self, status, body, *headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        server = self.server
        server.asked.append((parts.path, query, dict(self.headers)))
        if KEY not in (self.headers.get("x-api-key", "") + self.headers.get("Authorization", "")):
            self.send(401, {"error": {"message": "no"}})
            return
        if server.refusals:
            self.send(*server.refusals.pop(0))
            return
        pages = server.reports.get(parts.path, [[]])
        at = int(query["page"][0].split("=")[1]) if "page" in query else 0
        more = at + 1 < len(pages)
        self.send(200, {"data": pages[at], "has_more": more, "next_page": f"page_/+={at + 1}" if more else None})


@pytest.fixture(name="api")
def _api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reports)
    server.reports, server.refusals, server.asked = {}, [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(name="key")
def _key(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    return str(file)


@pytest.fixture(scope="module", name="state")
def _state(tmp_path_factory):
    """Two calls of Haiku, one of GPT-4o mini with usage and one without, in a project."""
    claude = js({"type": "message", "model": "claude-haiku-4-5-20251001", "content": [{"type": "text"}],
                 "usage": {"input_tokens": 500000, "output_tokens": 100000}})
    mini = js({"model": "gpt-4o-mini-2024-07-18", "usage": {"prompt_tokens": 500000, "completion_tokens": 50000}},
              ("openai-organization", "acme"), ("openai-project", "proj_a"))
    silent = js({"model": "gpt-4o-mini-2024-07-18", "choices": [{"message": {"content": "x" * 2000}}]},
                ("openai-organization", "acme"), ("openai-project", "proj_a"))
    directory = tmp_path_factory.mktemp("ledger")
    recording = bodies.Recording(directory / "calls.events")
    for pid, (host, path, model, answer) in enumerate([
            (ANTHROPIC, MESSAGES, "claude-haiku-4-5", claude), (ANTHROPIC, MESSAGES, "claude-haiku-4-5", claude),
            (OPENAI, CHAT, "gpt-4o-mini", mini), (OPENAI, CHAT, "gpt-4o-mini", silent)], 100):
        recording.add(pid, Case("", [Exchange(host, path, answer, {"model": model, "messages": [
            {"role": "user", "content": "tell me of it"}]})], "0"), bodies.PIECE_MAX)
    recording.close()
    subprocess.run([AIGRESS, "replay", "--silent", "--state", str(directory), str(directory / "calls.events")], check=True)
    return str(directory)


def reconcile(state, *args, code=0):
    done = subprocess.run([AIGRESS, "reconcile", "--state", state, "--since", "2026-09-01", "--until", "2026-10-01",
                           "--format", "csv", *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    return done


def rows(done):
    lines = done.stdout.splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","))) for line in lines[1:]]


def anthropic_day(day, *results):
    return {"starting_at": day.strftime("%Y-%m-%dT00:00:00Z"), "ending_at": "", "results": list(results)}


def cost(amount, model="claude-haiku-4-5-20251001", kind="tokens", **more):
    return {"currency": "USD", "amount": amount, "model": model, "cost_type": kind, "workspace_id": None,
            "description": "x", "service_tier": "standard", **more}


def base(api):
    return f"http://127.0.0.1:{api.server_port}"


def test_anthropic(api, key, state):
    # 2 x (500,000 x 1 + 100,000 x 5) = 2.00 USD are seen. Amounts are cents, in two results of two pages.
    api.reports = {
        "/v1/organizations/usage_report/messages": [[anthropic_day(DAY, {
            "uncached_input_tokens": 990000, "cache_read_input_tokens": 10000, "output_tokens": 200000,
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
            "server_tool_use": {"web_search_requests": 3}, "model": "claude-haiku-4-5-20251001",
            "service_tier": "standard", "workspace_id": None})]],
        "/v1/organizations/cost_report": [
            [anthropic_day(DAY, cost("100.0"), cost("90.5", token_type="output_tokens"))],
            [anthropic_day(DAY, cost("9.5"), cost("3.0", model=None, kind="web_search")),
             anthropic_day(DAY + datetime.timedelta(days=1), cost("1234.5", model="claude-opus-4-8"))]]}
    told = rows(reconcile(state, "--anthropic", key, "--url", base(api)))
    assert [(row["day"], row["model"], row["billed_usd"], row["seen_usd"], row["note"]) for row in told] == [
        ("2026-09-21", "claude-haiku-4-5", "2.000000", "2.000000", ""),
        ("2026-09-21", "web_search", "0.030000", "0.000000", "never seen here"),
        ("2026-09-22", "claude-opus-4-8", "12.345000", "0.000000", "never seen here")]
    assert told[0]["billed_tokens"] == told[0]["seen_tokens"] == "1200000"
    path, query, headers = api.asked[-1]
    assert path.endswith("/cost_report") and query["page"] == ["page_/+=1"] and query["bucket_width"] == ["1d"]
    assert query["starting_at"] == ["2026-09-01T00:00:00Z"] and query["ending_at"] == ["2026-10-01T00:00:00Z"]
    assert headers["x-api-key"] == KEY and headers["anthropic-version"] == "2023-06-01"


def openai_day(*results):
    start = int(DAY.timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": list(results)}


def test_openai(api, key, state):
    # 500,000 x 0.15 + 50,000 x 0.6 = 0.105 USD are measured; the silent call is estimated.
    api.reports = {
        "/v1/organization/usage/completions": [[openai_day({
            "input_tokens": 500010, "input_cached_tokens": 0, "output_tokens": 50400, "num_model_requests": 2,
            "project_id": "proj_a", "model": "gpt-4o-mini-2024-07-18", "batch": False})]],
        "/v1/organization/costs": [[openai_day(
            {"amount": {"value": 0.0750015, "currency": "usd"}, "line_item": "gpt-4o-mini-2024-07-18, input",
             "project_id": "proj_a"},
            {"amount": {"value": "0.03024", "currency": "usd"}, "line_item": "gpt-4o-mini-2024-07-18, output",
             "project_id": "proj_a"},
            {"amount": {"value": 9, "currency": "eur"}, "line_item": "gpt-4o, input", "project_id": None})]]}
    told = rows(reconcile(state, "--openai", key, "--url", base(api), "--by", "day,model,account"))
    # A bill has the project alone, the ledger has the organisation as well.
    assert [(row["account"], row["note"]) for row in told] == [("proj_a", "")], told
    told = rows(reconcile(state, "--openai", key, "--url", base(api)))
    assert len(told) == 1 and told[0]["billed_usd"] == "0.1052415" and told[0]["note"] == ""
    assert abs(float(told[0]["seen_usd"]) - 0.1053) < 0.001
    assert {path for path, *_ in api.asked} == {"/v1/organization/usage/completions", "/v1/organization/usage/embeddings",
                                                "/v1/organization/costs"}


def test_what_is_refused_for_now_is_asked_again(api, key, state):
    api.refusals = [(429, {"error": {}}, ("Retry-After", "1")), (503, {})]
    assert reconcile(state, "--openai", key, "--url", base(api)).stdout
    assert len(api.asked) == 5


@pytest.mark.parametrize("refusals, word", [
    ([(403, {"error": {}})], "admin key"), ([(404, {})], "status 404"), ([(200, b"<html>sign in</html>")], "no report"),
    ([(200, {"data": []})], "no report")])
def test_what_is_no_report_is_an_error(api, key, state, refusals, word):
    api.refusals = refusals
    assert word in reconcile(state, "--anthropic", key, "--url", base(api), code=1).stderr


def test_a_wrong_key_is_said_and_not_shown(api, tmp_path, state):
    file = tmp_path / "other"
    file.write_text("sk-wrong")
    said = reconcile(state, "--openai", str(file), "--url", base(api), code=1).stderr
    assert "admin key" in said and "sk-wrong" not in said


def test_an_invoice(tmp_path, state):
    file = tmp_path / "invoice.csv"
    file.write_text('\ufeffDate,Model,Cost,Input_Tokens,Output_Tokens\r\n'
                    '2026-09-21,claude-haiku-4-5-20251001,"$1.80",1,2\r\n'
                    '2026-09-21,"claude ""x""","1,000.25",,\n'
                    '2026-09-21,claude-haiku-4-5,-0.20,,\n'
                    ',Total,1001.85,,\n', encoding="utf-8")
    told = rows(reconcile(state, "--invoice", str(file), "--provider", "Anthropic"))
    assert told[0]["billed_usd"] == "1000.250000" and told[0]["note"] == "never seen here"
    assert (told[1]["billed_usd"], told[1]["seen_usd"], told[1]["difference"], told[1]["of_bill_%"]) == \
        ("1.600000", "2.000000", "0.400000", "25.0")
    file.write_text("a,b\n1,2\n")
    assert "names no column" in reconcile(state, "--invoice", str(file), code=1).stderr
    file.write_text("date,cost\nyesterday,2\n")
    assert "without a day and figures" in reconcile(state, "--invoice", str(file), code=1).stderr


def test_a_focus_export(tmp_path, state):
    file = tmp_path / "focus.csv"
    file.write_text("BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,EffectiveCost,ProviderName,SkuMeter,"
                    "SubAccountId\n"
                    "0.2,USD,2026-09-21T00:00:00Z,2026-09-22T00:00:00Z,0.1,OpenAI,gpt-4o-mini,acme/proj_a\n"
                    "5,EUR,2026-09-21T00:00:00Z,2026-09-22T00:00:00Z,5,OpenAI,gpt-4o-mini,acme/proj_a\n")
    told = rows(reconcile(state, "--invoice", str(file), "--by", "model,account"))
    assert len(told) == 1 and told[0]["billed_usd"] == "0.200000" and told[0]["account"] == "proj_a"
    assert "1 amount in another currency than USD was left out" in reconcile(state, "--invoice", str(file)).stderr


def test_an_export_of_ours_has_no_difference(tmp_path, state):
    """report --format focus, read back as a bill."""
    file = tmp_path / "focus.csv"
    done = subprocess.run([AIGRESS, "report", "--state", state, "--since", "all", "--format", "focus", "--by", "command,model"],
                          capture_output=True, text=True, check=True)
    file.write_text(done.stdout)
    told = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["ChargePeriodStart"] for row in told} == {"2026-09-21T14:00:00Z"}
    assert {row["BillingPeriodEnd"] for row in told} == {"2026-10-01T00:00:00Z"}
    assert {(row["ProviderName"], row["SubAccountId"], row["x_Calls"]) for row in told} == \
        {("anthropic", "", "2"), ("openai", "acme/proj_a", "2")}
    assert sum(decimal.Decimal(row["BilledCost"]) for row in told if row["ProviderName"] == "anthropic") == 2
    assert [json.loads(row["Tags"]) for row in told] == [{"command": "python3"}] * len(told)
    back = rows(reconcile(state, "--invoice", str(file), "--by", "day,model,account"))
    assert len(back) == 2 and {row["difference"] for row in back} == {"0.000000"}


def test_teams(tmp_path, state):
    """By the rules of a file, over what is in the ledger already."""
    file = tmp_path / "a.yaml"
    file.write_text("teams:\n  - { team: build, match: { command: 'python*' } }\n")
    done = subprocess.run([AIGRESS, "report", "--state", state, "--since", "all", "--by", "team", "--format", "json",
                           "--config", str(file)], capture_output=True, text=True, check=True)
    assert [(row["team"], row["calls"]) for row in json.loads(done.stdout)["rows"]] == [("build", 4)]
    file.write_text("teams: [ { team: build } ]\n")
    done = subprocess.run([AIGRESS, "report", "--state", state, "--by", "team", "--config", str(file)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and 'lacks "match"' in done.stderr


def test_several_ledgers_and_what_is_kept(tmp_path, state):
    file = tmp_path / "invoice.csv"
    file.write_text("day,provider,model,cost\n2026-09-21,anthropic,claude-haiku-4-5,6\n")
    told = rows(reconcile(state, "--invoice", str(file), "--also", state, "--keep"))
    assert told[0]["seen_usd"] == "4.000000"
    done = subprocess.run([AIGRESS, "reconcile"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "with whose bill?" in done.stderr
