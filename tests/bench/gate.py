# SPDX-License-Identifier: Apache-2.0
"""
Pacing: the rate against the clock, what waits when the gate opens, and what the same cgroup does
meanwhile at another host. The gate is opened by an order, and its time is that of the action's row.
"""
import contextlib
import itertools
import os
import re
import sqlite3
import subprocess
import time

import host as lab
import pairs
from stage import PYTHON, Cgroup, wait

RATE_SECONDS = int(os.environ.get("GATE_SECONDS", "180"))
USD_PER_HOUR = 0.36     # 2.4 calls a second of our server's answer
HOLDS = (2, 10, 50)
WAITERS = 20

# Calls on one connection; a line "done" with the time after each answer. Waits for a line before
# its second call. A request is written at once: our server answers when it has read the head, and a
# body that leaves after its answer hides that there was one (bpf/pace.h).
CALLER = """
import http.client, sys, time
waits = len(sys.argv) > 3
body = '{"model":"claude-haiku-4-5","max_tokens":64,"messages":[{"role":"user","content":"Go on."}]}'
head = f"POST /v1/messages HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
connection = http.client.HTTPSConnection(sys.argv[1], timeout=600)
connection.connect()
n = 0
while n < int(sys.argv[2]):
    connection.sock.sendall((head + body).encode())
    answer = http.client.HTTPResponse(connection.sock, method="POST")
    answer.begin()
    answer.read()
    n += 1
    print("done", time.time(), flush=True)
    if n == 1 and waits:
        sys.stdin.readline()
"""
names = itertools.count(1)


class Paced:
    """A cgroup whose calls are paced above a limit, and its daemon."""

    def __init__(self, host, rate, limit="1000"):
        self.host = host
        self.cgroup = Cgroup(f"/aigress-bench-{os.getpid()}/{next(names)}")
        host.n_daemons += 1
        state = os.path.join(host.directory, f"state{host.n_daemons}")
        os.mkdir(state)
        os.mkdir(state + ".d")    # readers of the ledger would stir the watch on its directory
        self.config, self.rate = os.path.join(state + ".d", "aigress.yaml"), rate
        self.write(limit)
        self.daemon = lab.stage.Daemon(host, state, self.config).start()
        self.children = []

    def write(self, limit):
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""attach: everyone
enforce: true
budgets:
  - name: lab
    match: {{ cgroup: "{self.cgroup.path}" }}
    per: cgroup
    limit: {limit} USD
    steps: [ {{ at: 100%, do: pace, to: {self.rate} USD/hour }} ]
""")

    def shut(self, n):
        """Each of n callers has had its first answer, and its second request waits."""
        for child in self.children[-n:]:
            child.stdout.readline()
        self.write("0.000001")
        wait(self.is_paced, 20, self.daemon.tail)
        for child in self.children[-n:]:
            child.stdin.write("\n")
            child.stdin.flush()
        wait(lambda: self.held() >= n, 60, self.daemon.tail)

    def call(self, n, *waits, out=subprocess.PIPE):
        child = self.host.start([PYTHON, "-c", CALLER, lab.AI_HOST, str(n), *waits],
                                cgroup=self.cgroup, stdin=subprocess.PIPE, stdout=out, text=True)
        self.children.append(child)
        return child

    def held(self):
        return sum(row.get("held", 0) for row in self.daemon.fact("gates") or [])

    def is_paced(self):
        return any(row["action"] == "pace" for row in self.daemon.fact("gates") or [])

    def spent(self):
        return sum(float(row["cost_usd"] or 0) for row in self.daemon.report("cgroup"))

    def opened(self):
        """When the gate was opened, by the clock of time.time()."""
        self.daemon.run("override", "open", "lab", "--for", "1h", "--reason", "a benchmark")

        def row():
            path = f"file:{self.daemon.state}/ledger.db?mode=ro"
            with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
                return db.execute("SELECT time_us FROM actions WHERE action = 'pace' AND "
                                  "result LIKE 'ended%'").fetchone()
        return wait(row, 20)[0] / 1e6

    def end(self):
        for child in self.children:
            child.kill()
            child.wait()
        self.daemon.stop()
        self.cgroup.remove()


def rate(host):
    paced = Paced(host, USD_PER_HOUR, "0.000001")
    try:
        for _ in range(8):
            paced.call(1 << 30, out=subprocess.DEVNULL)
        wait(lambda: paced.held() > 8, 60, paced.daemon.tail)
        began, before = time.monotonic(), paced.spent()
        time.sleep(RATE_SECONDS)
        return (paced.spent() - before) / (USD_PER_HOUR / 3600 * (time.monotonic() - began))
    finally:
        paced.end()


def stalls(host, hold):
    """Seconds from the gate's opening to the answer of each that waited; and how many were lost."""
    paced = Paced(host, "0.000000001")
    try:
        waiters = [paced.call(2, "wait") for _ in range(WAITERS)]
        paced.shut(WAITERS)
        time.sleep(hold)
        opened = paced.opened()
        lines = [waiter.stdout.readline() for waiter in waiters]
        times = [float(line.split()[1]) for line in lines if line.startswith("done")]
        return [then - opened for then in times], WAITERS - len(times)
    finally:
        paced.end()


def throughput(cgroup):
    def enter():
        cgroup.enter()
    done = subprocess.run(["wrk", "-t1", "-c16", "-d2s", f"https://{lab.WEB_HOST}/1024"],
                          check=True, capture_output=True, text=True, preexec_fn=enter)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def others(host, n_rounds):
    """Another host's requests: of a cgroup in which eight requests wait, over a free one."""
    paced, free = Paced(host, "0.000000001"), Cgroup(f"/aigress-bench-{os.getpid()}/free")
    try:
        for _ in range(8):
            paced.call(2, "wait")
        paced.shut(8)
        return pairs.paired(lambda: throughput(free), lambda: throughput(paced.cgroup), n_rounds)
    finally:
        paced.end()
        free.remove()


def rows(host, n_rounds):
    yield pairs.Row(f"pace: spend over {RATE_SECONDS} s / its rate", "0.90 to 1.05",
                    f"{rate(host):.2f}")
    early, lost, late = 0, 0, []
    for hold in HOLDS:
        more, gone = stalls(host, hold)
        early += sum(seconds < 0 for seconds in more)
        late += more
        lost += gone
    late.sort()
    yield pairs.Row("requests let out while the gate was shut", "0", f"{early} of {len(late) + lost}")
    yield pairs.Row("stall after reopening, holds of 2, 10 and 50 s, p50 / p99, s", "≤ 0.5",
                    f"{late[len(late) // 2]:.2f} / {late[-1 - len(late) // 100]:.2f}")
    yield pairs.Row("connections lost in them", "0", f"{lost}")
    host.nginx("gate-web", [lab.WEB_HOST])
    yield pairs.Row("another host's requests from a cgroup that is held / from a free one", "≥ 0.97",
                    pairs.ratio(others(host, n_rounds)))
    with contextlib.suppress(OSError):
        os.rmdir(lab.stage.cgroup2_mount() + f"/aigress-bench-{os.getpid()}")
