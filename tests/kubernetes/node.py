#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A real Kubernetes node: kubelet, containerd, API server and the rest, as scripts/kubernetes built
them, in a network and a mount namespace of their own, so that nothing of it can leave this host
and nothing is left of it.

  node.py up                     until the node is Ready
  node.py down                   and everything is gone
  node.py images FILE...         docker archives into containerd
  node.py kubectl|enter ARG...   kubectl, or any command inside the namespaces

AIGRESS_LAB   where scripts/kubernetes put the programs
AIGRESS_NODE  the node's own folder, on a file system that overlayfs can write to
AIGRESS_NODE_CGROUP
              the kubelet's cgroup root. A kubelet kills what it finds in the pods' cgroups below
              its root and does not know, so on a shared host it has one of its own.
AIGRESS_NODE_PATIENCE
              how many times longer than usual things may take, as on an emulated processor
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

LAB = os.environ.get("AIGRESS_LAB") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or "/var/cache", "aigress-lab")
BIN = os.path.join(LAB, "bin")
HOME = os.environ.get("AIGRESS_NODE", "/var/tmp/aigress-node")
CGROUP = os.environ.get("AIGRESS_NODE_CGROUP", "/aigress-node")
PATIENCE = int(os.environ.get("AIGRESS_NODE_PATIENCE", "1"))
ADDRESS = "10.99.0.1"       # of the node and of its API server
PODS = "10.244.0.0"
NAME = "node1"
PAUSE = "test.local/pause:1"

# What the node writes at fixed places; each is covered by a tmpfs of its own.
COVERED = ["/var/log/pods", "/var/log/containers", "/var/lib/cni", "/var/lib/kubelet", "/run/containerd",
           "/run/netns", "/var/lib/aigress"]
HIERARCHIES = "/sys/fs/cgroup"


def wait(condition, seconds, what):
    """The first true value of condition(), asked five times a second."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.2)
    return value


def path(*parts):
    return os.path.join(HOME, *parts)


def write(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "w", encoding="utf-8") as file:
        file.write(text)


def holder():
    with open(path("holder.pid"), encoding="ascii") as file:
        return int(file.read())


def enter(argv):
    """A command inside the node's namespaces."""
    pid = holder()
    return ["nsenter", f"--net=/proc/{pid}/ns/net", f"--mount=/proc/{pid}/ns/mnt", *argv]


def run(argv, check=True, **options):
    done = subprocess.run(enter(argv), check=False, capture_output=True, text=True,
                          stdin=None if "input" in options else subprocess.DEVNULL,
                          **{"timeout": 300 * PATIENCE, **options})
    return checked(done) if check else done


def checked(done):
    """A command that has succeeded."""
    if done.returncode:
        raise AssertionError(f"{' '.join(done.args)[:400]}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


# ---- certificates and kubeconfigs ----

def openssl(*argv):
    subprocess.run(["openssl", *argv], cwd=path("pki"), check=True, capture_output=True)


def certificate(name, subject, usage, names=""):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    write(f"pki/{name}.ext", f"extendedKeyUsage={usage}\n"
          + (f"subjectAltName={names}\n" if names else ""))
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def kubeconfig(name, subject):
    certificate(name, subject, "clientAuth,serverAuth",
                f"DNS:{NAME},IP:{ADDRESS},IP:127.0.0.1" if name == NAME else "")
    write(f"pki/{name}.kubeconfig", json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": f"https://{ADDRESS}:6443",
                                               "certificate-authority": path("pki/ca.crt")}}],
        "users": [{"name": "u", "user": {"client-certificate": path(f"pki/{name}.crt"),
                                         "client-key": path(f"pki/{name}.key")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}))


