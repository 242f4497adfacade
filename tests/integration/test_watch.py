# SPDX-License-Identifier: Apache-2.0
"""
Debian's Prometheus scrapes the daemon, every query of the dashboard has an answer, the alert rules are
right, and a real browser draws the page, whatever the names are.
"""
import ctypes
import json
import os
import platform
import subprocess

import pytest

import drive
import stage as lab
import watch
from drive import ANTHROPIC, CHAT
from spending import spender

HOSTILE = "<img src=x onerror=\"document.title='pwned'\">'\"><script>document.title='pwned'</script>"
HOSTILE_CGROUP = "x<img src=x onerror=\"document.title='pwned'\"><b onmouseover=alert(1)>&amp;\"'"
RULES = """attach: everyone
enforce: true
serve: {{ listen: "127.0.0.1:{port}" }}
budgets:
  - {{ name: lab-daily, match: {{ cgroup: "{name}*" }}, per: match, limit: 50 USD, steps: [ {{ at: 1%, do: note }} ] }}
  - {{ name: runaway, match: {{ cgroup: "{run}" }}, per: cgroup, limit: 0.30 USD, steps: [ {{ at: 100%, do: refuse }} ] }}
"""
BPF_ENABLE_STATS = 32
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}


@pytest.fixture(scope="module")
def scene(stage, tmp_path_factory):
    """(daemon, its port, the runaway's cgroup): three cgroups spend, one runs into its budget."""
    directory = tmp_path_factory.mktemp("watch")
    port = watch.free_port()
    run, runaway = stage.new_run("runaway")
    config = directory / "aigress.yaml"
    config.write_text(RULES.format(port=port, name=stage.name, run=runaway.path))
    # The kernel counts its programs' time while this descriptor is open.
    attr = (ctypes.c_uint32 * 32)()
    stats = ctypes.CDLL(None).syscall(BPF_SYSCALL[platform.machine()], BPF_ENABLE_STATS, attr, 128)
    daemon = lab.Daemon(stage, str(directory / "state"), str(config), where="inside").start()
    yield daemon, port, (run, runaway)
    daemon.stop()
    if stats >= 0:
        os.close(stats)


@pytest.fixture(scope="module")
def prometheus(stage, scene, tmp_path_factory):
    """Scraping since before the first call."""
    server = watch.Prometheus(stage, str(tmp_path_factory.mktemp("prometheus")), scene[1])
    lab.wait(lambda: server.value('up{job="aigress"}') == 1, 30)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def spent(stage, scene, prometheus):
    """What was spent: the sum in the ledger of the cgroups of this module, when all is quiet."""
    daemon, _, (run, runaway) = scene
    steady, of_steady = stage.new_run("steady")
    drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, steady, calls=5), of_steady)
    drive.make_calls(stage, "http.client", drive.job(CHAT, steady, body=drive.body(CHAT, stream=True), calls=5), of_steady)
    hostile = stage.cgroup(HOSTILE_CGROUP)
    drive.make_calls(stage, "http.client", drive.job(CHAT, "hostile"), hostile)
    drive.make_calls(stage, "http.client", drive.job(CHAT, "hostile", body=drive.body(CHAT, model=HOSTILE)), hostile)
    culprit = spender(stage, run, runaway)
    lab.wait(lambda: culprit.poll() is not None, 60, daemon.tail)
    stage.settle(daemon, steady, of_steady, 10)
    ours = [of_steady.path, hostile.path, runaway.path]
    return {row["cgroup"]: float(row["cost_usd"] or 0) for row in daemon.report("cgroup") if row["cgroup"] in ours}


