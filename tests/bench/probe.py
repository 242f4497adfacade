# SPDX-License-Identifier: Apache-2.0
"""A call of a probed function: our programs at entry and return against empty ones. See probe.c."""
import host as lab
import pairs

NAMES = {"other": "not an AI host", "ai": "an AI host, 200 bytes copied"}


def rows(_, n_rounds):
    lines = lab.program("probe", 6 * n_rounds)  # of 10 ms each
    lines = lines[lines.index(["-"]) + 1:]
    for state, name in NAMES.items():
        runs = [(float(a), float(b)) for key, a, b in lines if key == state]
        ns = [pairs.middle([run[side] for run in runs])[0] for side in (0, 1)]
        yield pairs.Row(f"a probed call / an empty entry and return probe, {name} "
                        f"({ns[1]:.0f} / {ns[0]:.0f} ns)", "≤ 1.25", pairs.ratio(runs))
