# SPDX-License-Identifier: Apache-2.0
"""kubectl-aigress: against the node's daemon, and the adding up of many nodes' answers."""
import contextlib
import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from decimal import Decimal

import pytest

import cluster
import node


def plugin(*argv, check=True):
    """As kubectl finds it: by its name, in PATH."""
    path = f"{node.BIN}:{os.path.dirname(cluster.PLUGIN)}:{os.environ['PATH']}"
    return node.run(["env", f"PATH={path}", f"KUBECONFIG={node.path('pki/admin.kubeconfig')}",
                     "kubectl", "aigress", *argv], check)


def test_a_report_is_what_the_daemon_says(api, daemon, agents):
    assert agents["python"].ask("/call?n=2") == [200] * 2
    agents["node"].ask("/call?n=2")
    node.wait(lambda: {"api.anthropic.com", "api.openai.com"} <= {
        row["host"] for row in daemon.json("report", "--by", "host", "--format", "json")["rows"]},
        60, daemon.log)
    mine = json.loads(plugin("report", "--by", "host,model", "--format", "json").stdout)
    own = daemon.json("report", "--by", "host,model", "--format", "json")
    assert mine["nodes"] == [node.NAME]
    told = {(row["host"], row["model"]): Decimal(row["cost_usd"] or 0) for row in own["rows"]}
    for row in mine["rows"]:    # others of this host may spend between the two
        assert Decimal(row["cost_usd"] or 0) <= told[row["host"], row["model"]]
    assert {"api.anthropic.com", "api.openai.com"} <= {row["host"] for row in mine["rows"]}
    by_node = json.loads(plugin("report", "--by", "node", "--format", "json").stdout)["rows"]
    assert [row["node"] for row in by_node] == [node.NAME]


def test_every_command_answers(daemon, agents):
    assert "total" in plugin("top", "--by", "container", "--once").stdout
    assert plugin("explain").stdout.strip()
    json.loads(plugin("explain", "--format", "json").stdout)
    assert "api." in plugin("explain", "call", "1", "--node", node.NAME).stdout
    assert "This host" in plugin("check").stdout
    rows = list(csv.DictReader(io.StringIO(plugin("report", "--by", "call,host", "--format", "csv").stdout)))
    assert rows and all(row["node"] == node.NAME for row in rows)


def test_what_cannot_be_is_said(daemon):
    nobody = plugin("report", "--node", "elsewhere", check=False)
    assert nobody.returncode == 1 and "elsewhere" in nobody.stderr
    wrong = plugin("report", "--by", "weather", check=False)
    assert wrong.returncode == 1 and "weather" in wrong.stderr


# Two nodes, one of them with a third that does not answer, from behind a stand-in for kubectl: there
# is one real node here.

def figures(calls, output, cost, **names):
    return {**names, "calls": calls, "measured_calls": calls, "estimated_calls": 0, "unpriced_calls": 0,
            "free_calls": 0, "tokens": {"input": 1, "cache_read": 0, "cache_write": 0, "output": output,
                                        "reasoning": 0},
            "audio_tokens": {"input": 0, "output": 0}, "web_searches": 0, "request_bytes": 9,
            "response_bytes": 9, "cost_usd": cost}


def answer(*rows):
    total = figures(sum(r["calls"] for r in rows), sum(r["tokens"]["output"] for r in rows),
                    str(sum(Decimal(r["cost_usd"]) for r in rows)))
    return {"rows": rows, "totals": total, "since": "2026-11-24T00:00:00Z",
            "generated": "2026-11-25T00:00:00Z", "currency": "USD"}


