# SPDX-License-Identifier: Apache-2.0
"""What looks into tenants' files has nothing, and may die of them: the meter goes on."""
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading

import pytest

import drive
import stage as lab
from drive import ANTHROPIC

NAME = "aigress-find"
CODE = 400 << 20        # bytes, which take some 0.2 s to be looked through
MAPPER = """
import mmap, os, sys
with open(sys.argv[1], "rb") as file:
    code = mmap.mmap(file.fileno(), 1 << 16, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC, offset=4096)
sys.argv = sys.argv[2:]
with open(sys.argv[0], encoding="utf-8") as file:
    exec(compile(file.read(), sys.argv[0], "exec"), {"__name__": "__main__"})
"""


def big_elf(path):
    """A program that names BoringSSL, with 400 MiB of code, of which no byte is on the disk."""
    mark = b"x/ssl/ssl_lib.cc\0"
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 4096, 4096, 0, CODE, CODE, 4096)
    head += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, 256, 256, 4096)
    with open(path, "wb") as file:
        file.write(head + mark)
        file.truncate(4096 + CODE)
    os.chmod(path, 0o755)


def inspectors(parent):
    """The processes that look into files, and the one that makes them: children of whoever asks."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            continue
        if status["Name"] == NAME and status["State"][0] != "Z" and status["PPid"].strip() == str(parent):
            found.append((int(pid), status))
    return found


def zombies(parent):
    done = subprocess.run(["ps", "-o", "stat=", "--ppid", str(parent)], check=True, capture_output=True, text=True)
    return sum(line.startswith("Z") for line in done.stdout.split())


def waiting(parent):
    """The two that are there while nothing is looked into."""
    found = inspectors(parent)
    return found if len(found) == 2 and all(len(descriptors(pid)) == 2 for pid, _ in found) else None


def descriptors(pid):
    try:
        return sorted(os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return []


class Killer:
    """Kills who looks into a file, as a file would that makes its reader fail."""

    def __init__(self, parent, path, number):
        self.ends = threading.Event()
        self.args = (parent, path, number)
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        parent, path, number = self.args
        while not self.ends.is_set():
            for pid, _ in inspectors(parent):
                if path in descriptors(pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

    def stop(self):
        self.ends.set()
        self.thread.join()


@pytest.fixture(name="big")
def _big(tmp_path):
    path = tmp_path / "big.so"
    big_elf(path)
    for directory in list(path.parents)[:-1]:
        if os.stat(directory).st_uid == os.geteuid() and str(directory).startswith("/tmp/"):
            os.chmod(directory, 0o755)
    return str(path)


def measured(stage, daemon, n):
    run, cgroup = stage.new_run()
    for _ in range(n):
        drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    stage.settle(daemon, run, cgroup, n)


def has_nothing(pid, status):
    """None: it went on to a file, or ended, while it was looked at."""
    try:
        links = descriptors(pid)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            maps = file.read()
        with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
            limits = file.read()
    except OSError:
        return None
    if len(links) != 2 or not maps or not lab.alive(pid):
        return None
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0, status
    assert all(link.startswith(("socket:", "pipe:")) for link in links), links
    assert "anon_inode" not in maps     # as rings and maps of the kernel half are called
    assert f"{256 << 20}" in next(line for line in limits.splitlines() if line.startswith("Max data size"))
    return True


def test_they_have_nothing(stage, new_daemon):
    daemon = new_daemon("").start()
    lab.wait(lambda: [has_nothing(*one) for one in waiting(daemon.child.pid) or ()] == [True, True], 20,
             lambda: str(inspectors(daemon.child.pid)))
    measured(stage, daemon, 5)
    lab.wait(lambda: zombies(daemon.child.pid) <= 1, 20, daemon.tail)   # the last, until there is another file


def test_one_that_dies_of_a_file(stage, new_daemon, big):
    """
    The reader of a tenant's program crashes whenever it looks into it. The file is set aside, once, with the reason;
    the tenant's other files and everybody else's calls are measured.
    """
    daemon = new_daemon("").start()
    run, cgroup = stage.new_run()
    killer = Killer(daemon.child.pid, big, signal.SIGSEGV)
    try:
        child = stage.client([sys.executable, "-c", MAPPER, big, os.path.join(drive.CLIENTS, "python.py"),
                              "http.client", json.dumps(drive.job(ANTHROPIC, run, calls=2, step=True))], cgroup,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        measured(stage, daemon, 3)
        lab.wait(lambda: "is set aside: the process that looked into it was killed by SIGSEGV" in daemon.said(), 20,
                 daemon.tail)
        drive.next_done(child)
        out, err = child.communicate("\n\n", timeout=30)
        assert drive.statuses(out) == [200], err
        measured(stage, daemon, 3)
        stage.settle(daemon, run, cgroup, 2)
    finally:
        killer.stop()
    assert daemon.said().count("is set aside") == 1, "a file that was set aside is not looked into again"
    lab.wait(lambda: "file was set aside" in daemon.run("check", check=False).stdout, 70, daemon.tail)
    assert daemon.stop() == 0, daemon.tail()


def test_they_begin_again(stage, new_daemon):
    """All of them are killed, as when memory runs out: there are others, and programs are measured."""
    daemon = new_daemon("").start()
    for pid, _ in inspectors(daemon.child.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    measured(stage, daemon, 3)
    assert daemon.stop() == 0, daemon.tail()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_none_outlives_its_daemon(stage, new_daemon, number):
    daemon = new_daemon("").start()
    measured(stage, daemon, 2)
    lab.wait(lambda: waiting(daemon.child.pid), 10, lambda: str(inspectors(daemon.child.pid)))
    pids = [pid for pid, _ in inspectors(daemon.child.pid)]
    daemon.stop(number)
    lab.wait(lambda: not [pid for pid in pids if lab.alive(pid)], 10, lambda: str(pids))


def test_explain_tells_of_what_it_died(stage, big):
    with subprocess.Popen([lab.AIGRESS, "explain", "exe", big], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as child:
        killer = Killer(child.pid, big, signal.SIGXCPU)
        try:
            out, err = child.communicate(timeout=30)
        finally:
            killer.stop()
    assert child.returncode == 1, (out, err)
    assert "set aside: the process that looked into it took more than 4 s of CPU time" in err, (out, err)
