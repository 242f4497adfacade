#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
First calls by fresh processes of many executables, 16 at a time in 20 cgroups, beside a daemon without a
configuration that knows none of them: how many are in the ledger as the bill has them. Each file is a copy with an
inode of its own. Root. Prints a table by client; exit code 1 if fewer than 99.9 % of those whose TLS is read are.

  tests/soak/first_calls.py [CALLS [EXECUTABLES]]     (1,000 and 200; of clients in AIGRESS_CLIENTS, if there are any)
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "integration")]

import drive                            # noqa: E402
import stage as lab                     # noqa: E402
import unread                           # noqa: E402

AT_ONCE, CGROUPS = 16, 20
GO_BUILDS = {"go": [], "go stripped": ["-ldflags=-s -w"], "go pie": ["-buildmode=pie"]}
# A runtime of 90 MB is copied a few times; a client of some MB as often as there is need of files.
BIG = 20 << 20
BIG_COPIES = 3


class Clients:
    """The clients of this host: an executable each, and the arguments that make one call with it."""

    def __init__(self, stage, directory):
        self.stage, self.directory = stage, directory
        self.unread = unread.Unread(directory, stage.ca)
        self.files = {}
        for name in ("curl", "wget", "node"):
            self.add(name, shutil.which(name))
        self.add("python3", os.path.realpath(lab.PYTHON))
        for name, flags in GO_BUILDS.items():
            self.add(name, self.go(name, flags))
        for name in sorted(os.listdir(drive.RELEASED)) if os.path.isdir(drive.RELEASED) else []:
            if name.startswith("bun"):
                self.add(name, os.path.join(drive.RELEASED, name, "package/bin/bun"))
            elif name.startswith("deno"):
                self.add(name, os.path.join(drive.RELEASED, name, "package/deno"))

    def add(self, name, file):
        if file and os.access(file, os.X_OK):
            self.files[name] = file

    def go(self, name, flags):
        if not shutil.which("go"):
            return None
        program = os.path.join(self.directory, name.replace(" ", "-"))
        env = dict(os.environ, GO111MODULE="off", GOFLAGS="", HOME=self.directory, GOCACHE=self.directory + "/cache")
        subprocess.run(["go", "build", *flags, "-o", program, "client.go"], cwd=drive.CLIENTS, check=True, env=env)
        return program

    def copies(self, n):
        """(client, file) of n files: all clients in turn, and those that are small on and on."""
        made, turn = [], 0
        while len(made) < n:
            for name, file in self.files.items():
                if len(made) == n or (os.path.getsize(file) > BIG and turn >= BIG_COPIES):
                    continue
                to = os.path.join(self.directory, f"{name.replace(' ', '-')}-{turn}")
                shutil.copy(file, to)
                os.chmod(to, 0o755)
                made.append((name, to))
            turn += 1
        return made

    def argv(self, name, file, work):
        if name == "curl":
            return [file, *drive.curl(work)[1:]]
        if name == "wget":
            return [file, *self.unread.command("wget", work)[1:]]
        if name == "python3":
            return [file, os.path.join(drive.CLIENTS, "python.py"), "http.client", json.dumps(work)]
        if name.startswith("go"):
            return [file, json.dumps(work)]
        run = ["run", "-A", "--no-remote", f"--cert={self.stage.ca}"] if name.startswith("deno") else []
        return [file, *run, os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]


def call(stage, argv, cgroup):
    env = dict(stage.environment, NODE_TLS_REJECT_UNAUTHORIZED="0", DENO_NO_UPDATE_CHECK="1",
               DENO_DIR=stage.directory + "/deno")
    return subprocess.run(argv, env=env, preexec_fn=cgroup.enter, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False).returncode


def make_calls(stage, clients, files, n_calls):
    """The client of each run, and those that failed by themselves."""
    cgroups = [stage.cgroup(f"first-{i}") for i in range(CGROUPS)]
    of, failed = {}, collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {}
        for i in range(n_calls):
            name, file = files[i % len(files)]
            run = f"{os.getpid()}-{i}"
            of[run] = name
            argv = clients.argv(name, file, drive.job(drive.CHAT, run))
            jobs[pool.submit(call, stage, argv, cgroups[i % CGROUPS])] = name
        for job in concurrent.futures.as_completed(jobs):
            if job.result():
                failed[jobs[job]] += 1
    return cgroups, of, failed


def judge(stage, daemon, cgroups, of):
    """Calls by client, and those that the ledger lacks."""
    bill = []
    with open(stage.api.bill_file, encoding="utf-8") as file:
        bill = [row for row in map(json.loads, file) if row["run"] in of]

    def ledger():
        rows = daemon.all_calls()
        return [row for cgroup in cgroups for row in lab.within(rows, cgroup)]
    try:
        lab.wait(lambda: len(ledger()) >= len(bill), 20)
    except AssertionError:
        pass    # what is missing is told below
    left, _ = lab.difference(bill, ledger())
    calls = collections.Counter(of[row["run"]] for row in bill)
    return calls, collections.Counter(of[row["run"]] for row in left)


def main():
    n_calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    n_files = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    if os.geteuid() != 0:
        sys.exit("first_calls.py needs root")
    with tempfile.TemporaryDirectory(prefix="aigress-first-") as directory:
        for name in ("stage", "state", "clients"):
            os.mkdir(os.path.join(directory, name))
        os.chmod(directory, 0o755)
        stage = lab.Stage(pathlib.Path(directory, "stage"))
        try:
            clients = Clients(stage, os.path.join(directory, "clients"))
            files = clients.copies(n_files)
            daemon = lab.Daemon(stage, os.path.join(directory, "state")).start()
            cgroups, of, failed = make_calls(stage, clients, files, n_calls)
            calls, missed = judge(stage, daemon, cgroups, of)
            counters = json.loads(daemon.run("check", "--json", check=False).stdout or "{}").get("counters")
            daemon.stop()
        finally:
            stage.close()
    for name in clients.files:
        print(f"{name:20} {calls[name]:6} calls, {missed[name]} not measured, {failed[name]} failed by themselves")
    share = 1 - sum(missed.values()) / max(1, sum(calls.values()))
    print(f"{n_files} executables of {len(clients.files)} builds, {sum(calls.values())} calls: {share:.2%} measured")
    if counters:
        print({name: n for name, n in counters.items() if name.startswith("first_calls")})
    sys.exit(share < 0.999)


if __name__ == "__main__":
    main()
