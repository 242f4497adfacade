# SPDX-License-Identifier: Apache-2.0
"""
Recorded events of real clients through the whole pipeline, without root: each file must give the
charges beside it. record.py makes them.
"""
import glob
import json
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
AIGRESS = os.environ.get("AIGRESS", os.path.join(ROOT, "build", "aigress"))
FILES = sorted(glob.glob(os.path.join(HERE, "*.events")))


def charges(text):
    rows = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        del row["command"]      # of whatever process has that pid here and now
    return rows


def replay(*args):
    return subprocess.run([AIGRESS, "replay", *args], capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.mark.parametrize("file", FILES, ids=os.path.basename)
def test_the_same_charges(file):
    done = replay(file)
    assert done.returncode == 0, done.stderr
    with open(file.replace(".events", ".jsonl"), encoding="utf-8") as expected:
        assert charges(done.stdout) == charges(expected.read())


@pytest.mark.parametrize("file", FILES, ids=os.path.basename)
def test_a_cut_file_says_so_and_gives_what_came_before(file, tmp_path):
    with open(file, "rb") as whole:
        data = whole.read()
    cut = tmp_path / "cut.events"
    cut.write_bytes(data[:-3])
    done = replay(str(cut))
    assert done.returncode == 1 and "cut short" in done.stderr
    assert len(done.stdout.splitlines()) <= len(replay(file).stdout.splitlines())


def test_there_are_recordings():
    assert len(FILES) >= 8


def test_what_is_no_recording(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"something else, and long enough to be read")
    assert replay(str(other)).returncode == 1
    assert replay(str(tmp_path / "absent")).returncode == 1
    assert replay().returncode == 2
