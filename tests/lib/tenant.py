# SPDX-License-Identifier: Apache-2.0
"""A tenant without rights: uid 65534, in cgroups that are its own."""
import contextlib
import os
import shutil
import tempfile

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@contextlib.contextmanager
def home(stage):
    """A folder that nobody can read, unlike pytest's, and the environment of a client from there."""
    directory = tempfile.mkdtemp(prefix="aigress-tenant-")
    try:
        os.chmod(directory, 0o755)
        ca = shutil.copy(stage.ca, directory)
        os.chown(shutil.copy("/bin/sleep", os.path.join(directory, "crun")), NOBODY, NOBODY)
        yield directory, dict(stage.environment, TMPDIR=directory, **{
            name: ca for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")})
    finally:
        shutil.rmtree(directory)


def own(cgroup, below=None):
    """Delegates a cgroup, or one below it that is made for that; returns its directory."""
    directory = os.path.join(cgroup.directory, below) if below else cgroup.directory
    os.makedirs(directory, exist_ok=True)
    for name in "", "cgroup.procs", "cgroup.threads", "cgroup.type", "cgroup.subtree_control":
        os.chown(os.path.join(directory, name), NOBODY, NOBODY)
    return directory


def inside(directory, argv, file="cgroup.procs"):
    """As nobody, moved into that cgroup (or, with cgroup.threads, its one thread) before."""
    return AS_NOBODY + ["sh", "-c", 'echo 0 >"$0" && exec "$@"', os.path.join(directory, file), *argv]
