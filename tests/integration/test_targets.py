# SPDX-License-Identifier: Apache-2.0
"""Who is probed and who is not; processes and containers of every kind; the daemon's death."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import drive
import stage as lab
from container import Container, everything
from drive import ANTHROPIC

BREAKPOINT = 0xcc


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    directory = tmp_path_factory.mktemp("daemon")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: on-sight\n")).start()
    yield started
    assert started.stop() == 0, started.tail()
    started.must_still_agree()


def libssl_maps(pid):
    """(start, end, offset) of the executable mappings of libssl."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split()
            if len(fields) > 5 and "libssl" in fields[5] and "x" in fields[1]:
                start, end = (int(part, 16) for part in fields[0].split("-"))
                yield start, end, int(fields[2], 16), fields[5]


def breakpoints(pid):
    """How many bytes of libssl's code in a process's memory differ from its file and are INT3."""
    found = 0
    for start, end, offset, path in libssl_maps(pid):
        with open(f"/proc/{pid}/mem", "rb") as memory, open(path, "rb") as file:
            memory.seek(start)
            file.seek(offset)
            mine, true = memory.read(end - start), file.read(end - start)
        found += sum(a == BREAKPOINT != b for a, b in zip(mine, true))
    return found


def need_no_other(daemons):
    """Another aigress of this host may probe for everyone, which is not what is tested here."""
    ours = {daemon.child.pid for daemon in daemons}
    for file in glob.glob("/proc/[0-9]*/comm"):
        pid = int(file.split("/")[2])
        try:
            with open(file, encoding="utf-8") as comm:
                if comm.read() == "aigress\n" and pid not in ours and lab.alive(pid):
                    pytest.skip(f"another aigress runs on this host (pid {pid})")
        except OSError:
            pass


def has_libssl(pid):
    return any(libssl_maps(pid))


def python_argv(text, *args):
    """A python process of its own; `text` may call: say(), hear(), call(job)."""
    prelude = (f"import sys, json, os, time\n"
               f"def say(*w): print(*w, flush=True)\n"
               f"def hear(): return sys.stdin.readline()\n"
               f"def call(job):\n"
               f"    sys.argv = ['x', 'http.client', json.dumps(job)]\n"
               f"    exec(open({os.path.join(drive.CLIENTS, 'python.py')!r}).read(), {{}})\n")
    return [lab.PYTHON, "-c", prelude + text, *args]


PIPES = {"text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def python(stage, cgroup, text, *args, **more):
    return stage.client(python_argv(text, *args), cgroup, **PIPES, **more)


def hear(child, word):
    line = child.stdout.readline()
    assert line.startswith(word), line + child.stderr.read()
    return line


def all_charged(stage, daemon, run, cgroup, n_calls):
    """Each call has a row or is in the bytes of one; returns (measured, rows by size)."""
    lab.wait(lambda: len(stage.api.bill(run)) >= n_calls, 40, lambda: len(stage.api.bill(run)))
    bill = stage.api.bill(run)

    def split():
        rows = daemon.calls(cgroup)
        left, extra = lab.difference(bill, rows)
        return left, extra

    def is_there():
        left, extra = split()
        return not left or sum(row["response_bytes"] for row in extra) > 0
    lab.wait(is_there, 20, lambda: f"{len(split()[0])} of {len(bill)} calls are not charged")
    left, extra = split()
    assert all(row["estimated_calls"] for row in extra), lab.shown(extra)
    sent = sum(row["bytes"][1] for row in left)
    told = sum(row["response_bytes"] for row in extra)
    # What a connection's handshake may be beyond what is taken off: a long chain, tickets.
    assert told <= sent + 4096 * (len(left) + len(extra)), f"{told} B charged for {sent} B"
    return len(bill) - len(left), len(extra)


# --- the daemon's death; first, while no other test's daemon runs ---------------------------

@pytest.mark.alone
def test_killed_daemon_leaves_the_code_as_it_was(stage, new_daemon, tmp_path):
    """No program, no link, and the client's own bytes are back; the next daemon goes on."""
    run, cgroup = stage.new_run()
    daemon = new_daemon("attach: on-sight\n").start()
    work = drive.job(ANTHROPIC, run, calls=200, step=True)
    client = stage.client(drive.command("http.client", work), cgroup, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**stage.environment, **drive.copy_of_libssl(tmp_path)})
    drive.step_until_exact(stage, daemon, client, run, cgroup, 30)
    assert breakpoints(client.pid)
    held = lab.bpf_objects(daemon.child.pid)
    daemon.stop(signal.SIGKILL)
    need_no_other([])
    lab.wait(lambda: not breakpoints(client.pid), 20, lambda: f"{breakpoints(client.pid)} left")
    lab.wait(lambda: not lab.bpf_left(held), 20, lambda: f"{lab.bpf_left(held)} to go")
    drive.go_on(client)
    drive.next_done(client)
    done = len(stage.api.bill(run))
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write("attach: everyone\n")
    daemon.start()
    drive.go_on(client)
    drive.next_done(client)
    late = stage.api.bill(run)[done:]
    lab.wait(lambda: not lab.difference(late, daemon.calls(cgroup))[0], 20)
    client.kill()


