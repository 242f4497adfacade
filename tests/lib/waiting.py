# SPDX-License-Identifier: Apache-2.0
"""Tests wait for conditions, never for a time."""
import time


def wait(condition, seconds=20, what=None):
    """The first true value of condition(), asked every 20 ms; after `seconds` it fails."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said or condition}")
        time.sleep(0.02)


def steady(value, seconds=2):
    """What value() is once it has not changed for so long."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last
