# SPDX-License-Identifier: Apache-2.0
"""
Which socket carries which TLS connection, for each stack that is read, held against what the server saw: each
call has a key of its own, the server notes it with the client's port, and the recorded events have it in the
plaintext of a connection and a pair of that connection with a port. Many runs use a port again: a socket is known by
its port and the run whose keys it carried, in the network namespace of the clients.
"""
import collections
import json
import os
import random
import re
import struct
import subprocess

import pytest

import drive
import stage as lab
import unread

HOST, PATH = drive.CHAT
LANES, ROUNDS = int(os.environ.get("AIGRESS_LANES", 24)), 3    # connections at once, calls of each
RUNS = -(-int(os.environ.get("AIGRESS_PAIRS", 1)) // LANES)     # for that many sockets of each stack

# include/event.h
EV_DATA, EV_PAIR, EV_OUT = 1, 10, 0
HOW = ["record", "call", "length"]
Event = collections.namedtuple("Event", "type id time data")


def events_of(file):
    with open(file, "rb") as whole:
        data = whole.read()
    at = 16
    while at + 4 <= len(data):
        size = struct.unpack_from("=I", data, at)[0]
        kind, _, _, number, time = struct.unpack_from("=IIQQQ", data, at + 4)
        yield Event(kind, number, time, data[at + 4:at + 4 + size])
        at += 4 + size


class Pairs:
    """What a recording says of a run: each pair of a connection with a port, and each connection's keys."""

    def __init__(self, file, run):
        netns = os.stat("/proc/self/ns/net").st_ino     # the clients are in that of this process
        self.pairs = []                                 # (port, connection, how, time)
        self.keys = collections.defaultdict(set)
        self.answered = {}
        for event in events_of(file):
            if event.type == EV_PAIR:
                space, port = struct.unpack_from("=IH", event.data, 96)
                connection, how = struct.unpack_from("=QI", event.data, 416)
                if space == netns:
                    self.pairs.append((port, connection, HOW[how], event.time))
            elif event.type == EV_DATA and event.data[44] == EV_OUT:
                self.keys[event.id] |= set(re.findall(rb"((?:first-)?%s(?:-\d+)+)\." % run.encode(), event.data))
            elif event.type == EV_DATA:
                self.answered.setdefault(event.id, event.time)

    def judge(self, truth):
        """truth: the keys by socket. How many were paired before their first answer, by how; and the wrong ones."""
        in_time, wrong = {}, []
        ports = {port for port, _ in truth}
        for port, connection, how, time in self.pairs:
            if port not in ports:
                continue
            keys = self.keys[connection]
            sockets = {(port, run_of(key)) for key in keys}
            if len(sockets) != 1 or keys - truth.get(min(sockets), set()):
                wrong.append((port, how, keys))
            elif time < self.answered.get(connection, 0):
                in_time.setdefault(min(sockets), how)
        return in_time, wrong


def run_of(key):
    """A key is RUN-NUMBER-LANE-ROUND, or that of the first call."""
    return key.rsplit(b"-", 2)[0]


def script(name):
    return os.path.join(drive.CLIENTS, name)


def go(directory):
    program = str(directory / "parallel")
    if not os.path.exists(program):
        env = dict(os.environ, GO111MODULE="off", GOFLAGS="", HOME=str(directory), GOCACHE=str(directory / "cache"))
        subprocess.run(["go", "build", "-ldflags=-s -w", "-o", program, "parallel.go"], cwd=drive.CLIENTS, check=True,
                       env=env)
    return program


def command(kind, stage, directory):
    if kind == "node":
        drive.need("fetch")
        return [lab.node(), script("parallel.mjs")]
    if kind == "go":
        return [go(directory)]
    if kind == "gnutls":
        if unread.MISSING["gnutls"]():
            pytest.skip(unread.MISSING["gnutls"]() + " is not installed")
        return [lab.PYTHON, script("parallel_gnutls.py")]
    if kind == "bun":
        if not unread.bun():
            pytest.skip(unread.MISSING["bun"]() + " is not installed")
        return [unread.bun(), script("parallel.mjs")]
    if kind.startswith("bun"):
        return [drive.released(kind, "bin/bun"), script("parallel.mjs")]
    return [drive.released(kind, "deno"), "run", "-A", "--no-remote", f"--cert={stage.ca}", script("parallel.mjs")]


def run_clients(stage, argv, run, cgroup, lanes, rounds, sizes):
    body = drive.body(drive.CHAT)
    work = {"host": HOST, "path": PATH, "run": run, "body": body, "lanes": lanes, "rounds": rounds, "sizes": sizes}
    env = dict(stage.environment, NODE_TLS_REJECT_UNAUTHORIZED="0", DENO_NO_UPDATE_CHECK="1",
               DENO_DIR=stage.directory + "/deno")
    child = stage.client([*argv, json.dumps(work)], cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=env)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, out + err


def truth_of(stage, run):
    """The keys that came in by each socket: (port, run)."""
    sockets = collections.defaultdict(set)
    with open(stage.api.bill_file, encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["run"].startswith((run + "-", "first-" + run + "-")):
                key = row["run"].rstrip(".").encode()
                sockets[row["peer"], run_of(key)].add(key)
    return sockets


KINDS = ["node", "go", "gnutls", "bun", "bun-1.0.0", "bun-1.3.0", "bun-1.4.5", "deno-2.2.12", "deno-2.4.4",
         "deno-2.9.6"]


@pytest.mark.parametrize("sizes", ["same", "vary"])
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_right_and_early(stage, tmp_path, tmp_path_factory, tell, kind, sizes):
    argv = command(kind, stage, tmp_path_factory.getbasetemp())
    run, cgroup = stage.new_run(f"pairs-{os.getpid()}")    # other stages on this host have runs of their own
    dice = random.Random(kind)
    chosen = [200 if sizes == "same" else dice.randrange(20000) for _ in range(LANES * ROUNDS)]
    daemon = lab.Daemon(stage, str(tmp_path))
    record = str(tmp_path / "events")
    daemon.start("--record", record)
    try:
        # a file that nobody knows takes a while to be looked through, and only eight of a cgroup wait for that
        run_clients(stage, argv, "first-" + run, cgroup, 1, 1, [200])
        lab.wait(lambda: daemon.calls(cgroup), 20, daemon.tail)
        for number in range(RUNS):
            dice.shuffle(chosen)
            run_clients(stage, argv, f"{run}-{number}", cgroup, LANES, ROUNDS, chosen)
        lab.wait(lambda: len(daemon.calls(cgroup)) >= RUNS * LANES * ROUNDS * 0.95, 20, daemon.tail)
    finally:
        daemon.stop()
    truth = truth_of(stage, run)
    in_time, wrong = Pairs(record, run).judge(truth)
    known = collections.Counter(how for socket, how in in_time.items() if not socket[1].startswith(b"first-"))
    n_sockets = sum(not name.startswith(b"first-") for _, name in truth)
    share = sum(known.values()) / n_sockets
    tell(f"pairs {kind} {sizes}: {n_sockets} sockets, {dict(known)}, {share:.1%}, {len(wrong)} wrong")
    assert not wrong
    assert share >= 0.95
