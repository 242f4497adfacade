# SPDX-License-Identifier: Apache-2.0
"""What the daemon holds: at rest and with 1,000 streams in flight."""
import json
import os
import resource
import subprocess
import time

import host as lab
import pairs
from stage import PYTHON, wait

STREAMS = 1000


def mib(pid):
    """(resident, proportional) of a process, in MiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        kib = {line.split()[0]: int(line.split()[1]) for line in file.readlines()[1:]}
    return kib["Rss:"] / 1024, kib["Pss:"] / 1024


def maps(pid):
    """The daemon's BPF maps: id to bytes. They are in the kernel and in no process's size."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
            info = dict(line.split(":", 1) for line in file if ":" in line)
        if "map_id" in info:
            found[int(info["map_id"])] = int(info["memlock"])
    return found


def bpftool(*args):
    return json.loads(subprocess.run(["bpftool", "-j", *args], check=True, capture_output=True,
                                     text=True).stdout)


def n_entries(pid, name):
    number = next(n for n in maps(pid) if bpftool("map", "show", "id", str(n))["name"] == name)
    return len(bpftool("map", "dump", "id", str(number)))


def rows(host, _):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    daemon = host.daemon()
    pid = daemon.child.pid
    rest = mib(pid)
    client = host.start([PYTHON, os.path.join(lab.HERE, "streams.py"), lab.STREAM_HOST, str(STREAMS)],
                        stdout=subprocess.PIPE, text=True)
    if client.stdout.readline() != "open\n":
        raise RuntimeError("the streams could not be opened")
    wait(lambda: n_entries(pid, "conns") >= 0.9 * STREAMS, 20, "the streams to be followed")
    time.sleep(2)
    full = mib(pid)
    n_seen, kernel_bytes = n_entries(pid, "conns"), sum(maps(pid).values())
    client.kill()
    client.wait()
    daemon.stop()
    yield pairs.Row("daemon at rest, MiB resident (proportional)", "≤ 20",
                    f"{rest[0]:.1f} ({rest[1]:.1f})")
    yield pairs.Row(f"daemon with {n_seen} live streams, MiB resident (proportional)", "≤ 64",
                    f"{full[0]:.1f} ({full[1]:.1f})")
    yield pairs.Row("its BPF maps and ring in the kernel, MiB", "", f"{kernel_bytes / (1 << 20):.1f}")
