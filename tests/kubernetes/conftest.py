# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

import pytest

import cluster
import node


def provide(*what):
    """Kubernetes and Helm, or Helm alone, built or fetched where this host has them not yet."""
    done = subprocess.run([os.path.join(cluster.ROOT, "scripts", "kubernetes"), node.LAB, *what],
                          check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.skip(f"not to be had here: {done.stderr.strip()[-500:]}")


@pytest.fixture(scope="session")
def programs():
    if os.environ.get("WITHOUT_NODE"):
        pytest.skip("needs a node: make check-kubernetes")
    provide()


@pytest.fixture(scope="session")
def helm():
    provide("helm")


@pytest.fixture(scope="session")
def api(programs, tmp_path_factory):
    """The node is up, our images are on it, and the providers answer."""
    if os.geteuid() != 0:
        pytest.exit("the node needs root: sudo make check-kubernetes", returncode=1)
    directory = str(tmp_path_factory.mktemp("cluster"))
    images = cluster.load_images(directory)
    started = None
    try:
        node.up()
        node.images(*images)
        started = cluster.Api(directory)
        node.kubectl("create", "namespace", cluster.AGENTS)
        node.kubectl("create", "namespace", "aigress")
        cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "ca", "namespace": cluster.AGENTS}, "data": {"ca.pem": started.ca}})
        yield started
    finally:
        if started:
            started.close()
        node.down()


@pytest.fixture(scope="session")
def daemon(api):
    """The release, installed by Helm."""
    cluster.helm("install", *cluster.RELEASE, values={"config": cluster.CONFIG}, settings={"enforce": "true"})
    return cluster.Daemon()


@pytest.fixture(scope="session")
def agents(daemon):
    """Two programs that spend, in Deployments, and read by the daemon before their first call."""
    cluster.apply(cluster.deployment("python", cluster.PYTHON_AGENT),
                  cluster.deployment("node", cluster.NODE_AGENT))
    found = {name: cluster.ready_pod(name) for name in ("python", "node")}
    for pod in found.values():
        node.wait(lambda pod=pod: pod.is_probed(daemon), 60,
                  lambda: daemon.run("check").stdout + daemon.log())
    return found
