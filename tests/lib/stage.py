# SPDX-License-Identifier: Apache-2.0
"""
What a test stands on: private namespaces with AI hosts on loopback, a fake API, cgroups, and
processes that are all ended and removed, whatever happened.
"""
import collections
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal

import waiting

wait, steady = waiting.wait, waiting.steady

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
AIGRESS = os.environ.get("AIGRESS", os.path.join(ROOT, "build", "aigress"))
PYTHON = "/usr/bin/python3"
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"

HOSTS = ["api.anthropic.com", "api.openai.com", "bystander.test", "generativelanguage.googleapis.com",
         "aiplatform.googleapis.com"]
SERVER, SERVER_ADDRESS = "server.test", "10.98.0.1"     # no AI host; other Spaces reach it, too

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def syscall(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def cgroup2_mount():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    raise RuntimeError("no cgroup v2 mount on this host")


def alive(pid):
    """True for a process that runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Namespaces:
    """
    The test process itself moves into a network and a mount namespace of its own, so everything
    that it starts is inside, and nothing is left when it ends. enter() takes a child back outside.
    """

    def __init__(self, directory):
        self.net = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.mnt = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        syscall("unshare", CLONE_NEWNET | CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", SERVER_ADDRESS + "/32", "dev", "lo"], check=True)
        hosts = os.path.join(directory, "hosts")
        with open(hosts, "w", encoding="utf-8") as file:
            file.write(f"127.0.0.1 localhost\n{SERVER_ADDRESS} {SERVER}\n")
            for number, host in enumerate(HOSTS):
                file.write(f"127.0.0.{10 + number} {host}\n")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)

    def enter(self):
        here = os.getcwd()
        syscall("setns", self.net, CLONE_NEWNET)
        syscall("setns", self.mnt, CLONE_NEWNS)
        os.chdir(here)


class Space:
    """A network namespace as another node has it, with a wire to the stage's: it reaches SERVER."""
    n_made = 0

    def __init__(self, stage):
        Space.n_made += 1
        here, there = f"10.98.{Space.n_made}.1", f"10.98.{Space.n_made}.2"
        holder = stage.guests.start(["unshare", "--net", "sleep", "infinity"])
        net = f"/proc/{holder.pid}/ns/net"
        wait(lambda: os.readlink(net) != os.readlink("/proc/self/ns/net"), 10)
        self.net = os.open(net, os.O_RDONLY | os.O_CLOEXEC)
        wire = f"wire{Space.n_made}"
        for line in (f"ip link add {wire} type veth peer name up0 netns {holder.pid}",
                     f"ip address add {here}/30 dev {wire}", f"ip link set {wire} up"):
            subprocess.run(line.split(), check=True)
        for line in ("ip link set lo up", f"ip address add {there}/30 dev up0", "ip link set up0 up",
                     f"ip route add {SERVER_ADDRESS}/32 via {here}"):
            subprocess.run(["nsenter", f"--net={net}", *line.split()], check=True)

    def enter(self):
        syscall("setns", self.net, CLONE_NEWNET)


class Cgroup:
    """A v2 cgroup that a test made; `path` is as aigress reports it."""

    def __init__(self, name):
        self.path = name
        self.directory = cgroup2_mount() + name
        os.makedirs(self.directory, exist_ok=True)

    @property
    def procs(self):
        return os.path.join(self.directory, "cgroup.procs")

    def pids(self):
        with open(self.procs, encoding="ascii") as file:
            return [int(line) for line in file]

    def enter(self):
        with open(self.procs, "w", encoding="ascii") as file:
            file.write("0")

    def remove(self):
        def all_pids():
            found = []
            for directory, _, _ in os.walk(self.directory):
                try:
                    with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
                        found += [int(line) for line in file]
                except OSError:
                    pass
            return found

        def emptied():
            for pid in all_pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not all_pids()

        if not os.path.isdir(self.directory):
            return
        wait(emptied, 10, f"{self.directory} to be empty")
        for directory, _, _ in os.walk(self.directory, topdown=False):
            wait(lambda directory=directory: not os.path.isdir(directory) or rmdir(directory), 5,
                 f"rmdir {directory}")


def rmdir(directory):
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def bpf_objects(pid):
    """The BPF programs and links that a process holds; a host may have others' beside them."""
    held = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                held |= set(re.findall(r"^(prog|link)_id:\s*(\d+)$", file.read(), re.M))
        except FileNotFoundError:
            pass
    return held


def bpf_left(held):
    """Which of them are still there."""
    found = set()
    for kind in ("prog", "link"):
        said = subprocess.run([BPFTOOL, "-j", kind, "list"], check=True, capture_output=True).stdout
        found |= {(kind, str(each["id"])) for each in json.loads(said)}
    return held & found


class Children:
    """Starts processes in cgroups and ends them all."""

    def __init__(self):
        self.children = []

    def start(self, argv, cgroup=None, where=None, **options):
        def before_exec():
            if cgroup:
                cgroup.enter()
            if where:
                where.enter()
        options.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(argv, preexec_fn=before_exec, **options)
        self.children.append(child)
        return child

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                pass
            for stream in child.stdin, child.stdout, child.stderr:
                if stream:
                    stream.close()
        self.children = []


def make_certificates(directory):
    """A CA and one leaf for all hosts, by openssl."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=aigress test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=api")
    names = ",".join(f"DNS:{host}" for host in [*HOSTS, SERVER])
    with open(os.path.join(directory, "leaf.ext"), "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "leaf.ext", "-out", "leaf.pem")


def client_environment(ca, scratch):
    """`scratch`: what runtimes unpack (Bun does so with add-ons) goes where the test's own files go."""
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return dict(env, SSL_CERT_FILE=ca, NODE_EXTRA_CA_CERTS=ca, REQUESTS_CA_BUNDLE=ca,
                CURL_CA_BUNDLE=ca, PYTHONDONTWRITEBYTECODE="1", TMPDIR=scratch)


def numbers(tokens):
    """Tokens in the report's classes."""
    t = collections.defaultdict(int, tokens)
    return {"input": t["input"], "cache_read": t["cache_read"],
            "cache_write": t["cache_write_5m"] + t["cache_write_1h"] + t["cache_write"],
            "output": t["output"], "reasoning": t["reasoning"]}


class Api:
    """The fake API, running, and its bill."""

    def __init__(self, directory, children, cgroup):
        self.bill_file = os.path.join(directory, "bill.jsonl")
        self.log = open(os.path.join(directory, "api.log"), "w", encoding="utf-8")
        self.child = children.start([PYTHON, os.path.join(HERE, "fake_api.py"), directory],
                                    cgroup=cgroup, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError(f"the fake API did not start: see {directory}/api.log")

    def bill(self, run):
        rows = []
        with open(self.bill_file, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    row = json.loads(line)
                    if row["run"] == run:
                        rows.append(row)
        return rows


def config(directory, text):
    file = os.path.join(str(directory), "aigress.yaml")
    with open(file, "w", encoding="utf-8") as out:
        # no test asks the network's resolver for a real host
        out.write(text if "resolve:" in text else text + "resolve: false\n")
    return file


def rewrite(daemon, text):
    """Another configuration, as an editor does: another file, moved over the first."""
    with open(daemon.config + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(daemon.config + ".new", daemon.config)


class Daemon:
    """
    aigress run, and the other subcommands on its ledger. where: "outside" or "inside" the stage's
    namespaces, or a Space. clock: a Clock that it goes by, else the host's.
    """

    def __init__(self, stage, state, config=None, where="outside", clock=None):
        self.stage, self.state, self.config = stage, state, config
        self.where = {"outside": stage.namespaces, "inside": None}.get(where, where)
        self.clock = clock
        self.log = os.path.join(state, "run.log")
        self.child = None
        self.agreed = []    # (cgroup, its bill), to be looked at again at the end

    def start(self, *options):
        os.makedirs(self.state, exist_ok=True)
        argv = [AIGRESS, "run", "--state", self.state, *options]
        if self.config:
            argv += ["--config", self.config]
        with open(self.log, "ab") as log:
            begin = log.tell()
            self.child = self.stage.children.start(
                argv, stdout=log, stderr=log, where=self.where,
                env=self.clock.environment() if self.clock else None)

        def ready():
            if self.child.poll() is not None:
                raise AssertionError(f"aigress run ended with {self.child.returncode}:\n{self.tail()}")
            with open(self.log, encoding="utf-8", errors="replace") as file:
                file.seek(begin)
                return any(line.strip().endswith("ready") for line in file)
        wait(ready, 60, lambda: "ready:\n" + self.tail())
        return self

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self):
        """As much as a message of a test should show of it."""
        return self.said()[-4000:]

    def stop(self, number=signal.SIGTERM):
        if self.child and self.child.poll() is None:
            self.child.send_signal(number)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                raise AssertionError(f"aigress did not end within 20 s:\n{self.tail()}") from None
        return self.child.returncode if self.child else None

    def must_still_agree(self):
        """
        What agreed with its bill still does, now that every flow has ended and been settled: no row
        by size has come late for what was measured.
        """
        rows = self.all_calls() if self.agreed else []
        for cgroup, bill in self.agreed:
            extra = difference(bill, within(rows, cgroup))[1]
            assert not extra, f"charged twice, in {cgroup.path}:\n{shown(extra)}"

    def fact(self, name):
        """What the daemon tells the other subcommands; None: nothing yet."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/ledger.db?mode=ro", uri=True)) as db:
            row = db.execute("SELECT value FROM facts WHERE key = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def run(self, command, *args, check=True):
        done = subprocess.run([AIGRESS, command, "--state", self.state, *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
        if check and done.returncode:
            raise AssertionError(f"aigress {command} {args}: {done.returncode}\n{done.stderr}")
        return done

    def report(self, by, *args):
        return json.loads(self.run("report", "--by", by, "--format", "json", *args).stdout)["rows"]

    def all_calls(self):
        return self.report("call,cgroup,host,provider,model,source,pid,command,container,unit")

    def calls(self, cgroup):
        """The calls of a cgroup and of those below it."""
        return within(self.all_calls(), cgroup)


def within(rows, cgroup):
    return [row for row in rows
            if row["cgroup"] == cgroup.path or row["cgroup"].startswith(cgroup.path + "/")]


def money(text):
    """None: nothing of it has a price."""
    return Decimal(text or 0)


def billed(row):
    """A bill's row as it must stand in the ledger."""
    return (row["host"], row["path"], row["model"], row["status"],
            tuple(sorted(numbers(row["tokens"]).items())), money(row["cost_usd"]))


def ledgered(row):
    return (row["host"], row["path"], row["model"], row["status"],
            tuple(sorted(numbers(row["tokens"]).items())), money(row["cost_usd"]))


def difference(bill, ledger):
    """The rows of the bill that the ledger lacks, and those that it should not have."""
    left, extra = [], list(ledger)
    for row in bill:
        match = next((told for told in extra if ledgered(told) == billed(row)), None)
        if match:
            extra.remove(match)
        else:
            left.append(row)
    return left, extra


def shown(rows):
    return "\n".join(json.dumps(row) for row in rows[:10])


class Stage:
    """Everything together; one for the whole session."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.name = f"/aigress-test-{os.getpid()}"
        self.children = Children()
        self.guests = Children()    # of the present test
        self.cgroups = []
        self.n_runs = 0
        self.namespaces = Namespaces(self.directory)
        make_certificates(self.directory)
        self.ca = os.path.join(self.directory, "ca.pem")
        scratch = os.path.join(self.directory, "scratch")
        os.mkdir(scratch)
        os.chmod(scratch, 0o1777)
        self.environment = client_environment(self.ca, scratch)
        self.server_cgroup = self.cgroup("server")
        self.api = Api(self.directory, self.children, self.server_cgroup)

    def cgroup(self, name):
        group = Cgroup(f"{self.name}/{name}")
        self.cgroups.append(group)
        return group

    def new_run(self, name="run"):
        """A fresh name, for the bill, and its cgroup."""
        self.n_runs += 1
        run = f"{name}-{self.n_runs}"
        return run, self.cgroup(run)

    def client(self, argv, cgroup, **options):
        options.setdefault("env", self.environment)
        return self.guests.start(argv, cgroup=cgroup, **options)

    def outside(self, *argv):
        """A command's output, where daemons run: bpffs is mounted there."""
        child = self.children.start(argv, where=self.namespaces, stdout=subprocess.PIPE, text=True)
        return child.communicate(timeout=60)[0]

    def settle(self, daemon, run, cgroup, n_calls, seconds=20):
        """Waits until bill and ledger both hold n_calls; returns them as sorted tuples."""
        wait(lambda: len(self.api.bill(run)) >= n_calls, seconds,
             lambda: f"{n_calls} calls in the bill, there are {len(self.api.bill(run))}")
        wait(lambda: len(daemon.calls(cgroup)) >= n_calls, seconds,
             lambda: f"{n_calls} calls in the ledger, there are {len(daemon.calls(cgroup))}; "
                     f"aigress said:\n{daemon.tail()}")
        return self.api.bill(run), daemon.calls(cgroup)

    def must_agree(self, daemon, run, cgroup, n_calls):
        """The ledger equals the bill: each call's tokens and money, and the sums."""
        bill, ledger = self.settle(daemon, run, cgroup, n_calls)
        left, extra = difference(bill, ledger)
        assert not left and not extra, f"billed, not in the ledger:\n{shown(left)}\n" \
                                       f"in the ledger, not billed:\n{shown(extra)}"
        assert len(bill) == n_calls
        for row in ledger:
            assert row["measured_calls"] == 1 or row["status"] >= 400, row
        sums = [row for row in daemon.report("cgroup") if row["cgroup"] == cgroup.path]
        assert sum(money(r["cost_usd"]) for r in sums) == sum(money(r["cost_usd"]) for r in bill)
        assert sum(r["calls"] for r in sums) == n_calls
        daemon.agreed.append((cgroup, bill))
        return ledger

    def close(self):
        self.guests.end()
        self.children.end()
        for group in reversed(self.cgroups):
            group.remove()
        rmdir(cgroup2_mount() + self.name)


def node():
    return shutil.which("node")


def die(message):
    print(message, file=sys.stderr)
    sys.exit(1)
