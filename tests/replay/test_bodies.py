# SPDX-License-Identifier: Apache-2.0
"""What exchanges of documented shape cost, by the whole pipeline and however they are cut: bodies.py and cases_*.py."""
import decimal
import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

import bodies

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lib"))
AIGRESS = os.environ.get("AIGRESS", str(HERE.parent.parent / "build" / "aigress"))
CASES = [case for file in sorted(HERE.glob("cases_*.py"))
         for case in importlib.import_module(file.stem).CASES]


def nanos(cost):
    """Of a sum of products, exactly; rounded half up as a bill is."""
    total = decimal.Decimal(0)
    for part in cost.split("+"):
        product = decimal.Decimal(1)
        for factor in part.split("*"):
            product *= decimal.Decimal(factor.strip())
        total += product
    return int((total * 1000).to_integral_value(decimal.ROUND_HALF_UP))


@pytest.fixture(scope="module", name="told")
def _told(tmp_path_factory):
    """Rows by (case, step): one recording for all."""
    file = tmp_path_factory.mktemp("bodies") / "all.events"
    recording, keys = bodies.Recording(file), {}
    for case in CASES:
        for step in case.steps:
            pid = 100 + len(keys)
            keys[pid] = (case.name, step)
            recording.add(pid, case, step)
    recording.close()
    done = subprocess.run([AIGRESS, "replay", str(file)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows = {key: [] for key in keys.values()}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        rows[keys[row["pid"]]].append(row)
    return rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_costs(case, told):
    for step in case.steps:
        rows = told[(case.name, step)]
        assert rows, "no call was seen"
        sums = sum(decimal.Decimal(row["cost_usd"]) for row in rows)
        shown = [(row["source"], row["cost_usd"], row["price_key"], row["tokens"], row["model"]) for row in rows]
        assert rows[-1]["source"] == case.source, shown
        assert rows[-1]["priced"] == case.priced, shown
        assert int(sums * 10**9) == nanos(case.cost), shown
        for name, count in case.tokens.items():
            assert sum(row["tokens"][name] for row in rows) == count, shown


def test_names_are_different():
    assert len({case.name for case in CASES}) == len(CASES) >= 60
