# SPDX-License-Identifier: Apache-2.0
"""The ring flooded: a stream through 64 kB that nobody drains. See flood.c."""
import host as lab
import pairs


def rows(_, __):
    got = dict(lab.program("flood"))
    lost, gap = int(got["lost"]), int(got["gap"])
    yield pairs.Row("ring flooded: bytes counted / bytes sent", "1.000",
                    f"{int(got['counted']) / int(got['sent']):.3f}")
    yield pairs.Row("ring flooded: bytes the parser knows to be missing / bytes lost", "1.000",
                    f"{gap / lost:.3f} ({lost} of {got['counted']})")
    yield pairs.Row(f"ring flooded: output tokens charged, source \"{got['source']}\" / told in "
                    "the lost part", "an estimate", f"{int(got['output']) / int(got['tokens']):.2f}")
