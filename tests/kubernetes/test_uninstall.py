# SPDX-License-Identifier: Apache-2.0
"""The last of all (by its name): the release goes, and the node is as it was."""
import os

import cluster
import node

def test_uninstalling_leaves_nothing(api, daemon, agents):
    cluster.helm("upgrade", *cluster.RELEASE, values={"config": cluster.CONFIG},
                 settings={"cleanup.enabled": "true", "cleanup.state": "true"})
    cluster.rollout(daemon)
    said = node.wait(daemon.log, 60, "what cleanup says")
    assert "nothing of aigress is left" in said, said
    cluster.helm_uninstall()
    node.kubectl("delete", "pod", "-n", "aigress", "-l", "app.kubernetes.io/name=aigress-test")
    node.wait(lambda: not node.get("pods", "-n", "aigress")["items"], 120,
              lambda: cluster.events("aigress"))
    for kind in ("daemonset", "configmap", "serviceaccount", "clusterrole", "clusterrolebinding"):
        left = [each["metadata"]["name"] for each in node.get(kind, "-A")["items"]
                if each["metadata"]["name"].startswith("aigress")]
        assert not left, f"{kind}: {left}"
    state = f"/proc/{node.holder()}/root/var/lib/aigress"
    assert not os.path.isdir(state) or os.listdir(state) == []
    assert not node.run(["find", "/sys/fs/bpf", "-mindepth", "1", "-name", "aigress*"]).stdout
    assert agents["python"].ask("/call?n=1") == [200]
