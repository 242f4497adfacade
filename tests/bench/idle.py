# SPDX-License-Identifier: Apache-2.0
"""What the daemon does when nothing happens, and when programs start that have nothing to do with AI."""
import subprocess
import time

import pairs

SECONDS = 60
STARTED = 65    # what a start leaves to do: the AI hosts' addresses, and the first sweep after a minute
EXECS = 200


def taken(pid):
    """(times it slept, CPU time in ns of all threads that it ever had), so far."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        slept = next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt"))
    return slept, time.clock_gettime_ns(~pid << 3 | 2)      # as clock_getcpuclockid(3) makes it


def forks():
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("processes"))


def exec_us(daemon, spent):
    """Of one /bin/true, in a row of them; what the daemon spent on each goes to `spent`."""
    before = taken(daemon.child.pid) if daemon else None
    begun = time.monotonic()
    for _ in range(EXECS):
        subprocess.run(["/bin/true"], check=True)
    each_us = (time.monotonic() - begun) / EXECS * 1e6
    if daemon:
        time.sleep(0.1)     # its last look at the news
        spent.append((taken(daemon.child.pid)[1] - before[1]) / EXECS / 1000)
        daemon.stop()
    return each_us


def rows(host, n_rounds):
    daemon = host.daemon()
    pid = daemon.child.pid
    time.sleep(STARTED)
    before, forked = taken(pid), forks()
    time.sleep(SECONDS)
    slept, cpu_ns = (b - a for a, b in zip(before, taken(pid)))
    forked = forks() - forked
    daemon.stop()
    yield pairs.Row(f"daemon's CPU time in {SECONDS} s without AI traffic, ms (wake-ups; {forked} forks "
                    "of neighbours)", "0", f"{cpu_ns / 1e6:.2f} ({slept})")
    spent = []
    runs = pairs.paired(lambda: exec_us(None, spent), lambda: exec_us(host.daemon(), spent), n_rounds)
    base, _, _ = pairs.middle([off for off, _ in runs])
    yield pairs.Row(f"a program that starts (of {base:.0f} µs), aigress / no aigress", "",
                    pairs.ratio(runs))
    yield pairs.Row("    the daemon's CPU time for it, µs", "", pairs.spread(spent, 0))