def test_prometheus_has_the_ledgers_sums(prometheus, spent):
    assert len(spent) == 3
    by_cgroup = "sum by (cgroup) (aigress_spend_usd_total)"

    def agree():
        rows = {row["metric"].get("cgroup"): float(row["value"][1]) for row in prometheus.query(by_cgroup)}
        # The hostile name is one label of text: its quotes and backslashes are escaped.
        return all(abs(rows.get(name, -1) - value) < 1e-9 for name, value in spent.items())
    lab.wait(agree, 60, lambda: (spent, prometheus.query(by_cgroup)))
    # A counter is there with 0 first, so what a short life spent is an increase.
    grown = ("max_over_time({0}[5m:1s]) - min_over_time({0}[5m:1s])").format(f"({by_cgroup})")

    def increased():
        rows = {row["metric"].get("cgroup"): float(row["value"][1]) for row in prometheus.query(grown)}
        return all(abs(rows.get(name, -1) - value) < 1e-9 for name, value in spent.items())
    lab.wait(increased, 60, lambda: (spent, prometheus.query(grown)))


def test_every_panel_shows_something(prometheus, spent):
    with open(f"{lab.ROOT}/deploy/grafana/aigress.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    fill = {"$node": ".*", "$namespace": ".*", "$__rate_interval": "30s"}

    def filled(expression):
        for name, value in fill.items():
            expression = expression.replace(name, value)
        return expression
    queries = [(panel["title"], filled(target["expr"])) for panel in dashboard["panels"]
               for target in panel.get("targets", [])
               # a ledger that has just begun has no past to go by
               if "aigress_forecast_usd" not in target["expr"]]
    assert len(queries) > 25
    left = dict.fromkeys(queries)

    def all_answer():
        for title, query in list(left):
            if any(row["value"][1] != "NaN" for row in prometheus.query(query)):
                del left[title, query]
        return not left
    lab.wait(all_answer, 60, lambda: list(left))
    for annotation in dashboard["annotations"]["list"]:
        prometheus.query(filled(annotation["expr"]))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":     # label_values(metric, label)
            metric, label = variable["definition"][len("label_values("):-1].split(", ")
            assert label != "node" or prometheus.api(f"label/{label}/values", **{"match[]": metric})


def test_alerts_of_a_runaway_fire(prometheus, spent):
    def firing():
        return {alert["labels"]["alertname"]: alert["labels"] for alert in prometheus.api("alerts")["alerts"]
                if alert["state"] == "firing"}
    lab.wait(lambda: firing().get("AigressBudgetOver", {}).get("budget") == "runaway", 60, firing)
    assert "AigressDown" not in firing() and "AigressLedgerNotWritable" not in firing()
    health = prometheus.api("rules", type="alert")["groups"][0]["rules"]
    assert {rule["health"] for rule in health} == {"ok"}, health


def test_alert_rules_are_right():
    promtool = watch.need("promtool")
    for argv in (["check", "rules", f"{lab.ROOT}/deploy/prometheus/aigress.rules.yaml"],
                 ["test", "rules", f"{lab.ROOT}/tests/integration/rules.test.yaml"]):
        done = subprocess.run([promtool, *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_draws_hostile_names_as_text(scene, spent, tmp_path):
    _, port, (_, runaway) = scene
    told = watch.status(port)
    # a model's name ends where no name goes on; a cgroup's is whatever its maker likes
    assert any("<img src=x onerror" in row["name"] for row in told["spenders"])
    assert not any("<" in row["model"] for row in told["spenders"])
    page, log = watch.browse(f"http://127.0.0.1:{port}/", tmp_path, "--dump-dom")
    assert "USD/h · ! aigress</title>" in page, page[:2000]     # drawn, by data of the daemon
    assert "pwned" not in page[:page.index("</title>")]
    assert "&lt;img src=x onerror=" in page and "<img src=\"x\"" not in page and "<img src=x" not in page
    assert "<b onmouseover" not in page and "<script>document" not in page
    assert os.path.basename(runaway.path) in page and "refuse" in page
    assert "Content Security Policy" not in log and "Refused to" not in log, log
    assert "Uncaught" not in log, log


def test_a_picture_can_be_taken(scene, spent, tmp_path):
    """It is not blank: a page that failed to draw would compress to nearly nothing."""
    picture = os.environ.get("STATUS_PNG", str(tmp_path / "status.png"))
    watch.browse(f"http://127.0.0.1:{scene[1]}/", tmp_path / "profile", f"--screenshot={picture}",
                 "--window-size=1400,1000")
    assert os.path.getsize(picture) > 30000