def make_certificates():
    os.makedirs(path("pki"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test-ca")
    certificate("apiserver", "/CN=kube-apiserver", "serverAuth",
                f"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:10.96.0.1,IP:{ADDRESS}")
    certificate("to-kubelet", "/O=system:masters/CN=apiserver-kubelet-client", "clientAuth")
    kubeconfig(NAME, f"/O=system:nodes/CN=system:node:{NAME}")
    kubeconfig("admin", "/O=system:masters/CN=admin")
    kubeconfig("kube-controller-manager", "/CN=system:kube-controller-manager")
    kubeconfig("kube-scheduler", "/CN=system:kube-scheduler")
    kubeconfig("kube-proxy", "/CN=system:kube-proxy")
    openssl("genrsa", "-out", "sa.key", "2048")
    openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")


# ---- configuration ----

def configure():
    # restrict_oom_score_adj: a runtime without CAP_SYS_RESOURCE could start no pod
    write("containerd.toml", f"""
version = 2
root = "{path('containerd/root')}"
state = "{path('containerd/state')}"
[grpc]
  address = "{path('containerd.sock')}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{path('containerd/opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{path('cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
""")
    write("cni/10-bridge.conflist", json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [{
        "type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
        "ipam": {"type": "host-local", "dataDir": path("ipam"), "ranges": [[{"subnet": f"{PODS}/24"}]],
                 "routes": [{"dst": "0.0.0.0/0"}]}}]}))
    write("kubelet.yaml", json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": "0.0.0.0", "readOnlyPort": 0, "resolvConf": "",
        "clusterDNS": [ADDRESS], "clusterDomain": "cluster.local",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True, "cacheTTL": "2s"},
                           "x509": {"clientCAFile": path("pki/ca.crt")}},
        "authorization": {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "2s",
                                                         "cacheUnauthorizedTTL": "2s"}},
        "tlsCertFile": path(f"pki/{NAME}.crt"), "tlsPrivateKeyFile": path(f"pki/{NAME}.key"),
        "staticPodPath": path("static"), "featureGates": {"EphemeralContainers": True},
        "cgroupDriver": "cgroupfs", "cgroupRoot": CGROUP, "failSwapOn": False,
        "syncFrequency": "5s",      # a ConfigMap is in its pods after at most so long, and a cache's life
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "evictionHard": {"imagefs.available": "1%", "memory.available": "50Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100, "volumePluginDir": path("volplugins")}))
    write("proxy.yaml", json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "iptables", "clusterCIDR": f"{PODS}/16",
        "clientConnection": {"kubeconfig": path("pki/kube-proxy.kubeconfig")},
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}))


# ---- processes ----

started = {}        # name: (its process, its command)


def start(name, *argv):
    os.makedirs(path("log"), exist_ok=True)
    with open(path("log", f"{name}.log"), "ab") as log:
        child = subprocess.Popen(enter(["nice", "-n", "5", *argv]), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, start_new_session=True)
    write(f"log/{name}.pid", str(child.pid))
    started[name] = (child, argv)


def revive():
    """What waits ten seconds for the API server and gives up is started again, as on any node."""
    for name, (child, argv) in list(started.items()):
        if child.poll() is not None:
            start(name, *argv)


def last_words(name):
    with open(path("log", f"{name}.log"), encoding="utf-8", errors="replace") as file:
        return f"{name} said:\n{file.read()[-3000:]}"


# What containers and their network take, where it is not built in; each is asked for by its user too late
# or under a name that modprobe does not know.
MODULES = ["overlay", "bridge", "veth", "nf_nat", "nft_compat", "xt_comment", "xt_conntrack", "xt_MASQUERADE"]


def hold_namespaces():
    """A process that does nothing but keep the two namespaces."""
    os.makedirs(HOME)
    holder = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private",
                               "sleep", "infinity"], start_new_session=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    write("holder.pid", str(holder.pid))

    def is_apart():
        return os.readlink(f"/proc/{holder.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt") and \
            open(f"/proc/{holder.pid}/comm", encoding="ascii").read() == "sleep\n"
    wait(is_apart, 10, "a mount namespace")
    run(["mount", "--bind", HOME, HOME])
    run(["mount", "--make-rshared", "/"])     # volumes spread from the kubelet to its containers
    for module in MODULES:
        subprocess.run(["modprobe", "-q", module], check=False)
    write("made", "\n".join(each for each in COVERED if not os.path.isdir(each)))
    for covered in COVERED:
        os.makedirs(covered, exist_ok=True)
        run(["mount", "-t", "tmpfs", "node", covered])
    # Of the node's own, so that what its daemon pins goes with the mount namespace: the end of a pod may be a
    # kill, and then gates stay shut on purpose, at the host's cgroup root.
    run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
    for argv in (["link", "set", "lo", "up"], ["link", "add", "node0", "type", "bridge"],
                 ["addr", "add", f"{ADDRESS}/24", "dev", "node0"], ["link", "set", "node0", "up"],
                 ["route", "add", "default", "via", ADDRESS, "dev", "node0"]):
        run(["ip", *argv])


