# SPDX-License-Identifier: Apache-2.0
"""Processes of every life: attached late, gone at once, replaced, contained."""
import json
import os
import shutil
import subprocess

import pytest

import drive
import stage as lab
from container import Container
from drive import ANTHROPIC, CHAT

@pytest.mark.parametrize("kind", ["http.client", "aiohttp", "https"])
def test_late_attach_counts_the_next_message(stage, new_daemon, kind):
    """The daemon starts while a keep-alive connection is open."""
    drive.need(kind)
    run, cgroup = stage.new_run()
    child = stage.client(drive.command(kind, drive.job(CHAT, run, calls=3, step=True)), cgroup,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    drive.next_done(child)
    daemon = new_daemon().start()
    for _ in range(2):
        drive.go_on(child)
        drive.next_done(child)
    drive.go_on(child)
    assert child.wait(20) == 0
    late = stage.api.bill(run)[1:]
    lab.wait(lambda: len(daemon.calls(cgroup)) >= 2, 20, lambda: daemon.calls(cgroup))
    assert sorted(map(lab.billed, late)) == sorted(map(lab.ledgered, daemon.calls(cgroup)))


def test_processes_that_live_a_moment(stage, daemon):
    """Each curl lives some 30 ms; its cgroup is removed as soon as the last is gone."""
    run, cgroup = stage.new_run()
    for _ in range(20):
        drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    cgroup.remove()
    stage.must_agree(daemon, run, cgroup, 20)


def test_exec_from_one_client_to_another(stage, daemon):
    run, cgroup = stage.new_run()
    python = drive.command("http.client", drive.job(ANTHROPIC, run))
    curl = drive.command("curl", drive.job(CHAT, run))
    script = ("import os, sys; sys.argv = eval(sys.argv[1]); exec(open(sys.argv[0]).read()); "
              f"os.execvp('curl', {curl!r})")
    done = subprocess.run([lab.PYTHON, "-c", script, repr(python[1:])], env=stage.environment,
                          preexec_fn=cgroup.enter, timeout=30, capture_output=True, text=True,
                          check=False)
    assert drive.statuses(done.stdout) == [200, 200], done.stderr
    rows = stage.must_agree(daemon, run, cgroup, 2)
    assert sorted(row["command"] for row in rows) == ["curl", "python3"]
    assert len({row["pid"] for row in rows}) == 1


def test_library_that_is_loaded_late(stage, daemon, tmp_path):
    """Python without ssl, which imports it (a library file never seen before) when told to."""
    run, cgroup = stage.new_run()
    work = json.dumps(drive.job(ANTHROPIC, run, calls=20, step=True))
    script = ("import sys; sys.stdin.readline(); sys.argv = ['x', 'http.client', sys.argv[1]]; "
              f"exec(open({os.path.join(drive.CLIENTS, 'python.py')!r}).read())")
    child = stage.client([lab.PYTHON, "-c", script, work], cgroup, text=True, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**stage.environment, **drive.copy_of_libssl(tmp_path)})
    drive.go_on(child)
    drive.step_until_exact(stage, daemon, child, run, cgroup, 20)
    child.kill()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_library_file_that_goes_away(stage, daemon, tmp_path, how):
    """An upgrade under a running process: what is mapped goes on being measured."""
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, calls=30, step=True)
    child = stage.client(drive.command("http.client", work), cgroup, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**stage.environment, **drive.copy_of_libssl(tmp_path)})
    drive.next_done(child)
    file = tmp_path / "libssl.so.3"
    if how == "replaced":
        shutil.copy(file, tmp_path / "new")
        os.rename(tmp_path / "new", file)
    else:
        os.unlink(file)
    drive.go_on(child)
    drive.step_until_exact(stage, daemon, child, run, cgroup, 29)
    child.kill()
    if how == "replaced":   # and the new file, by the next process
        run, cgroup = stage.new_run()
        work = drive.job(ANTHROPIC, run, calls=30, step=True)
        child = stage.client(drive.command("http.client", work), cgroup, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**stage.environment, "LD_LIBRARY_PATH": str(tmp_path)})
        drive.step_until_exact(stage, daemon, child, run, cgroup, 30)
        child.kill()


@pytest.mark.parametrize("kind", ["curl", "http.client", "aiohttp", "fetch"])
def test_returns_by_their_instructions(stage, new_daemon, kind):
    """As on a kernel whose return probes kill: each call is measured, and nobody is harmed."""
    drive.need(kind)
    daemon = new_daemon("attach: everyone\nreturn-probes: never\n").start()
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, True, calls=5, settings={"events": 40, "answer_bytes": 60000})
    drive.make_calls(stage, kind, work, cgroup)
    stage.must_agree(daemon, run, cgroup, 5)


def test_unit_is_told_from_the_cgroup(stage, daemon):
    run, _ = stage.new_run()
    cgroup = stage.cgroup(f"{run}/agents.slice/night-agent.service")
    drive.make_calls(stage, "curl", drive.job(ANTHROPIC, run), cgroup)
    (row,) = stage.must_agree(daemon, run, cgroup, 1)
    assert row["unit"] == "night-agent.service"


# --- containers ---------------------------------------------------------------------------

def test_two_containers_are_charged_apart(stage, daemon, tmp_path, containers):
    runs, ran = [], []
    for name in ("lab-one", "lab-two"):
        run, _ = stage.new_run()
        argv = drive.curl(drive.job(ANTHROPIC, run, True, calls=10, settings={"delay_ms": 2}))
        container = Container(stage, tmp_path, name, ["/usr/bin/curl", *argv[1:]])
        containers.append(container)
        runs.append((run, container))
    for _, container in runs:
        ran.append(container.start())
    for child in ran:
        out, err = child.communicate(timeout=60)
        assert drive.statuses(out) == [200] * 10, err
    for run, container in runs:
        bill, rows = stage.settle(daemon, run, container, 10)
        assert {row["container"] for row in rows} == {container.id}
        # The library file is new with each container, so the first call waits for its probes.
        left, extra = lab.difference(bill, rows)
        assert not left and not extra, f"{lab.shown(left)}\n{lab.shown(extra)}"
