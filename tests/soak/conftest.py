# SPDX-License-Identifier: Apache-2.0
"""The soak stands on what the integration tests stand on; its sizes are taken as the benchmarks take them."""
import importlib.util
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "bench")]

# By its file, because this one has the same name.
spec = importlib.util.spec_from_file_location("integration", os.path.join(TESTS, "integration", "conftest.py"))
integration = importlib.util.module_from_spec(spec)
spec.loader.exec_module(integration)
stage, new_daemon, tell = integration.stage, integration.new_daemon, integration.tell
