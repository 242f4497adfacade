# SPDX-License-Identifier: Apache-2.0
"""
A tenant without rights takes all that it can of what tenants share. Its neighbours have their probes and their rows
as before, every call of theirs is measured exactly, and the log and `aigress check` say who found no place.
"""
import os
import shutil
import subprocess

import pytest

import drive
import stage as lab
import tenant
from drive import ANTHROPIC

# A table's worth of probed copies is a load for every aigress of this host.
pytestmark = pytest.mark.alone

COPIES = """
import ctypes, os, sys
for name in sorted(os.listdir(sys.argv[1])):
    ctypes.CDLL(os.path.join(sys.argv[1], name))
print("mapped", flush=True)
sys.stdin.readline()
"""

OBJECTS = """
import ssl, sys
context = ssl.create_default_context()
made = []
for number in range(int(sys.argv[1])):
    made.append(context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="api.anthropic.com"))
print("made", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def home(stage):
    with tenant.home(stage) as (directory, environment):
        yield directory, environment
        stage.guests.end()


def greedy(stage, home, script, *args):
    """As nobody, until it is told to end."""
    _, environment = home
    _, cgroup = stage.new_run("greedy")
    return stage.client([*tenant.AS_NOBODY, lab.PYTHON, "-c", script, *args], cgroup, env=environment,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def refused(daemon, part, key):
    """How many found no place; the daemon tells it some moments after it began."""
    return ((daemon.fact("health") or {}).get(part) or {}).get(key, 0)


def neighbour(stage, daemon, kind, n=3):
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, drive.job(ANTHROPIC, run, calls=n), cgroup)
    stage.must_agree(daemon, run, cgroup, n)


def own_library(stage, directory):
    """Where a neighbour's copy of libssl lies, which nobody has mapped yet."""
    folder = os.path.join(directory, "neighbour")
    os.mkdir(folder)
    found = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    shutil.copy(next(line.split()[-1] for line in found.splitlines() if "libssl.so.3" in line), folder)
    return folder


def test_copies_of_a_library_take_no_others_place(stage, new_daemon, home):
    directory, environment = home
    copies = os.path.join(directory, "copies")
    os.mkdir(copies)
    library = own_library(stage, directory)
    for number in range(600):
        shutil.copy(os.path.join(library, "libssl.so.3"), os.path.join(copies, f"lib{number:03}.so"))
    daemon = new_daemon("attach: everyone\n").start()
    child = greedy(stage, home, COPIES, copies)
    assert child.stdout.readline() == "mapped\n"
    lab.wait(lambda: refused(daemon, "search", "files_refused") > 0, 90, daemon.tail)
    # A program with a library of its own, mapped only now, is read from its first call.
    run, cgroup = stage.new_run()
    done = stage.client(drive.command("http.client", drive.job(ANTHROPIC, run, calls=3)), cgroup,
                        env=dict(stage.environment, LD_LIBRARY_PATH=library))
    assert done.wait(60) == 0
    stage.must_agree(daemon, run, cgroup, 3)
    neighbour(stage, daemon, "curl")
    lab.wait(lambda: "times a TLS library found no place" in daemon.said(), 90, daemon.tail)
    assert "a TLS library found no place" in daemon.run("check").stdout
    child.communicate("\n")
    assert daemon.stop() == 0, daemon.tail()


def test_connections_take_no_others_place(stage, new_daemon, home):
    daemon = new_daemon("attach: everyone\n").start()
    child = greedy(stage, home, OBJECTS, "40000")
    assert child.stdout.readline() == "made\n"
    for kind in "curl", "http.client", "curl":
        neighbour(stage, daemon, kind)
    lab.wait(lambda: "TLS connections found no place" in daemon.said(), 90, daemon.tail)
    lab.wait(lambda: refused(daemon, "kernel", "connections_refused") >= 20000, 90, daemon.tail)
    assert refused(daemon, "kernel", "connections_full") == 0
    assert "TLS connections found no place" in daemon.run("check").stdout
    child.communicate("\n")
    neighbour(stage, daemon, "curl")
    assert daemon.stop() == 0, daemon.tail()
