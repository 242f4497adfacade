# SPDX-License-Identifier: Apache-2.0
"""What tenants put in the way of a look at their programs: it costs them their own measuring, and nobody else's."""
import json
import os
import struct
import subprocess
import sys

import pytest

import drive
import stage as lab
from drive import ANTHROPIC

# A look that hangs keeps every aigress of this host from looking at others of its tenant.
pytestmark = pytest.mark.alone

HUNGFS = os.path.join(os.path.dirname(lab.__file__), "hungfs.py")
NOBODY = 65534


def libssl():
    found = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[-1] for line in found.splitlines() if "libssl.so.3" in line)


def neighbours(stage, daemon, n):
    """Fresh programs of another tenant, one after the other: all are measured from their first call."""
    run, cgroup = stage.new_run()
    for _ in range(n):
        drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    stage.settle(daemon, run, cgroup, n)


def on_a_mount(stage, seconds, cgroup, work, **options):
    """A client that also maps code of a file system that takes so long for each answer."""
    return stage.client([sys.executable, HUNGFS, str(seconds), libssl(), os.path.join(drive.CLIENTS, "python.py"),
                         "http.client", json.dumps(work)], cgroup, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True, **options)


def need_fuse():
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no /dev/fuse here")


def loop_is_in_time(daemon):
    assert "late" not in daemon.said(), daemon.tail()


def test_a_mount_that_hangs(stage, new_daemon):
    """
    A process maps code from a file system that no longer answers, and calls. It is an estimate; the calls of
    others are measured, also while the look at it is stuck; gates and the loop go on.
    """
    need_fuse()
    daemon = new_daemon("").start()
    run, cgroup = stage.new_run()
    child = on_a_mount(stage, "inf", cgroup, drive.job(ANTHROPIC, run, calls=2, step=True), stdin=subprocess.PIPE)
    neighbours(stage, daemon, 3)
    drive.next_done(child)
    lab.wait(lambda: "got stuck" in daemon.said(), 20, daemon.tail)
    neighbours(stage, daemon, 3)
    out, err = child.communicate("\n\n", timeout=30)
    assert drive.statuses(out) == [200], err
    lab.wait(lambda: daemon.calls(cgroup), 20, daemon.tail)
    loop_is_in_time(daemon)
    assert daemon.stop() == 0, daemon.tail()


def test_a_disk_that_is_slow(stage, new_daemon):
    """A look that takes longer than a neighbour can wait, and comes back, is made again and held against nobody."""
    need_fuse()
    daemon = new_daemon("").start()
    run, cgroup = stage.new_run()
    child = on_a_mount(stage, 0.3, cgroup, drive.job(ANTHROPIC, run, calls=1000, step=True), stdin=subprocess.PIPE)

    def measured():
        drive.next_done(child)
        drive.go_on(child)
        return any(row["measured_calls"] for row in daemon.calls(cgroup))
    lab.wait(measured, 30, daemon.tail)
    assert "got stuck" not in daemon.said(), daemon.tail()
    child.kill()
    loop_is_in_time(daemon)
    assert daemon.stop() == 0, daemon.tail()


def test_many_mounts_that_hang(stage, new_daemon):
    """A tenant with a hung mount in each of many cgroups keeps a few threads, and its neighbours are measured."""
    need_fuse()
    daemon = new_daemon("").start()
    run, tenant = stage.new_run()
    os.chown(tenant.directory, NOBODY, NOBODY)
    children = []
    for number in range(8):
        cgroup = lab.Cgroup(f"{tenant.path}/{number}")
        children.append(on_a_mount(stage, "inf", cgroup, drive.job(ANTHROPIC, run, step=True), stdin=subprocess.PIPE))
    for child in children:
        drive.next_done(child)
    lab.wait(lambda: "of its tenant are stuck" in daemon.said(), 20, daemon.tail)
    lab.wait(lambda: daemon.said().count("got stuck") == 4, 20, daemon.tail)
    neighbours(stage, daemon, 3)
    assert daemon.said().count("got stuck") == 4
    stage.guests.end()      # while a look is stuck, the daemon cannot end
    loop_is_in_time(daemon)
    assert daemon.stop() == 0, daemon.tail()


def sparse_elf(path):
    """An executable without a symbol to be found, whose tables of names have 64 MiB each."""
    table = 64 << 20
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 3, 62, 1, 0, 64,
                       4096 + 2 * table, 0, 64, 56, 1, 64, 3, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 1 << 16, 1 << 16, 4096)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, 4096, table, 2, 0, 8, 24)            # SHT_SYMTAB
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 4096 + table, table, 0, 0, 1, 0)     # SHT_STRTAB
    with open(path, "wb") as file:
        file.write(head + load)
        file.seek(4096 + 2 * table)
        file.write(sections)


BOMB = """
import mmap, os, sys
os.setuid(65534)
for _ in range(3):
    for name in sorted(os.listdir(sys.argv[1])):
        with open(os.path.join(sys.argv[1], name), "rb") as file:
            mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
        print("mapped", flush=True)
"""


def test_executables_as_a_bomb(stage, new_daemon, tmp_path):
    """An unprivileged process maps hundreds of files that are slow to look through."""
    folder = tmp_path / "bomb"
    folder.mkdir()
    for directory in (folder, *list(folder.parents)[:-1]):
        if os.stat(directory).st_uid == os.geteuid() and str(directory).startswith("/tmp/"):
            os.chmod(directory, 0o755)
    for number in range(300):
        sparse_elf(folder / f"{number}.so")
    daemon = new_daemon("").start()
    _, cgroup = stage.new_run()
    child = stage.guests.start([sys.executable, "-c", BOMB, str(folder)], cgroup, stdout=subprocess.PIPE,
                               text=True)
    assert child.stdout.readline() == "mapped\n"
    neighbours(stage, daemon, 5)
    assert child.wait(60) == 0
    neighbours(stage, daemon, 3)
    loop_is_in_time(daemon)
    assert daemon.stop() == 0, daemon.tail()
