# SPDX-License-Identifier: Apache-2.0
"""What a probed AI request waits longer: a small one on a kept connection, to a server next door."""
import host as lab
import pairs

CALLS = 5000
WARM_MS = 300


def ask(host, daemon):
    with host.apart():
        warm, p50_ns, p99_ns = map(int, lab.program("ask", lab.AI_HOST, CALLS, WARM_MS)[0])
    if daemon:
        daemon.stop()
        seen = host.measured_calls(daemon, "ask[")
        if not CALLS <= seen <= CALLS + warm:
            raise RuntimeError(f"{CALLS} calls to be read, {seen} were")
    return p50_ns, p99_ns


def rows(host, n_rounds):
    with host.awake():
        taken = pairs.paired(lambda: ask(host, None), lambda: ask(host, host.daemon()), n_rounds)
    for at, name, target in (0, "p50", "≤ 25"), (1, "p99", "≤ 100"):
        runs = [(off[at], on[at]) for off, on in taken]
        base, _, _ = pairs.middle([off / 1000 for off, _ in runs])
        yield pairs.Row(f"added time of an AI request, {name}, µs (of {base:.0f})", target,
                        pairs.difference(runs, 1000))
