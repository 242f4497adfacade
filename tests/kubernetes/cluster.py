# SPDX-License-Identifier: Apache-2.0
"""
What the tests stand on: the node with our images, a fake API in the node's namespace that pods
reach by name, the chart, and programs in pods that are steered over HTTP.
"""
import collections
import json
import os
import subprocess
import sys

import image
import node

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import stage    # noqa: E402 (the bill, and how it is compared)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = stage.ROOT
CHART = os.path.join(ROOT, "deploy", "helm", "aigress")
HELM = os.path.join(node.BIN, "helm")
PLUGIN = os.path.join(ROOT, "deploy", "kubectl-aigress")
RELEASE = ["aigress", CHART, "--namespace", "aigress"]
OURS = {"image.repository": "test.local/aigress", "image.pullPolicy": "Never"}
AGENTS = "agents"       # the namespace of the pods that spend

CONFIG = {
    "attach": "everyone",
    "on-daemon-loss": "hold",
    "budgets": [{
        "name": "each-workload", "per": "workload", "match": {"namespace": "agents"},
        "limit": "20 USD", "window": "day", "zone": "UTC",
        "steps": [{"at": "40%", "do": "note"}, {"at": "50%", "do": "pace", "to": "1200 USD/hour"},
                  {"at": "100%", "do": "refuse"}]}],
}


def helm(*argv, values=None, settings=None):
    """Helm inside the node's namespaces; values is what --values would hold, settings what --set."""
    argv = list(argv)
    for key, value in {**OURS, **(settings or {})}.items():
        argv += ["--set", f"{key}={value}"]
    if values is not None:
        argv += ["--values", "-"]
    return node.run([HELM, "--kubeconfig", node.path("pki/admin.kubeconfig"), *argv],
                    input=json.dumps(values) if values is not None else "").stdout


def helm_uninstall():
    node.run([HELM, "--kubeconfig", node.path("pki/admin.kubeconfig"), "uninstall", RELEASE[0], *RELEASE[2:]])


def apply(*objects):
    node.kubectl("apply", "-f", "-", input=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": objects}))


class Api:
    """The fake API on the node's address, and its bill."""

    def __init__(self, directory):
        self.bill_file = os.path.join(directory, "bill.jsonl")
        stage.make_certificates(directory)
        with open(os.path.join(directory, "ca.pem"), encoding="ascii") as file:
            self.ca = file.read()
        self.log = open(os.path.join(directory, "api.log"), "w", encoding="utf-8")
        self.child = subprocess.Popen(
            node.enter([stage.PYTHON, os.path.join(stage.HERE, "fake_api.py"), directory,
                        "--address", node.ADDRESS]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError(f"the fake API did not start: see {directory}/api.log")

    def bill(self, run=None):
        with open(self.bill_file, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file if line.endswith("\n")]
        return [row for row in rows if run is None or row["run"] == run]

    def close(self):
        self.child.kill()
        self.child.wait()
        self.log.close()


def pod_template(labels, script, environment=()):
    """A pod of one container that reaches the fake API under the providers' names."""
    return {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "hostAliases": [{"ip": node.ADDRESS, "hostnames": stage.HOSTS}],
            "containers": [{
                "name": "agent", "image": "test.local/clients:1", "imagePullPolicy": "Never",
                "command": script,
                "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "SSL_CERT_FILE", "value": "/ca/ca.pem"},
                        {"name": "NODE_EXTRA_CA_CERTS", "value": "/ca/ca.pem"}, *environment],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
                "volumeMounts": [{"name": "ca", "mountPath": "/ca"}]}],
            "volumes": [{"name": "ca", "configMap": {"name": "ca"}}]}}


def deployment(name, script):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": AGENTS},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": pod_template(labels, script)}}


PYTHON_AGENT = ["/usr/bin/python3", "/usr/bin/agent.py"]
NODE_AGENT = ["/usr/bin/node", "/usr/bin/agent.mjs"]


