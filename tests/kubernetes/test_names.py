# SPDX-License-Identifier: Apache-2.0
"""Names of pods from a real node: what each source tells, and what is told to the pods."""
import base64
import copy
import json
import os
import subprocess

import pytest

import cluster
import node

NAMESPACE = cluster.AGENTS
# One call and no more.
CALL = ["/usr/bin/python3", "-c", """
import http.client, json
connection = http.client.HTTPSConnection("api.anthropic.com", timeout=20)
connection.request("POST", "/v1/messages", json.dumps({"model": "claude-sonnet-5", "max_tokens": 9, "messages": [
    {"role": "user", "content": "Say when."}]}), {"content-type": "application/json", "x-api-key": "names"})
connection.getresponse().read()
"""]
# For a container that has no authorities to trust.
TRUSTING = [CALL[0], "-c", "import ssl; ssl._create_default_https_context = ssl._create_unverified_context" + CALL[2]]
RULES = [{"apiGroups": [""], "resources": ["nodes/proxy", "namespaces"], "verbs": ["get"]},
         {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
         {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}]


class Watcher:
    """A daemon of its own beside the node, with a token: it acts on nobody."""

    def __init__(self, directory, token, **more):
        self.state = str(directory / "state")
        token_file, config = directory / "token", directory / "aigress.yaml"
        token_file.write_text(token)
        config.write_text(json.dumps({
            "attach": "everyone", "node": node.NAME,
            "kubernetes": {"kubelet": f"https://{node.ADDRESS}:10250", "api": f"https://{node.ADDRESS}:6443",
                           "token": str(token_file), "ca": node.path("pki/ca.crt")}, **more}))
        self.log_file = directory / "log"
        self.child = subprocess.Popen(
            node.enter([cluster.stage.AIGRESS, "run", "--state", self.state, "--config", str(config)]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.log_file, "w", encoding="utf-8"))
        node.wait(lambda: "ready" in self.log(), 60, self.log)

    def log(self):
        return self.log_file.read_text()

    def ask(self, *argv):
        return subprocess.run([cluster.stage.AIGRESS, *argv, "--state", self.state], check=True,
                              capture_output=True, text=True).stdout

    def names(self):
        """(workload, pod, container) of whoever of our namespace has spent."""
        rows = json.loads(self.ask("report", "--format", "json", "--by",
                                   "namespace,workload,pod,container"))["rows"]
        return {(r["workload"], r["pod"], r["container"]) for r in rows if r["namespace"] == NAMESPACE}

    def close(self):
        self.child.terminate()
        assert self.child.wait(60) == 0


def token_of(account):
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": account, "namespace": NAMESPACE}})

    def find():
        for secret in node.get("secrets", "-n", NAMESPACE)["items"]:
            noted = secret["metadata"].get("annotations", {})
            if noted.get("kubernetes.io/service-account.name") == account:
                return base64.b64decode(secret["data"]["token"]).decode()
        return None
    return node.wait(find, 60, "a token")


@pytest.fixture(scope="module")
def pod(api):
    """A Deployment's pod that asks for a budget which its first call exceeds."""
    deployment = cluster.deployment("named", cluster.PYTHON_AGENT)
    deployment["spec"]["template"]["metadata"]["annotations"] = {"aigress.dev/budget": "0.000001 USD/day"}
    cluster.apply(deployment)
    yield cluster.ready_pod("named")
    node.kubectl("delete", "deployment", "-n", NAMESPACE, "named", "--wait=true")


@pytest.fixture(scope="module")
def watcher(api, pod, tmp_path_factory):
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "names"}
    token = token_of("names")
    cluster.apply(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
         "metadata": {"name": "names"}, "rules": RULES},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "names"}, "roleRef": role,
         "subjects": [{"kind": "ServiceAccount", "name": "names", "namespace": NAMESPACE}]})
    started = Watcher(tmp_path_factory.mktemp("names"), token, annotations={
        "allow": [{"namespace": NAMESPACE}], "steps": [{"at": "100%", "do": "refuse"}]})
    yield started
    started.close()
    node.kubectl("delete", "clusterrole,clusterrolebinding", "names")


def test_without_rights_the_node_s_folders_name_a_pod(api, pod, tmp_path):
    watcher = Watcher(tmp_path, token_of("nobody"))
    try:
        assert pod.ask("/call?n=1") == [200]
        node.wait(lambda: ("Deployment/named", pod.name, "agent") in watcher.names(), 60,
                  lambda: f"{watcher.names()}\n{watcher.log()}")
        node.wait(lambda: "kubelet: 403: it may not get nodes/proxy" in watcher.log() and
                  "API server: 403: it may not list pods" in watcher.log(), 60, watcher.log)
    finally:
        watcher.close()


