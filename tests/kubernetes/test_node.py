# SPDX-License-Identifier: Apache-2.0
"""The release on a real node: what pods spend is what was billed, whatever happens to the daemon."""
import concurrent.futures
import copy

import pytest

import cluster
import node


@pytest.mark.parametrize("name", ["python", "node"])
def test_a_pod_s_spend_is_its_bill(api, daemon, agents, name):
    pod = agents[name]
    before = len(api.bill(pod.name))
    assert pod.ask("/call?n=5") == [200] * 5
    cluster.must_agree(api, daemon, pod, before + 5)


def test_pods_are_called_by_their_names(daemon, agents):
    """By the rights that the chart asks for: namespace, pod, and the Deployment behind its ReplicaSet."""
    for name, pod in agents.items():
        node.wait(lambda pod=pod: all(row["pod"] for row in daemon.calls(pod)), 60, daemon.log)
        for row in daemon.calls(pod):
            assert (row["namespace"], row["pod"]) == (cluster.AGENTS, pod.name), row
            assert row["image"] == "test.local/clients:1", row
            assert name in row["workload"], row


def test_metrics_are_served_to_prometheus_and_name_the_pod(daemon, agents):
    address = node.get("pod", "-n", "aigress", daemon.pod)["status"]["podIP"]
    said = node.run(["curl", "-sS", "--fail", "--noproxy", "*", f"http://{address}:24473/metrics"]).stdout
    assert any(line.startswith("aigress_") and f'pod="{agents["python"].name}"' in line
               for line in said.splitlines()), said[:2000]


def test_helm_test_asks_the_daemon(daemon):
    """By its address, since this node has no DNS for Services; the daemon goes on as it was."""
    def helm_test(url):
        cluster.helm("upgrade", *cluster.RELEASE, "--reuse-values", settings={"test.url": url})
        argv = [cluster.HELM, "--kubeconfig", node.path("pki/admin.kubeconfig"), "test", "aigress", "--namespace", "aigress"]
        return node.run([*argv, "--timeout", f"{60 * node.PATIENCE}s"], check=False)
    before = daemon.pod
    address = node.get("pod", "-n", "aigress", daemon.pod)["status"]["podIP"]
    done = helm_test(f"http://{address}:24473/readyz")
    assert done.returncode == 0 and "Succeeded" in done.stdout, done.stdout + done.stderr
    assert helm_test(f"http://{address}:24473/nothing").returncode, "what is not there was found"
    assert "404" in node.kubectl("logs", "-n", "aigress", "aigress-test").stdout, "the pod that failed says why"
    assert daemon.find().pod == before


def test_the_pod_has_least_privilege(daemon):
    pod = node.get("pod", "-n", "aigress", daemon.pod)
    context = pod["spec"]["containers"][0]["securityContext"]
    assert context["privileged"] is False and context["readOnlyRootFilesystem"] is True
    assert context["capabilities"]["drop"] == ["ALL"]
    assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    missing = [f for f in daemon.json("check", "--json")["features"] if not f["ok"] and f["needed"]]
    assert not missing
    shell = node.kubectl("exec", "-n", "aigress", daemon.pod, "--", "/bin/sh", check=False)
    assert shell.returncode != 0


def is_done(daemon, action, pod):
    return any(pod.uid in row["target"] and row["action"] == action
               and row["result"].startswith("done") for row in daemon.actions())


@pytest.fixture(scope="module")
def runaway(api, daemon, agents):
    """A program that calls without end: paced at half of its budget, until that is used up."""
    cluster.apply(cluster.deployment("runaway", cluster.PYTHON_AGENT))
    pod = cluster.ready_pod("runaway")
    node.wait(lambda: pod.is_probed(daemon), 60, daemon.log)
    pod.ask("/loop")
    for action in ("pace", "refuse"):
        node.wait(lambda action=action: is_done(daemon, action, pod), 240,
                  lambda: f"{daemon.actions()}\n{daemon.log()}")
        assert pod.ask("/healthz", seconds=10) == "ok"
    return pod


def test_a_runaway_is_stopped_and_stays_healthy(api, daemon, runaway):
    failed = runaway.ask("/made")["failed"]
    node.wait(lambda: runaway.ask("/made")["failed"] > failed, 60, "a call that is refused")
    cluster.must_agree(api, daemon, runaway, len(api.bill(runaway.name)))
    assert runaway.ask("/healthz") == "ok"
    assert cluster.ready_pod("runaway").uid == runaway.uid


