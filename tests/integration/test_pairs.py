# SPDX-License-Identifier: Apache-2.0
"""
Which socket carries which TLS connection, for each stack that is read, held against what the server saw: each
call has a key of its own, the server notes it with the client's port, and the recorded events have it in the
plaintext of a connection and a pair of that connection with a port.
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
    """What a recording says of a run: each port's connections, how that is known, and each connection's keys."""

    def __init__(self, file, run):
        self.ports = collections.defaultdict(list)      # (connection, how, time)
        self.keys = collections.defaultdict(set)
        self.answered = {}
        for event in events_of(file):
            if event.type == EV_PAIR:
                port, = struct.unpack_from("=H", event.data, 100)
                connection, how = struct.unpack_from("=QI", event.data, 416)
                self.ports[port].append((connection, HOW[how], event.time))
            elif event.type == EV_DATA and event.data[44] == EV_OUT:
                self.keys[event.id] |= set(re.findall(rb"(%s-\d+-\d+-\d+)\." % run.encode(), event.data))
            elif event.type == EV_DATA:
                self.answered.setdefault(event.id, event.time)

    def judge(self, truth):
        """truth: the keys by port. How many were paired before their first answer, by how; and the wrong ones."""
        in_time, wrong = collections.Counter(), []
        for port, keys in truth.items():
            for connection, how, time in self.ports.get(port, []):
                if not self.keys[connection] or self.keys[connection] - keys:
                    wrong.append((port, how, self.keys[connection], keys))
                elif time < self.answered.get(connection, 0):
                    in_time[how] += 1
        return in_time, wrong


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
    """The keys that came in by each port."""
    ports = collections.defaultdict(set)
    with open(stage.api.bill_file, encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["run"].startswith(run + "-"):
                ports[row["peer"]].add(row["run"].rstrip(".").encode())
    return ports


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
        lab.wait(lambda: daemon.calls(cgroup), 20, daemon.said)
        for number in range(RUNS):
            dice.shuffle(chosen)
            run_clients(stage, argv, f"{run}-{number}", cgroup, LANES, ROUNDS, chosen)
        lab.wait(lambda: len(daemon.calls(cgroup)) >= RUNS * LANES * ROUNDS * 0.95, 20, daemon.said)
    finally:
        daemon.stop()
    truth = truth_of(stage, run)
    in_time, wrong = Pairs(record, run).judge(truth)
    share = sum(in_time.values()) / len(truth)
    tell(f"pairs {kind} {sizes}: {len(truth)} sockets, {dict(in_time)}, {share:.1%}, {len(wrong)} wrong")
    assert not wrong
    assert share >= 0.95