# --- bystanders ----------------------------------------------------------------------------

@pytest.mark.alone
def test_bystanders_are_not_probed(stage, daemon):
    """Same library file, same process group, same cgroup; it talks to others, and runs unprobed."""
    run, cgroup = stage.new_run()
    stand = ("call(json.loads(sys.argv[1]))\nsay('stands')\nhear()\n")
    other = drive.job(("bystander.test", "/v1/messages"), run, body=drive.body(ANTHROPIC), calls=2)
    first = python(stage, cgroup, stand, json.dumps(other), process_group=0)
    hear(first, "done"), hear(first, "done"), hear(first, "stands")
    work = drive.job(ANTHROPIC, run, calls=30, step=True)
    client = stage.client(drive.command("http.client", work), cgroup, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          process_group=os.getpgid(first.pid))
    drive.step_until_exact(stage, daemon, client, run, cgroup, 30)
    assert os.getpgid(client.pid) == os.getpgid(first.pid)
    assert has_libssl(first.pid) and has_libssl(client.pid)
    lab.wait(lambda: breakpoints(client.pid), 5, "breakpoints in the client")
    if breakpoints(first.pid):
        need_no_other([daemon])
    assert breakpoints(first.pid) == 0
    # Its other traffic is not in the ledger, and it lives.
    assert {row["host"] for row in daemon.calls(cgroup)} == {ANTHROPIC[0]}
    drive.go_on(first)
    assert first.wait(10) == 0


@pytest.mark.alone
def test_bystander_in_the_same_container_is_not_probed(stage, daemon, tmp_path, containers):
    """Its first process talks to others, and a second one, by `runc exec`, is metered."""
    if not shutil.which("runc"):
        pytest.skip("runc is not installed")
    run, _ = stage.new_run()
    other = drive.job(("bystander.test", "/v1/messages"), run, body=drive.body(ANTHROPIC), calls=2)
    stand = "call(json.loads(sys.argv[1]))\nsay('stands')\nhear()\n"
    container = Container(stage, tmp_path, "beside", python_argv(stand, json.dumps(other)),
                          binds=everything(stage, drive.CLIENTS))
    containers.append(container)
    first = container.start(stdin=subprocess.PIPE)
    hear(first, "done"), hear(first, "done"), hear(first, "stands")
    cgroup = lab.Cgroup(container.path)
    (bystander,) = cgroup.pids()
    work = drive.job(ANTHROPIC, run, calls=30, step=True)
    client = container.enter(drive.command("http.client", work), **PIPES)
    drive.step_until_exact(stage, daemon, client, run, cgroup, 30)
    (inside,) = set(cgroup.pids()) - {bystander}
    assert has_libssl(bystander) and has_libssl(inside)
    lab.wait(lambda: breakpoints(inside), 5, "breakpoints in the client")
    if breakpoints(bystander):
        need_no_other([daemon])
    assert breakpoints(bystander) == 0
    assert {row["host"] for row in daemon.calls(cgroup)} == {ANTHROPIC[0]}
    drive.go_on(first)
    assert first.wait(10) == 0