def hierarchies():
    """Mount points of cgroup v2, and of each v1 hierarchy beside it."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        fields = [line.split() for line in mounts]
    return [f[1] for f in fields if f[2] in ("cgroup", "cgroup2") and f[1].startswith(HIERARCHIES)]


def start_control_plane():
    start("etcd", f"{BIN}/etcd", "--data-dir", path("etcd"), "--unsafe-no-fsync",
          "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls",
          "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380")
    pki = path("pki")
    start("apiserver", f"{BIN}/kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
          f"--advertise-address={ADDRESS}", f"--bind-address={ADDRESS}", "--secure-port=6443",
          "--service-cluster-ip-range=10.96.0.0/16", f"--tls-cert-file={pki}/apiserver.crt",
          f"--tls-private-key-file={pki}/apiserver.key", f"--client-ca-file={pki}/ca.crt",
          f"--kubelet-client-certificate={pki}/to-kubelet.crt",
          f"--kubelet-client-key={pki}/to-kubelet.key", f"--kubelet-certificate-authority={pki}/ca.crt",
          "--kubelet-preferred-address-types=InternalIP",
          "--service-account-issuer=https://kubernetes.default.svc",
          f"--service-account-signing-key-file={pki}/sa.key", f"--service-account-key-file={pki}/sa.pub",
          "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
          "--allow-privileged=true", "--feature-gates=EphemeralContainers=true")
    wait(lambda: kubectl("get", "--raw", "/readyz", check=False).returncode == 0, 300,
         lambda: last_words("apiserver"))
    start("controllers", f"{BIN}/kube-controller-manager",
          f"--kubeconfig={pki}/kube-controller-manager.kubeconfig",
          f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt",
          f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
          "--use-service-account-credentials", "--leader-elect=false", "--bind-address=127.0.0.1",
          "--port=0")
    start("scheduler", f"{BIN}/kube-scheduler", f"--kubeconfig={pki}/kube-scheduler.kubeconfig",
          "--leader-elect=false", "--bind-address=127.0.0.1", "--port=0")


def start_node():
    start("containerd", "containerd", "--config", path("containerd.toml"))
    start("kubelet", f"{BIN}/kubelet", f"--config={path('kubelet.yaml')}",
          f"--kubeconfig={path('pki', NAME)}.kubeconfig", f"--hostname-override={NAME}",
          f"--node-ip={ADDRESS}", f"--root-dir={path('kubelet')}", f"--cert-dir={path('kubelet-pki')}",
          "--container-runtime=remote", "--network-plugin=cni",
          f"--container-runtime-endpoint=unix://{path('containerd.sock')}",
          f"--pod-infra-container-image={PAUSE}")
    start("proxy", f"{BIN}/kube-proxy", f"--config={path('proxy.yaml')}", f"--hostname-override={NAME}")


def is_ready():
    revive()
    node = kubectl("get", "node", NAME, "-o", "json", check=False)
    return node.returncode == 0 and any(c["type"] == "Ready" and c["status"] == "True"
                                        for c in json.loads(node.stdout)["status"]["conditions"])


def has_account():
    revive()
    return kubectl("get", "serviceaccount", "default", check=False).returncode == 0


def up():
    if is_held():
        raise RuntimeError(f"a node is up in {HOME}")
    if os.path.exists(HOME):
        down()      # what a run that was killed has left
    hold_namespaces()
    make_certificates()
    configure()
    os.makedirs(path("static"))
    if CGROUP != "/":
        for mount in hierarchies():
            os.makedirs(mount + CGROUP, exist_ok=True)
    start_control_plane()
    start_node()
    wait(is_ready, 300, lambda: last_words("kubelet"))
    wait(has_account, 120, lambda: last_words("controllers"))


# ---- the end ----

def ctr(*argv, check=True):
    return run(["ctr", "-a", path("containerd.sock"), "-n", "k8s.io", *argv], check=check)


def end(pid, seconds):
    """Asks a process to end, and then makes it; one that is our child is reaped."""
    def is_gone():
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return not os.path.exists(f"/proc/{pid}")

    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10)):
        try:
            os.kill(pid, number)
            wait(is_gone, patience, f"the end of {pid}")
            return
        except ProcessLookupError:
            return
        except AssertionError:
            pass


def end_rest():
    """What else lives in the node's mount namespace: containerd's shims, whose pods did not end."""
    ours = os.readlink(f"/proc/{holder()}/ns/mnt")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/mnt") == ours and int(pid) != holder():
                os.kill(int(pid), signal.SIGKILL)
        except OSError:     # gone; or pid 1, which not every root may look at
            pass


def below(directory):
    return [d for d, _, _ in os.walk(directory, topdown=False)]


def end_cgroups():
    """What still runs in the pods' cgroups, and the cgroups."""
    for mount in hierarchies():
        for directory in below(mount + CGROUP.rstrip("/") + "/kubepods"):
            def emptied(directory=directory):
                with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
                    pids = [int(line) for line in file]
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                return not pids

            def removed(directory=directory):
                try:
                    emptied()
                    os.rmdir(directory)
                except OSError:
                    pass
                return not os.path.isdir(directory)
            wait(removed, 10, f"{directory} to be empty")
        if CGROUP != "/" and os.path.isdir(mount + CGROUP):
            os.rmdir(mount + CGROUP)


