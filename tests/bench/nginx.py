# SPDX-License-Identifier: Apache-2.0
"""
A bystander: nginx that serves TLS to wrk, beside a client that makes 100 AI calls a second. All of
it, wrk too, is on the same cores, so what the client and the daemon cost is in the requests a
second; nginx's own CPU time a request says what happens to it, whatever else the machine does.
"""
import os
import re
import subprocess

import host as lab
import pairs
from stage import PYTHON, wait

SIZES = {"1 kB": 1024, "16 kB": 16384}
SECONDS = 2
ARMS = [None, "on-sight", "everyone"]
CALLS_BEFORE = 50   # read by the daemon: then the busy client is probed


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def load(worker, size):
    """Requests a second, and the worker's CPU time a request."""
    begun_ns = cpu_ns(worker)
    done = subprocess.run(["wrk", "-t1", "-c16", f"-d{SECONDS}s", f"https://{lab.WEB_HOST}/{size}"],
                          check=True, capture_output=True, text=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    n_requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
            (cpu_ns(worker) - begun_ns) / n_requests)


def measure(host, worker, busy, attach):
    daemon = host.daemon(attach) if attach else None
    try:
        if daemon:
            wait(lambda: host.measured_calls(daemon, f"python3[{busy.pid}]") >= CALLS_BEFORE, 20,
                 lambda: "the busy client to be read:\n" + daemon.tail())
        return {name: load(worker, size) for name, size in SIZES.items()}
    finally:
        if daemon:
            daemon.stop()


def rows(host, n_rounds):
    worker = lab.worker(host.nginx("web", [lab.WEB_HOST]))
    busy = host.start([PYTHON, os.path.join(lab.HERE, "busy.py"), lab.AI_HOST])
    taken = {arm: [] for arm in ARMS}
    for number in range(n_rounds):
        turn = number % len(ARMS)
        for arm in ARMS[turn:] + ARMS[:turn]:
            taken[arm].append(measure(host, worker, busy, arm))
    if busy.poll() is not None:
        raise RuntimeError(f"the busy client ended with {busy.returncode}")
    for arm, target in ("on-sight", "≥ 0.97"), ("everyone", "≥ 0.85"):
        for name in SIZES:
            pairs_of = [[(off[name][i], on[name][i]) for off, on in zip(taken[None], taken[arm])]
                        for i in (0, 1)]
            yield pairs.Row(f"nginx TLS {name}, attach: {arm} / no aigress, requests a second",
                            target, pairs.ratio(pairs_of[0]))
            yield pairs.Row("    its CPU time a request", "", pairs.ratio(pairs_of[1]))