# --- processes -----------------------------------------------------------------------------

def test_fork_server(stage, daemon):
    """A parent that called, and children forked from it that call on connections of their own."""
    run, cgroup = stage.new_run()
    text = ("job = json.loads(sys.argv[1])\n"
            "call(job)\nhear()\n"
            "import multiprocessing as m\nc = m.get_context('fork')\n"
            "ps = [c.Process(target=call, args=(job,)) for _ in range(8)]\n"
            "[p.start() for p in ps]\n[p.join() for p in ps]\n")
    work = drive.job(ANTHROPIC, run, True, settings={"events": 30, "delay_ms": 2})
    child = python(stage, cgroup, text, json.dumps(work))
    hear(child, "done")
    lab.wait(lambda: breakpoints(child.pid), 10, "probes in the parent")
    drive.go_on(child)
    assert child.wait(40) == 0, child.stderr.read()
    measured, _ = all_charged(stage, daemon, run, cgroup, 9)
    assert measured >= 5, measured


def test_exec_storm(stage, daemon, tell):
    """A thousand short processes in the cgroup of a client that goes on calling."""
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, calls=2000, step=True)
    client = stage.client(drive.command("http.client", work), cgroup, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    missed = drive.step_until_exact(stage, daemon, client, run, cgroup, 30)
    begun = time.monotonic()
    storm = stage.client(["sh", "-c", "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done"],
                         cgroup)
    calls = missed + 1
    while storm.poll() is None and calls < 1900:
        drive.go_on(client)
        drive.next_done(client)
        calls += 1
    assert storm.wait(40) == 0
    tell(f"exec storm: 1000 in {time.monotonic() - begun:.1f} s, {calls - missed - 1} calls in it")
    client.kill()
    bill = stage.api.bill(run)[missed:]
    lab.wait(lambda: not lab.difference(bill, daemon.calls(cgroup))[0], 20,
             lambda: f"{len(lab.difference(bill, daemon.calls(cgroup))[0])} of {len(bill)} lost")


def test_two_hundred_processes_of_one_library(stage, daemon, tell):
    """All forked from one that has not called, all calling at the same time."""
    run, cgroup = stage.new_run()
    text = ("import ssl, http.client, signal\njob = json.loads(sys.argv[1])\n"
            "signal.alarm(60)\n"
            "pids = []\n"
            "for _ in range(200):\n"
            "    pid = os.fork()\n"
            "    if not pid:\n"
            "        call(job)\n        os._exit(0)\n"
            "    pids.append(pid)\n"
            "bad = [p for p in pids if os.waitpid(p, 0)[1]]\nsay('bad', len(bad))\n")
    work = drive.job(ANTHROPIC, run, calls=2, settings={"answer_bytes": 20000, "encoding": "identity"})
    child = python(stage, cgroup, text, json.dumps(work))
    out, err = child.communicate(timeout=90)
    assert out.splitlines()[-1] == "bad 0", err
    measured, by_size = all_charged(stage, daemon, run, cgroup, 400)
    tell(f"200 processes: {measured} of 400 calls measured, {by_size} rows by size")


def test_processes_that_live_a_moment(stage, daemon, tell):
    """curl, one call each, in a cgroup where its like was seen before."""
    run, cgroup = stage.new_run()
    for _ in range(20):
        drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run, settings={"answer_bytes": 9000}),
                         cgroup)
    measured, by_size = all_charged(stage, daemon, run, cgroup, 20)
    tell(f"20 moments: {measured} measured, {by_size} rows by size")
    assert measured, "what was learned of the cgroup did not stick"


# --- containers ----------------------------------------------------------------------------