class Pod:
    """One of our programs in a pod."""

    def __init__(self, row):
        self.name, self.uid = row["metadata"]["name"], row["metadata"]["uid"]
        self.address = row["status"]["podIP"]

    def ask(self, target, seconds=120):
        said = node.run(["curl", "-sS", "--fail", "--noproxy", "*", "--max-time", str(seconds * node.PATIENCE),
                         f"http://{self.address}:8080{target}"]).stdout
        return json.loads(said)

    def is_probed(self, daemon):
        """Whether the daemon says that it reads what this pod's processes send."""
        for process in daemon.json("check", "--json")["processes"]:
            try:
                with open(f"/proc/{process['pid']}/cgroup", encoding="utf-8") as file:
                    is_mine = f"pod{self.uid}" in file.read()
            except FileNotFoundError:
                continue
            if is_mine and all(each["state"] == "probed" for each in process["files"]):
                return True
        return False


def pods(app, namespace=AGENTS):
    """The pods of a label that are ready and not ending."""
    found = node.get("pods", "-n", namespace, "-l", app)["items"]
    return [Pod(row) for row in found if "deletionTimestamp" not in row["metadata"] and any(
        c["type"] == "Ready" and c["status"] == "True" for c in row["status"].get("conditions", []))]


def events(namespace):
    return node.kubectl("get", "events", "-n", namespace, check=False).stdout[-3000:]


def ready_pod(app):
    found = node.wait(lambda: pods(f"app={app}"), 180, lambda: events(AGENTS))
    assert len(found) == 1
    return found[0]


class Daemon:
    """The DaemonSet's pod on the node, and aigress in it."""

    def __init__(self):
        self.pod = None
        self.find()

    def find(self):
        found = node.wait(lambda: pods("app.kubernetes.io/name=aigress", "aigress"), 180,
                          lambda: events("aigress") + self.log())
        self.pod = found[0].name
        return self

    def run(self, *argv, check=True):
        command = ["exec", "-n", "aigress", self.pod, "--", "/usr/bin/aigress", *argv]

        def done():
            """A kubelet whose question to the API server took too long (in QEMU) lets nobody in for then."""
            it = node.kubectl(*command, check=False)
            return None if "Authorization error" in it.stderr else it
        it = node.wait(done, 30, "the kubelet lets nobody in")
        return node.checked(it) if check else it

    def json(self, *argv):
        return json.loads(self.run(*argv).stdout)

    def log(self):
        return node.kubectl("logs", "-n", "aigress", "-l", "app.kubernetes.io/name=aigress",
                            "--tail=50", check=False).stdout

    def calls(self, pod):
        rows = self.json("report", "--since", "all", "--format", "json", "--by",
                         "call,cgroup,host,provider,model,container,image,command,namespace,workload,pod")["rows"]
        return [row for row in rows if f"pod{pod.uid}" in row["cgroup"]]

    def actions(self):
        return self.json("explain", "--format", "json")["actions"]


def rollout(daemon):
    """Waits until the DaemonSet's pod is of its present template."""
    node.kubectl("rollout", "status", "-n", "aigress", "daemonset/aigress", f"--timeout={180 * node.PATIENCE}s")
    return daemon.find()


def must_agree(api, daemon, pod, n_calls):
    """Each of a pod's calls stands in the ledger as it was billed, and there is no other."""
    node.wait(lambda: len(daemon.calls(pod)) >= n_calls, 60,
              lambda: f"{n_calls} calls; there are {daemon.calls(pod)}\n{daemon.log()}")
    left, extra = stage.difference(api.bill(pod.name), daemon.calls(pod))
    assert not left and not extra, \
        f"billed, not in the ledger:\n{stage.shown(left)}\nin the ledger, not billed:\n{stage.shown(extra)}"
    assert len(api.bill(pod.name)) == n_calls


def nothing_twice(api, daemon, pod):
    """Every measured row of the ledger is of the bill, once. Returns how many there are."""
    told = collections.Counter(stage.ledgered(row) for row in daemon.calls(pod) if row["measured_calls"])
    bill = collections.Counter(stage.billed(row) for row in api.bill(pod.name))
    assert not told - bill, f"counted twice, or never billed: {told - bill}"
    return sum(told.values())


def load_images(directory):
    return [image.pause(directory, node.PAUSE),
            *image.aigress(directory, stage.AIGRESS, ["test.local/aigress:0.2.0", "test.local/aigress:next"]),
            image.clients(directory, "test.local/clients:1", stage.node(),
                          [os.path.join(HERE, "clients", name) for name in ("agent.py", "agent.mjs")])]
