# SPDX-License-Identifier: Apache-2.0
"""
Who plays in the soak. Each has step(), which never waits for long, and end(), after which none of its
processes is left. One thread calls them all, so a run's order is that of this program.
"""
import itertools
import json
import subprocess
import time

import drive
import stage as lab

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
CLIENT_SECONDS = 60

# A stream is left by a reset: what is unread in the socket is thrown away at both ends.
RESET = """
import http.client, json, socket, struct, sys
job = json.loads(sys.argv[1])
peer = http.client.HTTPSConnection(job["host"], timeout=60)
peer.request("POST", job["path"], json.dumps(job["body"]), dict(job["headers"], **{"content-type": "application/json"}))
peer.getresponse().read(300)
peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
plain = socket.socket(fileno=peer.sock.detach())
plain.close()
"""


class Lane:
    """One client after the other in a cgroup, each with its connection and `calls` on it."""

    def __init__(self, stage, name, kind, api, stream=False, pause=0, may_fail=False, **more):
        self.stage, self.kind, self.pause, self.may_fail = stage, kind, pause, may_fail
        self.run, self.cgroup = stage.new_run(name)
        self.work = drive.job(api, self.run, stream, **more)
        self.child, self.n, self.failed, self.next = None, 0, [], 0

    def step(self):
        if self.child and self.child.poll() is None:
            return
        self.reap()
        if time.monotonic() >= self.next:
            self.child = self.stage.client(drive.command(self.kind, self.work), self.cgroup, **QUIET)
            self.n += 1
            self.next = time.monotonic() + self.pause

    def reap(self):
        if self.child and self.child.returncode:
            self.failed.append(self.child.returncode)
        self.child = None

    def end(self):
        if self.child:
            self.child.wait(CLIENT_SECONDS)
        self.reap()
        assert self.may_fail or not self.failed, f"{self.kind} in {self.run} ended with {self.failed}"


class Churn:
    """Pods come and go: a cgroup is made, a client in it makes one to three calls, both are gone."""
    AT_ONCE = 3

    def __init__(self, stage, rng):
        self.stage, self.rng = stage, rng
        self.run, self.cgroup = stage.new_run("churn")
        self.live, self.n, self.failed = [], 0, []

    def step(self):
        for pod, child in list(self.live):
            if child.poll() is not None:
                self.reap(pod, child)
        if len(self.live) < self.AT_ONCE:
            self.n += 1
            pod = lab.Cgroup(f"{self.cgroup.path}/pod-{self.n}")
            work = drive.job(self.rng.choice([drive.ANTHROPIC, drive.CHAT]), self.run,
                             stream=self.rng.random() < 0.3, calls=self.rng.randint(1, 3),
                             settings={"delay_ms": 10})
            self.live.append((pod, self.stage.client(drive.command("curl", work), pod, **QUIET)))

    def reap(self, pod, child):
        self.live.remove((pod, child))
        if child.returncode:
            self.failed.append(child.returncode)
        pod.remove()

    def end(self):
        for pod, child in list(self.live):
            child.wait(CLIENT_SECONDS)
            self.reap(pod, child)
        assert not self.failed, f"curl ended with {self.failed}"


class Torn:
    """Streams that do not end: the client is killed in the middle, or resets its connection."""

    def __init__(self, stage, rng):
        self.stage, self.rng = stage, rng
        self.run, self.cgroup = stage.new_run("torn")
        self.work = drive.job(drive.ANTHROPIC, self.run, stream=True,
                              settings={"events": 200, "delay_ms": 20})
        self.child, self.until, self.n = None, 0, 0

    def step(self):
        if self.child and self.child.poll() is None:
            if time.monotonic() < self.until:
                return
            self.child.kill()
            self.child.wait()
        resets = self.n % 2
        argv = [lab.PYTHON, "-c", RESET, json.dumps(self.work)] if resets else \
            drive.command("http.client", self.work)
        self.child = self.stage.client(argv, self.cgroup, **QUIET)
        self.until = time.monotonic() + (CLIENT_SECONDS if resets else self.rng.uniform(0.3, 1.5))
        self.n += 1

    def end(self):
        if self.child:
            self.child.kill()
            self.child.wait()


class Bystanders:
    """Processes that have nothing to do with AI: forks, execs, TLS to somebody else."""
    SHELL = "for i in 1 2 3 4 5; do (exec /bin/true); done; exec /bin/true"

    def __init__(self, stage):
        self.stage = stage
        self.run, self.cgroup = stage.new_run("bystander")
        other = drive.job(("bystander.test", "/"), self.run, body={"model": "none"})
        self.turns = itertools.cycle([["sh", "-c", self.SHELL], drive.command("curl", other)])
        self.child, self.n = None, 0

    def step(self):
        if not self.child or self.child.poll() is not None:
            self.child = self.stage.client(next(self.turns), self.cgroup, **QUIET)
            self.n += 1

    def end(self):
        if self.child:
            self.child.wait(CLIENT_SECONDS)


class Turns:
    """Does one of its deeds each `every` seconds, in turn."""

    def __init__(self, every, deeds):
        self.every, self.deeds = every, itertools.cycle(deeds)
        self.next = time.monotonic() + every

    def step(self):
        if time.monotonic() >= self.next:
            next(self.deeds)()
            self.next = time.monotonic() + self.every

    def end(self):
        pass


def lanes(stage):
    """Those whose every call must be in the ledger as it was billed."""
    made = [Lane(stage, "json", "http.client", drive.ANTHROPIC, calls=40, settings={"delay_ms": 80}),
            Lane(stage, "sse", "http.client", drive.CHAT, stream=True, calls=15,
                 settings={"events": 10, "delay_ms": 30}),
            Lane(stage, "curl", "curl", drive.RESPONSES, stream=True, calls=15,
                 settings={"events": 10, "delay_ms": 30})]
    if lab.node():
        made.append(Lane(stage, "node", "fetch", drive.ANTHROPIC, stream=True, calls=20,
                         settings={"events": 10, "delay_ms": 30}))
    return made


def disturbed(stage):
    """Those whom a budget holds up."""
    return [Lane(stage, "refused", "curl", drive.ANTHROPIC, calls=3, pause=0.5, may_fail=True),
            Lane(stage, "paced", "http.client", drive.ANTHROPIC, calls=20, pause=0.5, may_fail=True)]
