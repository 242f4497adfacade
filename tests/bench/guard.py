# SPDX-License-Identifier: Apache-2.0
"""A charge behind the meter: budgets and ledger. See guard.c."""
import os

import host as lab
import pairs

NAMES = {
    "few": "a charge under 1,000 budgets, 500 workloads, 2 match, ns",
    "all": "a charge under 1,000 budgets, all match, ns",
    "ledger": "a call into the ledger, with its commits, ns",
}


def rows(host, n_rounds):
    state = os.path.join(host.directory, "guard")
    os.mkdir(state)
    lines = lab.program("guard", state, n_rounds)
    for key, name in NAMES.items():
        yield pairs.Row(name, "≤ 20000" if key == "all" else "", pairs.spread([float(ns) for k, ns in lines if k == key], 0))
