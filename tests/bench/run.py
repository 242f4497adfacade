#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Runs the benchmarks and prints one table. Nothing here passes or fails by its time: the exit code
tells only whether each could run.   run.py [-n ROUNDS] [BENCHMARK...]
"""
import argparse
import importlib
import os
import platform
import sys
import tempfile
import time
import traceback

BENCHMARKS = ["nginx", "latency", "probe", "replay", "memory", "idle", "packet", "flood", "guard", "gate", "line"]


def run(name, host, n_rounds):
    """Rows of one benchmark, or why it could not run."""
    begun = time.monotonic()
    try:
        return list(importlib.import_module(name).rows(host, n_rounds)), None
    except Exception:   # pylint: disable=broad-except
        return [], traceback.format_exc()
    finally:
        print(f"  {name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for what, target, measured in rows:
        print(f"{what:{widths[0]}} | {target:{widths[1]}} | {measured}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("-n", "--rounds", type=int, default=6)
    options.add_argument("benchmarks", nargs="*", choices=[[], *BENCHMARKS], metavar="BENCHMARK")
    args = options.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmarks need root: sudo make bench")
    import host as lab      # pylint: disable=import-outside-toplevel
    rows = [("what", "target", "measured: median [middle half, n=pairs]")]
    failures = []
    with tempfile.TemporaryDirectory(prefix="aigress-bench-") as directory:
        host = lab.Host(directory)
        try:
            server = host.ai_server()
            for name in args.benchmarks or BENCHMARKS:
                more, failure = run(name, host, args.rounds)
                host.end(kept=[server])     # no benchmark is measured beside another's clients
                rows += more
                if failure:
                    failures.append((name, failure))
        finally:
            host.end()
    print(f"{platform.release()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    table(rows)
    for name, failure in failures:
        print(f"\n{name} could not run:\n{failure}")
    sys.exit(1 if failures else 0)


main()
