# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test sets."""
import glob
import os

import pytest


class Clock:
    """By libfaketime, for whoever is started with its environment; the monotonic clock stays true."""
    library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)

    def __init__(self, directory):
        if not self.library:
            pytest.skip("libfaketime is not installed (scripts/deps test)")
        self.file = os.path.join(str(directory), "clock")
        self.set(0)

    def set(self, seconds):
        """So far from the host's clock."""
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}s\n")
        os.replace(self.file + ".new", self.file)

    def environment(self):
        return dict(os.environ, LD_PRELOAD=self.library, FAKETIME_TIMESTAMP_FILE=self.file,
                    FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
                    DONT_FAKE_MONOTONIC="1")
