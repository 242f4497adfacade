# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test sets."""
import glob
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


class Clock:
    """
    By libfaketime, for whoever is started with its environment; the monotonic clock stays true. With `passes` so much
    time passes on the host when it is set; else somebody sets the host's clock.
    """
    library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)

    def __init__(self, directory, passes):
        if not self.library:
            pytest.skip("libfaketime is not installed (scripts/deps test)")
        self.file = os.path.join(str(directory), "clock")
        self.preload = self.library
        if passes:
            shim = os.path.join(str(directory), "passing.so")
            subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, os.path.join(HERE, "passing.c"), "-ldl"], check=True)
            self.preload = f"{shim}:{self.library}"
        self.set(0)

    def set(self, seconds):
        """So far from the host's clock."""
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}s\n")
        os.replace(self.file + ".new", self.file)

    def environment(self):
        return dict(os.environ, LD_PRELOAD=self.preload, FAKETIME_TIMESTAMP_FILE=self.file,
                    FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
                    DONT_FAKE_MONOTONIC="1")