def is_held():
    """Whether the namespaces are there; after a run that was killed their pid may be another's."""
    try:
        with open(f"/proc/{holder()}/comm", encoding="ascii") as file:
            return file.read() == "sleep\n" and \
                os.readlink(f"/proc/{holder()}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    except (OSError, ValueError):
        return False


def end_node():
    """Pods first, by the kubelet; then each process by its pid; the mounts go with the namespace."""
    for manifest in os.listdir(path("static")) if os.path.isdir(path("static")) else []:
        os.unlink(path("static", manifest))
    kubectl("delete", "daemonset,deployment,statefulset,job,cronjob,pod", "-A", "--all", "--grace-period=1",
            "--wait=true", "--timeout=60s", check=False)
    try:
        wait(lambda: not ctr("tasks", "ls", "-q", check=False).stdout.strip(), 60, "the containers' end")
    except AssertionError:
        print(f"node: {ctr('tasks', 'ls', check=False).stdout}", file=sys.stderr)
    for name in ("kubelet", "proxy", "scheduler", "controllers", "apiserver", "etcd", "containerd"):
        if os.path.exists(path("log", f"{name}.pid")):
            with open(path("log", f"{name}.pid"), encoding="ascii") as pid:
                end(int(pid.read()), 15)
    end_rest()
    end(holder(), 1)


def down():
    if is_held():
        end_node()
    end_cgroups()
    if os.path.exists(path("made")):
        with open(path("made"), encoding="ascii") as made:
            for directory in made.read().split():
                if os.path.isdir(directory):
                    os.rmdir(directory)
    shutil.rmtree(HOME, ignore_errors=True)


# ---- for tests ----

def kubectl(*argv, check=True, **options):
    return run([f"{BIN}/kubectl", "--kubeconfig", path("pki/admin.kubeconfig"), *argv], check, **options)


def get(*argv):
    """`kubectl get` as Python has it."""
    return json.loads(kubectl("get", *argv, "-o", "json").stdout)


def images(*files):
    for file in files:
        ctr("image", "import", file)


def main():
    commands = {"up": up, "down": down, "images": images}
    if len(sys.argv) > 1 and sys.argv[1] in commands:
        commands[sys.argv[1]](*sys.argv[2:])
    elif sys.argv[1:2] == ["kubectl"]:
        argv = enter([f"{BIN}/kubectl", "--kubeconfig", path("pki/admin.kubeconfig"), *sys.argv[2:]])
        os.execvp(argv[0], argv)
    elif sys.argv[1:2] == ["enter"]:
        argv = enter(sys.argv[2:])
        os.execvp(argv[0], argv)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