@pytest.mark.parametrize("action", ["pace", "refuse"])
def test_the_pod_s_events_say_why(runaway, action):
    def described():
        return node.kubectl("describe", "pod", "-n", cluster.AGENTS, runaway.name).stdout
    node.wait(lambda: action in described().lower(), 60, described)


def test_a_pod_made_anew_has_its_workload_s_budget(api, daemon, runaway):
    node.kubectl("delete", "pod", "-n", cluster.AGENTS, runaway.name)
    anew = cluster.ready_pod("runaway")
    assert anew.uid != runaway.uid
    node.wait(lambda: anew.ask("/call?n=1") == [0], 60, daemon.log)
    billed = len(api.bill(anew.name))
    assert anew.ask("/call?n=3") == [0, 0, 0]
    assert len(api.bill(anew.name)) == billed
    assert anew.ask("/healthz") == "ok"


def test_the_gate_stays_shut_while_the_daemon_is_replaced(api, daemon, runaway):
    """on-daemon-loss: hold. Between the old daemon and the new one nobody is there to refuse."""
    pod = cluster.ready_pod("runaway")
    before, billed = daemon.pod, len(api.bill())
    node.kubectl("delete", "pod", "-n", "aigress", daemon.pod, "--wait=false")

    def is_replaced():
        assert pod.ask("/call?n=1") == [0]
        found = cluster.pods("app.kubernetes.io/name=aigress", "aigress")
        return found and found[0].name != before
    node.wait(is_replaced, 180, daemon.log)
    daemon.find()
    assert pod.ask("/call?n=3") == [0, 0, 0]
    assert len(api.bill()) == billed


def test_others_go_on_beside_it(api, daemon, agents, runaway):
    before = len(api.bill(agents["node"].name))
    assert agents["node"].ask("/call?n=3") == [200] * 3
    cluster.must_agree(api, daemon, agents["node"], before + 3)


def test_a_changed_config_map_is_in_force_without_a_restart(api, daemon, runaway):
    """The kubelet swaps a link to a folder, which is not how editors write files."""
    config = copy.deepcopy(cluster.CONFIG)
    config["budgets"][0]["limit"] = "1000 USD"
    uid = node.get("pod", "-n", "aigress", daemon.pod)["metadata"]["uid"]
    pod = cluster.ready_pod("runaway")      # the one made anew
    cluster.helm("upgrade", *cluster.RELEASE, values={"config": config}, settings={"enforce": "true"})
    node.wait(lambda: pod.ask("/call?n=1") == [200], 120, daemon.log)
    assert node.get("pod", "-n", "aigress", daemon.pod)["metadata"]["uid"] == uid
    node.kubectl("delete", "deployment", "-n", cluster.AGENTS, "runaway", "--wait=true")


def test_an_upgrade_in_the_middle_counts_nothing_twice(api, daemon, agents):
    pod = agents["python"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls = pool.submit(pod.ask, "/call?n=400")
        before = daemon.pod
        cluster.helm("upgrade", *cluster.RELEASE, values={"config": cluster.CONFIG},
                     settings={"enforce": "false", "image.tag": "next"})
        cluster.rollout(daemon)
        assert daemon.pod != before
        assert calls.result(120) == [200] * 400
    cluster.nothing_twice(api, daemon, pod)
    node.wait(lambda: pod.is_probed(daemon), 60, daemon.log)
    billed = len(api.bill(pod.name))
    assert pod.ask("/call?n=5") == [200] * 5
    last = api.bill(pod.name)[billed:]
    node.wait(lambda: not cluster.stage.difference(last, daemon.calls(pod))[0], 60, daemon.log)
    cluster.nothing_twice(api, daemon, pod)


def test_a_killed_daemon_comes_back_and_counts_nothing_twice(api, daemon, agents):
    pod = agents["python"]
    billed = api.bill(pod.name)
    node.kubectl("delete", "pod", "-n", "aigress", daemon.pod, "--grace-period=0", "--force")
    assert pod.ask("/call?n=50") == [200] * 50
    cluster.rollout(daemon)
    counted = cluster.nothing_twice(api, daemon, pod)
    assert counted <= len(billed) + 50
