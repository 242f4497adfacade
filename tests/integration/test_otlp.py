# SPDX-License-Identifier: Apache-2.0
"""
Metrics that are pushed are what the ledger has, and are OTLP to the letter: OpenTelemetry's own definitions
read them, and refuse a field that they do not know. (No receiver of it is to be had of Debian: its
Prometheus is built without.)
"""
import os
import sys

import pytest

import drive
import server
import stage as lab
from drive import ANTHROPIC, CHAT

RULES = """attach: everyone
node: lab-node
otlp: {{ endpoint: "{url}", interval: 10s, header-file: {secret} }}
budgets:
  - {{ name: all, match: {{ cgroup: "{name}*" }}, per: match, limit: 50 USD, steps: [ {{ at: 100%, do: note }} ] }}
"""


@pytest.fixture(scope="module")
def otlp():
    """What reads a push's JSON, strictly."""
    sys.path.append(os.path.join(lab.ROOT, "build", "trixie", "usr", "lib", "python3", "dist-packages"))
    json_format = pytest.importorskip("google.protobuf.json_format", reason="python3-protobuf (scripts/deps test)")
    messages = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
                                   reason="OpenTelemetry's definitions are not there (scripts/deps test)")
    return lambda body: json_format.ParseDict(body, messages.ExportMetricsServiceRequest())


@pytest.fixture
def receiver():
    made = server.Receiver()
    yield made
    made.stop()


class Pushed:
    """The last push of a daemon: {metric: its points}, and who reported."""

    def __init__(self, requests):
        self.metrics, self.resource = {}, {}
        for request in requests:
            for each in request.resource_metrics:
                self.resource = self.names(each.resource.attributes)
                for metric in each.scope_metrics[0].metrics:
                    kind = metric.WhichOneof("data")
                    assert kind == "gauge" or getattr(metric, kind).aggregation_temporality == 2
                    self.metrics[metric.name] = [(self.names(point.attributes), point)
                                                 for point in getattr(metric, kind).data_points]

    @staticmethod
    def names(attributes):
        return {pair.key: pair.value.string_value for pair in attributes}

    def points(self, metric, **wanted):
        wanted = {key.replace("__", "."): value for key, value in wanted.items()}
        return [point for has, point in self.metrics.get(metric, [])
                if all(has.get(key) == value for key, value in wanted.items())]

    def sum(self, metric, **wanted):
        return sum(point.as_int or point.as_double for point in self.points(metric, **wanted))


def test_what_is_pushed_is_the_ledger_s(stage, new_daemon, otlp, receiver, tmp_path):
    """From a daemon that has dropped its privileges, and while it serves nothing."""
    secret = tmp_path / "header"
    secret.write_text("X-Secret: abc\n")
    daemon = new_daemon(RULES.format(url=receiver.url, name=stage.name, secret=secret),
                        where="inside").start()
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "http.client", drive.job(ANTHROPIC, run, calls=3), cgroup)
    drive.make_calls(stage, "http.client", drive.job(
        CHAT, run, body=drive.body(CHAT, stream=True), calls=2), cgroup)
    stage.settle(daemon, run, cgroup, 5)
    (row,) = [row for row in daemon.report("cgroup") if row["cgroup"] == cgroup.path]

    def pushed():
        last = Pushed([otlp(receiver.requests[-1][1])]) if receiver.requests else None
        agrees = last and last.sum("aigress_calls", cgroup=cgroup.path) == 5 and \
            abs(last.sum("aigress_spend_usd", cgroup=cgroup.path) - float(row["cost_usd"])) < 1e-9
        return last if agrees else None
    last = lab.wait(pushed, 60, lambda: (row, receiver.requests[-1:], daemon.tail()))
    assert last.sum("aigress_tokens", cgroup=cgroup.path, type="output") == row["tokens"]["output"]
    assert sum(p.count for p in last.points("gen_ai.client.operation.duration")) >= 5
    assert sum(p.count for p in last.points("gen_ai.server.time_to_first_token",
                                            gen_ai__provider__name="openai")) >= 2
    (point,) = last.points("aigress_spend_usd", cgroup=cgroup.path, server__address="api.anthropic.com",
                           gen_ai__provider__name="anthropic")
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    assert last.points("aigress_budget_used_ratio", budget="all")[0].as_double > 0
    assert last.resource["service.name"] == "aigress"
    assert last.resource["service.instance.id"] == last.resource["host.name"] == "lab-node"
    assert "cannot be pushed" not in daemon.said() and "rejected" not in daemon.said()
    assert {header for _, _, header in receiver.requests} == {"abc"} and "abc" not in daemon.said()
