# SPDX-License-Identifier: Apache-2.0
"""
Bytes of answers through the pipeline, on one core: user time of `aigress replay` over a recorded
file less that over an empty one, and the instructions a byte by callgrind, which are exact. System
time is the copy out of the page cache, a third of the whole: the daemon reads a mapped ring.
"""
import json
import os
import re
import resource
import subprocess

import events
import pairs
from stage import AIGRESS

FILE_BYTES = 96 << 20
SMALL_BYTES = 3 << 20   # for callgrind, some 50 times slower


def check(path, n_calls):
    """Fast is only worth something if every call's usage is read."""
    done = subprocess.run([AIGRESS, "replay", path], check=True, capture_output=True, text=True)
    sources = [json.loads(line)["source"] for line in done.stdout.splitlines()]
    if sources != ["usage"] * n_calls:
        raise RuntimeError(f"{n_calls} calls to be measured, there are {sources[:9]} ...")


def user_seconds(path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([AIGRESS, "replay", "--silent", path], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime


def instructions(path):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           AIGRESS, "replay", "--silent", path], check=True, capture_output=True,
                          text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def rows(host, n_rounds):
    path, empty = (os.path.join(host.directory, name) for name in ("events", "empty"))
    events.write_empty(empty)
    empty_instructions = instructions(empty)
    for kind in events.KINDS:
        n_bytes, n_calls = events.write(path, kind, FILE_BYTES)
        check(path, n_calls)
        runs = pairs.paired(lambda: user_seconds(empty), lambda: user_seconds(path), n_rounds)
        rates = [n_bytes / (b - a) / 1e6 for a, b in runs]
        n_bytes, _ = events.write(path, kind, SMALL_BYTES)
        per_byte = (instructions(path) - empty_instructions) / n_bytes
        yield pairs.Row(f"replay, MB/s: {kind} ({per_byte:.2f} instructions a byte)",
                        "≥ 1000" if kind.startswith("SSE") else "≥ 300", pairs.spread(rates, 0))