class Layered(Container):
    """A container whose root is an overlay of its own over a directory that others share."""

    def __init__(self, stage, directory, name, argv, lower=None):
        super().__init__(stage, directory, name, argv)
        self.root = os.path.join(self.bundle, "rootfs")
        self.lower = lower or os.path.join(str(directory), "lower")
        if lower is None:
            shutil.move(self.root, self.lower)
        else:
            shutil.rmtree(self.root)
        for each in ("rootfs", "upper", "work"):
            os.makedirs(os.path.join(self.bundle, each), exist_ok=True)
        where = ",".join(f"{k}={v}" for k, v in (
            ("lowerdir", self.lower), ("upperdir", os.path.join(self.bundle, "upper")),
            ("workdir", os.path.join(self.bundle, "work"))))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", where, self.root], check=True)

    def copy_up(self, pattern):
        for file in glob.glob(self.root + pattern):
            os.chmod(file, os.stat(file).st_mode ^ 0o001)
            assert os.path.exists(file.replace("/rootfs/", "/upper/", 1)), file

    def remove(self):
        super().remove()
        subprocess.run(["umount", "-l", self.root], check=False)


@pytest.mark.parametrize("copied", [False, True], ids=["one-lower-file", "copied-up"])
def test_overlays_of_one_image(stage, daemon, tell, tmp_path, containers, copied):
    """Two containers of one image are charged apart, each call once."""
    runs = []
    for name in ("one", "two"):
        run, _ = stage.new_run()
        argv = drive.curl(drive.job(ANTHROPIC, run, True, calls=20, settings={"delay_ms": 2}))
        made = Layered(stage, tmp_path, f"see-{copied}-{name}".lower(), ["/usr/bin/curl", *argv[1:]],
                       containers[0].lower if containers else None)
        containers.append(made)
        runs.append(run)
    if copied:
        containers[1].copy_up("/lib/*/libssl.so.3")
        containers[1].copy_up("/usr/lib/*/libssl.so.3")
    ran = [container.start() for container in containers]
    for child in ran:
        out, err = child.communicate(timeout=60)
        assert drive.statuses(out) == [200] * 20, err
    for run, container in zip(runs, containers):
        measured, by_size = all_charged(stage, daemon, run, container, 20)
        tell(f"{container.name}: {measured} of 20 measured, {by_size} rows by size")
        assert measured >= 10
        assert {row["container"] for row in daemon.calls(container)} == {container.id}


# --- a proxy -------------------------------------------------------------------------------

PROXY_PORT = {"client": "3128", "proxy": "3129"}


@pytest.mark.parametrize("side", ["client", "proxy"])
def test_connect_through_a_proxy(stage, daemon, side):
    """The client's call, under the host that it asked for, and not a second time as the proxy's."""
    run, cgroup = stage.new_run()
    _, middle = stage.new_run("proxy")
    proxy = stage.client([lab.PYTHON, os.path.join(drive.CLIENTS, "proxy.py"), PROXY_PORT[side]], middle,
                         stdout=subprocess.PIPE, text=True)
    assert proxy.stdout.readline() == "ready\n"
    work = drive.job(ANTHROPIC, run, True, calls=10, settings={"delay_ms": 2, "events": 60})
    argv = [*drive.curl(work), "-x", f"http://127.0.0.1:{PROXY_PORT[side]}"]
    done = subprocess.run(argv, env=stage.environment, preexec_fn=cgroup.enter, timeout=60,
                          capture_output=True, text=True, check=False)
    assert drive.statuses(done.stdout) == [200] * 10, done.stderr
    all_charged(stage, daemon, run, cgroup, 10)
    assert {row["host"] for row in daemon.calls(cgroup)} == {ANTHROPIC[0]}
    proxy.kill()
    proxy.wait(10)
    # A call that ends later shows that the proxy's end has been dealt with.
    run, cgroup = stage.new_run()
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    lab.wait(lambda: daemon.calls(cgroup), 20)
    if side == "proxy":
        assert not daemon.calls(middle), lab.shown(daemon.calls(middle))
