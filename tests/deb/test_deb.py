# SPDX-License-Identifier: Apache-2.0
"""
The Debian package (`make deb`): what Debian's own checker says of it, and its life in a Debian that
has nothing else: installed with its dependencies, used, removed, purged.
"""
import glob
import os
import subprocess

import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
# A package of one's own goes to no archive, and has no man page for a kubectl plugin.
ACCEPTED = {"initial-upload-closes-no-bugs", "no-manual-page"}


@pytest.fixture(scope="session")
def package():
    (found,) = glob.glob(os.path.join(ROOT, "build", "deb", "aigress_*.deb"))
    return os.path.abspath(found)


@pytest.fixture(scope="session")
def chroot(tmp_path_factory, package):
    """Debian 12 and nothing else; what the host's apt reaches, its apt reaches."""
    root = str(tmp_path_factory.mktemp("deb") / "root")
    done = subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"debootstrap found no Debian: {done.stdout[-300:]}")
    for at in ("proc", "sys"):
        subprocess.run(["mount", "--rbind", f"/{at}", f"{root}/{at}"], check=True)
        subprocess.run(["mount", "--make-rslave", f"{root}/{at}"], check=True)
    subprocess.run(["cp", package, f"{root}/tmp/aigress.deb"], check=True)

    def run(*argv, check=True):
        said = subprocess.run(["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", *argv],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=300)
        assert not check or said.returncode == 0, f"{argv}: {said.stdout[-2000:]}{said.stderr[-2000:]}"
        return said
    run.root = root
    yield run
    for at in ("proc", "sys"):
        subprocess.run(["umount", "--recursive", "--lazy", f"{root}/{at}"], check=True)


def test_lintian_finds_nothing(package, tmp_path):
    # a file of lintian's own (mldbm-elf-...) outlives it
    said = subprocess.run(["lintian", "--allow-root", "--fail-on", "none", package], capture_output=True,
                          text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)}).stdout
    found = [line for line in said.splitlines() if line[:2] in ("E:", "W:") and
             line.split()[2] not in ACCEPTED]
    assert not found, said


def files(root):
    """What names aigress below root but in apt's and dpkg's own records, without the mounts there."""
    records = ("./var/cache", "./var/log", "./var/lib/apt", "./var/lib/dpkg", "./tmp")
    prune = [word for path in records for word in ("-o", "-path", path)][1:]
    return subprocess.run(["find", ".", "-xdev", "(", *prune, ")", "-prune", "-o", "-path", "*aigress*", "-print"],
                          cwd=root, capture_output=True, text=True, check=True).stdout.split()


def test_its_whole_life(chroot):
    assert not files(chroot.root)
    chroot("apt-get", "-qq", "update")
    chroot("apt-get", "-qq", "install", "-y", "--no-install-recommends", "/tmp/aigress.deb")
    assert chroot("aigress", "--version").stdout.startswith("aigress ")
    # 3: this kernel cannot; either way it must come to its verdict, with all its libraries there.
    checked = chroot("aigress", "check", check=False)
    assert checked.returncode in (0, 3) and "This host" in checked.stdout, checked.stderr
    # A configuration that the daemon takes: the one that stands in /etc.
    assert os.path.exists(f"{chroot.root}/etc/aigress/aigress.yaml")
    for each in ("grafana/aigress.json", "prometheus/aigress.rules.yaml", "helm/aigress/Chart.yaml",
                 "helm/aigress/templates/daemonset.yaml", "kubernetes/aigress.yaml"):
        assert os.path.isfile(f"{chroot.root}/usr/share/aigress/{each}"), each
    assert os.access(f"{chroot.root}/usr/share/aigress/kubectl-aigress", os.X_OK)
    # Every page, long ones compressed, as Debian wants it.
    for at, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in names:
            page = os.path.join(chroot.root, "usr/share/doc/aigress", os.path.relpath(os.path.join(at, name), ROOT))
            assert os.path.isfile(page) or os.path.isfile(f"{page}.gz"), page
    conffiles = chroot("dpkg-query", "-W", "-f", "${Conffiles}", "aigress").stdout
    assert "/etc/aigress/aigress.yaml" in conffiles and "/etc/default/aigress" in conffiles
    os.makedirs(f"{chroot.root}/var/lib/aigress")
    with open(f"{chroot.root}/var/lib/aigress/ledger.lock", "w", encoding="ascii"):
        pass
    chroot("apt-get", "-qq", "remove", "-y", "aigress")
    assert os.path.exists(f"{chroot.root}/var/lib/aigress"), "the ledger outlives a removal"
    chroot("apt-get", "-qq", "purge", "-y", "aigress")
    assert not files(chroot.root) and not os.path.exists(f"{chroot.root}/etc/aigress")
    assert not os.path.exists(f"{chroot.root}/var/lib/aigress")


def test_the_unit_is_hardened():
    """systemd's own measure, without a running systemd: from 0 (best) to 10."""
    unit = os.path.join(ROOT, "deploy", "systemd", "aigress.service")
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=40", unit],
                          capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-400:]
