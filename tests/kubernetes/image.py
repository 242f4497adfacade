# SPDX-License-Identifier: Apache-2.0
"""Images without a registry: folders, and what a docker archive takes to hold one."""
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(root, name, file, entrypoint, environment=()):
    """A docker archive of one layer, all root's; the same folder makes the same bytes."""
    def owned(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = "root"
        return info

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in sorted(os.listdir(root)):
            tar.add(os.path.join(root, entry), entry, filter=owned)
    layer = layer.getvalue()
    diff = hashlib.sha256(layer).hexdigest()
    machine = platform.machine()
    config = json.dumps({
        "architecture": ARCHITECTURE.get(machine, machine), "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/usr/bin:/bin", *environment]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff]},
        "history": [{"created": "1970-01-01T00:00:00Z"}]}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name],
                            "Layers": [diff + "/layer.tar"]}]).encode()
    with tarfile.open(file, "w") as tar:
        for member, data in ((diff + "/layer.tar", layer), (config_name, config),
                             ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def libraries(program):
    said = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", said)


def copy(root, *sources):
    """Files and folders of this host to the same place below root, with the libraries they need."""
    for source in sources:
        target = root + source
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True,
                            ignore=shutil.ignore_patterns("__pycache__", "test", "idlelib", "tkinter"))
            found = [os.path.join(d, f) for d, _, files in os.walk(source) for f in files
                     if re.search(r"\.so(\.|$)", f)]
        else:
            shutil.copy(source, target)     # the file behind a link, under the link's name
            found = [source]
        for library in {each for file in found for each in libraries(file)}:
            if not os.path.exists(root + library):
                os.makedirs(os.path.dirname(root + library), exist_ok=True)
                shutil.copy(library, root + library)


def skeleton(root):
    """A merged /usr, as the host's, so that a library has one place."""
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "tmp", "proc", "sys", "dev"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        link = os.path.join(root, name)
        if not os.path.lexists(link):
            os.symlink(f"usr/{name}", link)
    with open(os.path.join(root, "etc/passwd"), "w", encoding="ascii") as file:
        file.write("root:x:0:0:root:/:/bin/sh\n")


PAUSE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }
"""


def pause(directory, name):
    """The process that holds a pod's namespaces."""
    root = os.path.join(directory, "pause")
    os.makedirs(root)
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", os.path.join(root, "pause"), "-x", "c", "-"],
                   input=PAUSE, text=True, check=True)
    return archive(root, name, os.path.join(directory, "pause.tar"), ["/pause"])


def aigress(directory, program, names):
    """The image as the Dockerfile's second stage makes it, of a program built on this host."""
    here = os.path.join(os.path.dirname(__file__), "..", "..")
    root = os.path.join(directory, "aigress")
    subprocess.run(["deploy/image/root", os.path.abspath(program), root], cwd=here, check=True)
    subprocess.run(["strip", os.path.join(root, "usr/bin/aigress")], check=True)
    return [archive(root, name, os.path.join(directory, f"aigress-{i}.tar"), ["/usr/bin/aigress"],
                    [f"IMAGE={name}"]) for i, name in enumerate(names)]


def clients(directory, name, node, scripts):
    """Python and Node of this host, and scripts."""
    root = os.path.join(directory, "clients")
    skeleton(root)
    python = os.path.realpath("/usr/bin/python3")
    copy(root, python, f"/usr/lib/{os.path.basename(python)}")
    os.symlink(os.path.basename(python), os.path.join(root, "usr/bin/python3"))
    if node:
        copy(root, os.path.realpath(node))
        os.makedirs(os.path.join(root, "usr/bin"), exist_ok=True)
        if not os.path.lexists(os.path.join(root, "usr/bin/node")):
            os.symlink(os.path.realpath(node), os.path.join(root, "usr/bin/node"))
        if os.path.isdir("/usr/share/nodejs"):      # what Debian's Node keeps outside its library
            copy(root, "/usr/share/nodejs")
    for script in scripts:
        shutil.copy(script, os.path.join(root, "usr/bin"))
    return archive(root, name, os.path.join(directory, "clients.tar"), ["/usr/bin/python3"])
