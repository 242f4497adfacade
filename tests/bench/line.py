# SPDX-License-Identifier: Apache-2.0
"""
The line of a budget: how soon its gate is in force (cross.c), and by how much 64 streams overshoot it: where
they are let end, where they are cut, and where the daemon sleeps and the kernel cuts them alone. The overshoot
is by what the server has sent, at its price, so the estimate of what a stream has cost is a part of it; while the
daemon sleeps, by what the clients have received, since a server's TCP takes more than it can send.
"""
import contextlib
import os
import signal
import subprocess
import tempfile
import time

import host as lab
import pairs
from gate import names
from stage import PYTHON, Cgroup, wait
from tokens import TOKEN

N_CROSSINGS = 400
N_STREAMS = 64
PERIOD_MS, TOKENS = 20, 700     # 50 tokens a second for 14 s
USD_PER_TOKEN = 0.6e-6          # gpt-4o-mini
TOKEN_BYTES = len(TOKEN)
LIMIT = 0.016                   # about 8 s of all streams together
ADDRESS = "127.0.0.13"

JOB = ('{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Go on and on."}]}')


def budget(cgroup, per, limit, step):
    return f"""attach: everyone
enforce: true
resolve: false
budgets:
  - name: lab
    match: {{ cgroup: "{cgroup.path}{'/*' if per else ''}" }}
    per: {per or 'match'}
    limit: {limit} USD
    steps: [ {{ {step} }} ]
"""


def daemon(host, text):
    host.n_daemons += 1
    state = os.path.join(host.directory, f"state{host.n_daemons}")
    os.mkdir(state)
    config = os.path.join(state, "aigress.yaml")
    with open(config, "w", encoding="ascii") as file:
        file.write(text)
    return lab.stage.Daemon(host, state, config).start()


def new_cgroup():
    return Cgroup(f"/aigress-bench-{os.getpid()}/{next(names)}")


def crossings(host):
    """Microseconds from the answer's last byte to the gate, and in how many it was shut before."""
    cgroup = new_cgroup()
    running = daemon(host, budget(cgroup, "cgroup", "0.00004", "do: refuse"))
    try:
        lines = lab.program("cross", lab.AI_HOST, cgroup.directory, N_CROSSINGS)
        words = [word for (word,) in lines]
        late = sorted(float("inf") if word == "late" else float(word) for word in words if word != "early")
        return late, words.count("early")
    finally:
        running.stop()
        cgroup.remove()


class Streams:
    """64 clients that read a stream each, in a cgroup with a budget for all of them."""

    def __init__(self, host, step):
        self.cgroup = new_cgroup()
        self.daemon = daemon(host, budget(self.cgroup, "", LIMIT, step))
        self.server = host.start([PYTHON, os.path.join(lab.HERE, "tokens.py"), host.directory, ADDRESS,
                                  str(TOKENS), str(PERIOD_MS)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        if self.server.stdout.readline() != "ready\n":
            raise RuntimeError("the streaming server does not start")
        argv = ["curl", "-sS", "-N", "--resolve", f"{lab.STREAM_HOST}:443:{ADDRESS}",
                "-H", "content-type: application/json", "--data-binary", JOB,
                f"https://{lab.STREAM_HOST}/v1/chat/completions"]
        self.got = tempfile.TemporaryFile(dir=host.directory)
        self.clients = [host.start(argv, cgroup=self.cgroup, stdout=self.got, stderr=subprocess.DEVNULL)
                        for _ in range(N_STREAMS)]

    def sent(self):
        self.server.stdin.write("\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline()) * USD_PER_TOKEN

    def ended(self):
        wait(lambda: all(client.poll() is not None for client in self.clients), 60, self.daemon.tail)
        return self.sent() / LIMIT - 1

    def received(self):
        return os.fstat(self.got.fileno()).st_size / TOKEN_BYTES * USD_PER_TOKEN

    def asleep(self):
        """The daemon sleeps from 90 % on; what has been received when nothing more is."""
        wait(lambda: self.received() > 0.9 * LIMIT, 60)
        self.daemon.child.send_signal(signal.SIGSTOP)
        try:
            before = 0
            while before < (now := self.received()):
                before = now
                time.sleep(0.5)
            return now / LIMIT - 1
        finally:
            self.daemon.child.send_signal(signal.SIGCONT)

    def end(self):
        for child in [*self.clients, self.server]:
            child.kill()
            child.wait()
        self.daemon.stop()
        self.cgroup.remove()
        self.got.close()


def overshoot(host, step, measure=Streams.ended):
    streams = Streams(host, step)
    try:
        return measure(streams)
    finally:
        streams.end()


def rows(host, _):
    late, early = crossings(host)
    yield pairs.Row(f"last byte that crosses the line to the gate in force, p50 / p99, ms ({early} of {N_CROSSINGS} "
                    "shut before, by the remainder)", "≤ 1",
                    f"{late[len(late) // 2] / 1000:.2f} / {late[-1 - len(late) // 100] / 1000:.2f}" if late else "-")
    yield pairs.Row(f"overshoot by {N_STREAMS} streams that are let end", "≤ what was in flight",
                    f"{overshoot(host, 'do: refuse, cut: false'):.1%} of "
                    f"{N_STREAMS * TOKENS * USD_PER_TOKEN / LIMIT:.0%}")
    yield pairs.Row(f"overshoot by {N_STREAMS} streams that are cut", "≤ 2 %",
                    f"{overshoot(host, 'do: refuse'):.1%}")
    yield pairs.Row("what they receive beyond it while the daemon sleeps, from 90 % on", "≤ 2 %",
                    f"{overshoot(host, 'do: refuse', Streams.asleep):.1%}")
    with contextlib.suppress(OSError):
        os.rmdir(lab.stage.cgroup2_mount() + f"/aigress-bench-{os.getpid()}")