def workload(kind, name, spec, script):
    template = copy.deepcopy(cluster.pod_template({"app": name}, script))
    del template["spec"]["containers"][0]["readinessProbe"]
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
    return {"apiVersion": "batch/v1" if kind == "Job" else "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {**spec, "template": template}}


def test_owners_are_known_as_they_were_deployed(watcher, pod):
    again = [CALL[0], "-c", CALL[2] + "import time; time.sleep(3600)"]
    selector = {"selector": {"matchLabels": {"app": "set"}}}
    cluster.apply(workload("StatefulSet", "set", {"serviceName": "set", **selector}, again),
                  workload("Job", "once", {}, CALL))
    assert pod.ask("/call?n=1") == [200]
    wanted = {("Deployment/named", "agent"), ("StatefulSet/set", "agent"), ("Job/once", "agent")}
    node.wait(lambda: wanted <= {(w, c) for w, _, c in watcher.names()}, 120,
              lambda: f"{watcher.names()}\n{watcher.log()}")
    node.kubectl("delete", "-n", NAMESPACE, "statefulset/set", "job/once", "--wait=true")


def bare_pod(name, script, **spec):
    """A pod that stays, of one container, without a volume."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"terminationGracePeriodSeconds": 1,
                     "hostAliases": [{"ip": node.ADDRESS, "hostnames": cluster.stage.HOSTS}],
                     "containers": [container("agent", [*script[:2], script[2] + "import time; time.sleep(3600)"])],
                     **spec}}


def container(name, script):
    return {"name": name, "image": "test.local/clients:1", "imagePullPolicy": "Never", "command": script}


def test_pods_and_containers_of_every_kind_are_named(watcher):
    """Of the host's network, static, of a DaemonSet; an init container, and one that was added to a pod."""
    again = [CALL[0], "-c", CALL[2] + "import time; time.sleep(3600)"]
    cluster.apply(bare_pod("outside", TRUSTING, hostNetwork=True, initContainers=[container("setup", TRUSTING)]),
                  bare_pod("joined", TRUSTING),
                  workload("DaemonSet", "each", {"selector": {"matchLabels": {"app": "each"}}}, again))
    node.write("static/still.json", json.dumps(bare_pod("still", TRUSTING)))
    node.wait(lambda: node.get("pod", "-n", NAMESPACE, "joined")["status"]["phase"] == "Running", 120,
              lambda: cluster.events(NAMESPACE))
    node.kubectl("debug", "-n", NAMESPACE, "joined", "--image=test.local/clients:1", "--container=debugger", "--",
                 *TRUSTING)
    wanted = {("Pod/outside", "setup"), ("Pod/outside", "agent"), ("Pod/joined", "agent"), ("Pod/joined", "debugger"),
              ("StaticPod/still", "agent"), ("DaemonSet/each", "agent")}
    node.wait(lambda: wanted <= {(w, c) for w, _, c in watcher.names()}, 120,
              lambda: f"{watcher.names()}\n{cluster.events(NAMESPACE)}\n{watcher.log()}")
    assert f"still-{node.NAME}" in {p for _, p, _ in watcher.names()}
    os.unlink(node.path("static/still.json"))
    node.kubectl("delete", "-n", NAMESPACE, "pod/outside", "pod/joined", "daemonset/each", "--wait=true")


def test_a_pod_that_is_gone_at_once_is_named(watcher):
    template = workload("Job", "x", {}, CALL)["spec"]["template"]
    name = "brief"
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
                   "spec": template["spec"]})
    node.wait(lambda: node.get("pod", "-n", NAMESPACE, name)["status"]["phase"] == "Succeeded", 120,
              lambda: cluster.events(NAMESPACE))
    node.kubectl("delete", "pod", "-n", NAMESPACE, name, "--grace-period=0", "--force")
    node.wait(lambda: ("Pod/brief", name, "agent") in watcher.names(), 60,
              lambda: f"{watcher.names()}\n{watcher.log()}")


def test_an_annotation_is_a_budget_and_the_pod_is_told(watcher, pod):
    def is_in_force():
        return any(a["subject"] == f"{NAMESPACE}/Deployment/named" and a["state"] == "in force"
                   for a in json.loads(watcher.ask("check", "--json")).get("annotations") or [])

    def events():
        found = node.get("events", "-n", NAMESPACE, "--field-selector", f"involvedObject.uid={pod.uid}")
        return [e for e in found["items"] if e["source"].get("component") == "aigress"
                and "annotation:" in e["message"]]

    node.wait(is_in_force, 60, watcher.log)
    assert pod.ask("/call?n=1") == [200]
    told = node.wait(events, 60, watcher.log)
    # rehearsed: the operator has not turned enforcement on
    assert told[0]["reason"] == "AigressRehearsed" and told[0]["type"] == "Normal"
    assert told[0]["involvedObject"]["name"] == pod.name
