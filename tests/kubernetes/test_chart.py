# SPDX-License-Identifier: Apache-2.0
"""The chart and what is rendered from it: what an API server takes, and what it asks for."""
import json
import shutil
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


def test_what_operators_pick_up_is_what_stands_beside_the_chart(helm):
    """Of kinds that an API server without those operators does not know."""
    rendered = {each["kind"] + "/" + each["metadata"]["name"]: each for each in yaml.safe_load_all(render(
        {"metrics.prometheusRule": "true", "metrics.dashboard.enabled": "true"}))}
    with open(f"{cluster.ROOT}/deploy/prometheus/aigress.rules.yaml", encoding="utf-8") as file:
        assert rendered["PrometheusRule/aigress"]["spec"] == yaml.safe_load(file), "make manifests"
    board = rendered["ConfigMap/aigress-dashboard"]
    with open(f"{cluster.ROOT}/deploy/grafana/aigress.json", encoding="utf-8") as file:
        assert json.loads(board["data"]["aigress.json"]) == json.load(file), "make manifests"
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("setting, said", [
    ("enforce=perhaps", "enforce"), ("metrcs.enabled=true", "metrcs"), ("metrics.port=0", "metrics.port"),
    ("names.kubelet=nodes", "names.kubelet"), ("config.enforce=true", "config"), ("image.repository=", "image.repository"),
])
def test_a_value_that_is_wrong_is_named(helm, setting, said):
    done = subprocess.run([cluster.HELM, "template", *cluster.RELEASE, "--set", setting], check=False,
                          capture_output=True, text=True)
    assert done.returncode and said in done.stderr, done.stderr


def test_the_notes_say_how_to_go_on(helm, tmp_path):
    """Helm shows them to who installs alone; so they are a manifest of a copy here."""
    chart = shutil.copytree(cluster.CHART, tmp_path / "chart")
    (chart / "templates" / "NOTES.txt").rename(chart / "notes.txt")
    (chart / "templates" / "notes.yaml").write_text('notes: {{ tpl (.Files.Get "notes.txt") . | quote }}\n')

    def notes(*settings):
        said = subprocess.run([cluster.HELM, "template", "aigress", str(chart), "-s", "templates/notes.yaml", *settings],
                              check=True, capture_output=True, text=True).stdout
        return yaml.safe_load(said)["notes"]
    assert "rehearsing" in notes() and "enforce --preview" in notes() and "aigress explain" in notes()
    assert "ENFORCING" in notes("--set", "enforce=true")
    uninstalling = notes("--set", "cleanup.enabled=true")
    assert "helm uninstall" in uninstalling and "aigress-test" in uninstalling


def test_helm_test_asks_the_service_and_is_nobody(helm):
    def test_pod(settings):
        return [each for each in yaml.safe_load_all(render(settings)) if each["kind"] == "Pod"]
    (pod,) = test_pod({})
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["check", "--url=http://aigress.aigress.svc:24473/readyz"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] and pod["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    daemons = next(each for each in yaml.safe_load_all(render({})) if each["kind"] == "DaemonSet")["spec"]["selector"]
    assert not daemons["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (pod,) = test_pod({"test.url": "http://10.0.0.7:1/readyz"})
    assert pod["spec"]["containers"][0]["args"][1] == "--url=http://10.0.0.7:1/readyz"
    assert not test_pod({"metrics.enabled": "false"}) and not test_pod({"cleanup.enabled": "true"})


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