@pytest.fixture
def three_nodes(tmp_path):
    """A kubectl that knows three pods. 2^53 + 1 and nine decimals: nothing here is a double."""
    def pod(name):
        return {"metadata": {"name": f"aigress-{name}"}, "spec": {"nodeName": name},
                "status": {"phase": "Running"}}

    answers = {
        "aigress-a": answer(figures(2, 9007199254740993, "1000000.000000001", host="x"),
                            figures(1, 5, "0.1", host="=y")),
        "aigress-b": answer(figures(1, 1, "0.000000001", host="x"))}
    said = {"pods": {"items": [pod("a"), pod("b"), pod("c")]}, "answers": answers}
    script = tmp_path / "kubectl"
    script.write_text(f"""#!{sys.executable}
import json, sys
said = {said!r}
argv = sys.argv[1:]
if "get" in argv:
    print(json.dumps(said["pods"]))
elif argv[argv.index("exec") + 1] in said["answers"]:
    print(json.dumps(said["answers"][argv[argv.index("exec") + 1]]))
else:
    sys.exit("error: the node is gone")
""")
    script.chmod(0o755)

    def ask(*argv):
        return subprocess.run([sys.executable, cluster.PLUGIN, *argv], capture_output=True, text=True,
                              check=False, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    return ask


def test_nodes_are_added_up_exactly_and_a_missing_one_is_told(three_nodes):
    done = three_nodes("report", "--by", "host", "--format", "json")
    assert done.returncode == 1 and "c: error: the node is gone" in done.stderr
    report = json.loads(done.stdout)
    first = report["rows"][0]
    assert (first["host"], first["calls"], first["tokens"]["output"]) == ("x", 3, 9007199254740994)
    assert first["cost_usd"] == "1000000.000000002"
    assert report["totals"]["cost_usd"] == "1000000.100000002" and report["nodes"] == ["a", "b"]


def test_rows_by_node_stay_apart(three_nodes):
    rows = json.loads(three_nodes("report", "--by", "node,host", "--format", "json").stdout)["rows"]
    assert [(row["node"], row["host"]) for row in rows] == [("a", "x"), ("a", "=y"), ("b", "x")]
    assert three_nodes("top", "--by", "host", "--once").stdout.splitlines()[0].startswith("2 nodes")


def test_no_cell_is_a_formula(three_nodes):
    rows = list(csv.DictReader(io.StringIO(three_nodes("report", "--by", "host", "--format", "csv").stdout)))
    assert [row["host"] for row in rows] == ["x", "'=y"]


# Orders: the stand-in runs the real command on a ledger for each node; the third does not answer.

@pytest.fixture
def orders(tmp_path):
    def pod(name):
        return {"metadata": {"name": name}, "spec": {"nodeName": name}, "status": {"phase": "Running"}}

    for name in ("a", "b"):
        subprocess.run([cluster.stage.AIGRESS, "replay", "--silent", "--state", tmp_path / name,
                        os.path.join(cluster.ROOT, "tests/replay/http2-curl.events")], check=True,
                       capture_output=True)
        with contextlib.closing(sqlite3.connect(tmp_path / name / "ledger.db")) as ledger:     # as a daemon there would say
            ledger.execute("INSERT OR REPLACE INTO facts (key, value) VALUES ('rules', ?)", (json.dumps(
                [{"budget": "agents-nightly", "limit_usd": "5.000000", "limit_tokens": 0, "enforced": True}]),))
            ledger.commit()
    script = tmp_path / "kubectl"
    script.write_text(f"""#!{sys.executable}
import json, os, sys
argv = sys.argv[1:]
if "get" in argv:
    print(json.dumps({{"items": {[pod(name) for name in ("a", "b", "c")]!r}}}))
    sys.exit()
node, rest = argv[argv.index("exec") + 1], argv[argv.index("--") + 2:]
if node == "c" and not os.path.exists("{tmp_path}/c"):
    sys.exit("error: the node is gone")
os.execv({cluster.stage.AIGRESS!r}, ["aigress", *rest, "--state", "{tmp_path}/" + node])
""")
    script.chmod(0o755)

    def ask(*argv):
        return subprocess.run([sys.executable, cluster.PLUGIN, "override", *argv], capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    return ask


def test_the_panic_switch_is_one_command_and_says_who_did_not_hear_it(orders):
    done = orders("open", "--all", "--reason", "fire")
    assert done.returncode == 1 and "ordered on 2 of 3 nodes (a, b)" in done.stdout, done
    assert "FAILED: c: error: the node is gone" in done.stderr
    rows = json.loads(orders("list", "--format", "json").stdout)["rows"]
    assert [(row["node"], row["order"], row["key"]) for row in rows] == [("a", "open", "*"), ("b", "open", "*")]
    assert all(row["reason"].startswith("fire (") and "by kubectl" in row["reason"] for row in rows)
    assert orders("clear", "--all", "--node", "a").returncode == 0
    assert "b     open" in orders("list").stdout


def test_a_name_that_no_node_knows_is_an_error(orders):
    done = orders("open", "agents-daily", "--node", "a")
    assert done.returncode == 1 and "ordered on 0 of 1 nodes" in done.stdout, done
    assert 'did you mean "agents-nightly"?' in done.stderr
    assert 'passed over: a: no budget and no counter is called "agents-daily"' in done.stderr
    assert orders("open", "agents-daily", "--force", "--node", "a").returncode == 0
    assert orders("open").returncode == 1 and orders("open", "x", "--all").returncode == 1
