# SPDX-License-Identifier: Apache-2.0
"""The chart and what is rendered from it: what an API server takes, and what it asks for."""
import subprocess

import pytest
import yaml

import cluster
import node

VARIANTS = {
    "as it is": {},
    "enforced": {"enforce": "true"},
    "with freeze": {"enforce": "true", "freeze": "true"},
    "before uninstalling": {"cleanup.enabled": "true", "cleanup.state": "true"},
    "names from the kubelet": {"names.api": "false", "names.kubelet": "nodes/proxy", "events": "false"},
    "metrics for one namespace": {r"metrics.networkPolicy.kubernetes\.io/metadata\.name": "monitoring"},
    "nothing listens": {"metrics.enabled": "false"},
    "no rights": {"names.api": "false", "events": "false"},
    "on SELinux": {"seLinuxOptions.type": "spc_t", "seccompProfile.type": "Unconfined"},
}


def render(settings):
    argv = [cluster.HELM, "template", *cluster.RELEASE]
    for key, value in settings.items():
        argv += ["--set", f"{key}={value}"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_the_chart_passes_helm_s_own_checks(helm):
    said = subprocess.run([cluster.HELM, "lint", "--strict", cluster.CHART], check=False,
                          capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_plain_manifests_are_the_chart_s(helm):
    rendered = subprocess.run([f"{cluster.ROOT}/deploy/kubernetes/render", cluster.HELM], check=True,
                              capture_output=True, text=True).stdout
    with open(f"{cluster.ROOT}/deploy/kubernetes/aigress.yaml", encoding="utf-8") as file:
        assert file.read() == rendered, "make manifests"


@pytest.mark.parametrize("name", VARIANTS)
def test_the_api_server_takes_it(api, name):
    said = node.kubectl("apply", "--dry-run=server", "--validate=true", "-f", "-",
                        input=render(VARIANTS[name])).stdout
    assert "daemonset.apps/aigress created (server dry run)" in said, said


@pytest.mark.parametrize("name", VARIANTS)
def test_no_variant_asks_for_more_than_it_uses(helm, name):
    """A capability that a variant has not named, a writable host path, a privileged container."""
    variant = VARIANTS[name]
    (pod,) = [each["spec"]["template"]["spec"] for each in yaml.safe_load_all(render(variant))
              if each["kind"] == "DaemonSet"]
    (container,) = pod["containers"]
    context = container["securityContext"]
    may_act = "enforce" in variant or "cleanup.enabled" in variant
    assert set(context["capabilities"]["add"]) == {
        "BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE", "SYS_NICE",
        *(("KILL", "SYS_ADMIN") if may_act else ())}
    assert context["privileged"] is False and context["readOnlyRootFilesystem"] is True
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    halts = {"/sys/fs/cgroup"} if "freeze" in variant or "cleanup.enabled" in variant else set()
    assert writable == {"/var/lib/aigress", "/sys/fs/bpf"} | halts
    assert "hostNetwork" not in pod and pod["hostPID"] is True


@pytest.mark.parametrize("name, rules", [
    ("as it is", {("pods", "list"), ("pods", "watch"), ("events", "create"), ("events", "patch")}),
    ("names from the kubelet", {("nodes/proxy", "get")}),
    ("no rights", set())])
def test_no_variant_has_a_right_that_it_does_not_name(helm, name, rules):
    given = {(resource, verb) for each in yaml.safe_load_all(render(VARIANTS[name]))
             if each["kind"] == "ClusterRole" for rule in each["rules"]
             for resource in rule["resources"] for verb in rule["verbs"]}
    assert given == rules
