# SPDX-License-Identifier: Apache-2.0
import glob
import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import h3  # noqa: E402
import stage as lab  # noqa: E402
import tenant  # noqa: E402

PINS = "/sys/fs/bpf/aigress"

# Two workers share them by modules, but for what no neighbour may disturb (`alone`), and for what counts
# the pins of this host, which all goes to one worker.


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures the host, so no other test may run beside it")


@pytest.hookimpl(tryfirst=True)     # before xdist looks for the groups
def pytest_collection_modifyitems(items):
    for item in items:
        group = "pins" if "pins" in item.fixturenames else item.module.__name__
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_logreport(report):
    """A worker has no terminal: what its tests tell is printed where its reports arrive."""
    if report.when == "teardown" and "PYTEST_XDIST_WORKER" not in os.environ:
        for name, line in report.user_properties:
            if name == "tell":
                print(f"\n    {line}", end="", flush=True)


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.exit("the integration tests need root: sudo make check-integration", returncode=1)
    if not os.access(lab.AIGRESS, os.X_OK):
        pytest.exit(f"{lab.AIGRESS} is not there: make", returncode=1)
    directory = tmp_path_factory.mktemp("stage")
    os.chmod(directory, 0o755)
    built = lab.Stage(directory)
    yield built
    built.close()


@pytest.fixture(scope="module")
def home(stage):
    """Where a stranger without rights keeps files: (directory, environment)."""
    with tenant.home(stage) as made:
        yield made


@pytest.fixture(autouse=True)
def guests(stage):
    """A client that a test leaves behind would spend on, and keep the processor from the next."""
    yield
    stage.guests.end()


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    """One daemon for a module's tests, probing each TLS library once for all."""
    directory = tmp_path_factory.mktemp("daemon")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: everyone\n")).start()
    yield started
    assert started.stop() == 0, started.tail()
    started.must_still_agree()


@pytest.fixture
def new_daemon(stage, tmp_path):
    """Daemons of a test's own: new_daemon(text of the configuration)."""
    made = []

    def make(text="attach: everyone\n", **more):
        made.append(lab.Daemon(stage, str(tmp_path / "state"), lab.config(tmp_path, text), **more))
        return made[-1]
    yield make
    for each in made:
        each.stop()
        each.must_still_agree()


@pytest.fixture
def relays(stage):
    """Starts relays in a cgroup that is neither tenant's; ends them."""
    _, cgroup = stage.new_run("relay")
    started = []

    def start(argv, is_ready):
        child = stage.children.start(argv, cgroup=cgroup, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(child)
        lab.wait(lambda: child.poll() is not None or is_ready(), 20, " ".join(argv))
        assert child.poll() is None, child.stdout.read()
    yield start
    for child in reversed(started):
        child.kill()
        child.wait()


@pytest.fixture
def tell(request):
    """Prints a figure that is worth reading although nothing failed."""
    return lambda line: request.node.user_properties.append(("tell", line))


@pytest.fixture
def containers(stage):
    """A list: containers that are put into it are removed. runc leaves the parents of their cgroups."""
    if not shutil.which("runc"):
        pytest.skip("runc is not installed")
    made = []
    yield made
    for container in made:
        container.remove()
    for path in (f"{stage.name}/docker", stage.name):
        for directory in glob.glob(f"/sys/fs/cgroup/*{path}"):
            lab.rmdir(directory)


@pytest.fixture
def pins(stage):
    """What is pinned beside what was before; in the end that is gone."""
    def listed():
        return set(stage.outside("find", PINS, "-type", "f").split())
    before = listed()
    yield lambda: listed() - before
    for pin in listed() - before:
        stage.outside("rm", pin)
    if not before:
        stage.outside("find", PINS, "-type", "d", "-empty", "-delete")


@pytest.fixture(scope="module")
def servers(stage, tmp_path_factory):
    """One HTTP/3 server at an AI host's address, one at another's."""
    if not h3.is_there():
        pytest.skip("ngtcp2-client and ngtcp2-server are not installed")
    children = h3.start_servers(stage, str(tmp_path_factory.mktemp("htdocs")))
    yield
    children.end()
