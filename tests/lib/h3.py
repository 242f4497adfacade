# SPDX-License-Identifier: Apache-2.0
"""HTTP/3 by ngtcp2's client and server."""
import os
import shutil
import subprocess

import stage as lab

ASKED, ANSWERED = 100_000, 300_000
SERVER = shutil.which("gtlsserver") or "/usr/sbin/gtlsserver"


def is_there():
    return bool(shutil.which("gtlsclient")) and os.access(SERVER, os.X_OK)


def start_servers(stage, htdocs):
    """One server at an AI host's address, one at another's; the Children to end."""
    os.makedirs(f"{htdocs}/v1")
    with open(f"{htdocs}/v1/messages", "wb") as file:
        file.write(b"x" * ANSWERED)
    children = lab.Children()
    for address in ("127.0.0.10", "127.0.0.12"):
        children.start([SERVER, "-q", "-d", str(htdocs), address, "443",
                        os.path.join(stage.directory, "leaf.key"),
                        os.path.join(stage.directory, "leaf.pem")],
                       cgroup=stage.server_cgroup, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    sockets = ["127.0.0.10:443", "127.0.0.12:443"]
    lab.wait(lambda: all(each in subprocess.run(["ss", "-lun"], capture_output=True, text=True,
                                                check=True).stdout for each in sockets), 20)
    return children


def ask(stage, tmp_path, host, cgroup, seconds=20):
    """One request by HTTP/3; the client, and how many bytes it got (it is ended when it hangs)."""
    got = tmp_path / "got"
    shutil.rmtree(got, ignore_errors=True)
    got.mkdir()
    body = tmp_path / "body"
    body.write_bytes(b"a" * ASKED)
    child = stage.client(["gtlsclient", "-q", "--exit-on-all-streams-close", "-d", str(body),
                          f"--download={got}", host, "443", f"https://{host}/v1/messages"], cgroup,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
    return child, sum(file.stat().st_size for file in got.rglob("*") if file.is_file())
