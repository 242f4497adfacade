# SPDX-License-Identifier: Apache-2.0
"""
Relays that people run: what is read at the client is charged once, and one tenant's shut gate holds behind them without a
loss for the other. Nothing of the relays is known to the daemon.
"""
import os
import shutil
import subprocess

import pytest

from behind import HOST, Tenants, listens

PORT, FAR = 3140, 3141
NGINX_MODULES = "/usr/lib/nginx/modules"


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (scripts/deps test)")


def write(directory, name, text):
    file = directory / name
    file.write_text(text, encoding="ascii")
    return str(file)


def socat(relays, directory):
    need("socat")
    relays(["socat", f"TCP-LISTEN:{PORT},bind=127.0.0.1,fork,reuseaddr", f"TCP:{HOST}:443"], lambda: listens(PORT))
    return f"by_port({PORT})"


def socat_splits(relays, directory):
    """Small reads: no segment that leaves the relay is one that came."""
    need("socat")
    relays(["socat", "-b", "100", f"TCP-LISTEN:{PORT},bind=127.0.0.1,fork,reuseaddr", f"TCP:{HOST}:443"],
           lambda: listens(PORT))
    return f"by_port({PORT})"


def socat_unix(relays, directory):
    need("socat")
    path = str(directory / "socket")
    relays(["socat", f"UNIX-LISTEN:{path},fork,mode=777", f"TCP:{HOST}:443"], lambda: os.path.exists(path))
    return f"by_unix({path!r})"


def nginx_stream(relays, directory):
    need("nginx")
    module = os.path.join(NGINX_MODULES, "ngx_stream_module.so")
    if not os.path.exists(module):
        pytest.skip("libnginx-mod-stream is not installed (scripts/deps test)")
    file = write(directory, "nginx.conf", f"""load_module {module};
daemon off; master_process off; user root; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
events {{}}
stream {{ server {{ listen 127.0.0.1:{PORT}; ssl_preread on; proxy_pass {HOST}:443; }} }}
""")
    relays(["nginx", "-e", f"{directory}/nginx.log", "-c", file], lambda: listens(PORT))
    return f"by_port({PORT})"


def haproxy(relays, directory):
    need("haproxy")
    file = write(directory, "haproxy.cfg", f"""global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen relay
    bind 127.0.0.1:{PORT}
    server far {HOST}:443
""")
    relays(["haproxy", "-db", "-f", file], lambda: listens(PORT))
    return f"by_port({PORT})"


def stunnel(relays, directory, stage):
    """TLS in TLS: from one stunnel to another, which goes on in the clear."""
    need("stunnel4")
    far = write(directory, "far.conf", f"""foreground = yes
pid =
cert = {stage.directory}/leaf.pem
key = {stage.directory}/leaf.key
[far]
accept = 127.0.0.1:{FAR}
connect = {HOST}:443
""")
    near = write(directory, "near.conf", f"""foreground = yes
pid =
client = yes
[near]
accept = 127.0.0.1:{PORT}
connect = 127.0.0.1:{FAR}
""")
    relays(["stunnel4", far], lambda: listens(FAR))
    relays(["stunnel4", near], lambda: listens(PORT))
    return f"by_port({PORT})"


def microsocks(relays, directory):
    need("microsocks")
    relays(["microsocks", "-i", "127.0.0.1", "-p", str(PORT)], lambda: listens(PORT))
    return f"by_socks({PORT})"


def tinyproxy(relays, directory):
    need("tinyproxy")
    file = write(directory, "tinyproxy.conf", f"Port {PORT}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\n")
    relays(["tinyproxy", "-d", "-c", file], lambda: listens(PORT))
    return f"by_proxy({PORT})"


def privoxy(relays, directory):
    need("privoxy")
    file = write(directory, "privoxy.conf", f"listen-address 127.0.0.1:{PORT}\nlogdir {directory}\nconfdir {directory}\n")
    relays(["privoxy", "--no-daemon", file], lambda: listens(PORT))
    return f"by_proxy({PORT})"


def ssh(relays, directory, *options):
    """Everybody's connections inside of one connection of SSH."""
    need("ssh", "sshd")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key"], check=True)
    shutil.copy(directory / "key.pub", directory / "authorized")
    file = write(directory, "sshd.conf", f"""Port {FAR}
ListenAddress 127.0.0.1
HostKey {directory}/key
AuthorizedKeysFile {directory}/authorized
StrictModes no
PidFile none
UsePAM no
""")
    os.makedirs("/run/sshd", exist_ok=True)
    relays([shutil.which("sshd"), "-D", "-e", "-f", file], lambda: listens(FAR))
    relays(["ssh", "-N", "-i", str(directory / "key"), "-p", str(FAR), "-o", "StrictHostKeyChecking=no", "-o",
            f"UserKnownHostsFile={directory}/known", *options, "root@127.0.0.1"], lambda: listens(PORT))


def ssh_local(relays, directory):
    ssh(relays, directory, "-L", f"127.0.0.1:{PORT}:{HOST}:443")
    return f"by_port({PORT})"


def ssh_socks(relays, directory):
    ssh(relays, directory, "-D", f"127.0.0.1:{PORT}")
    return f"by_socks({PORT})"


KINDS = [socat, socat_splits, socat_unix, nginx_stream, haproxy, stunnel, microsocks, tinyproxy, privoxy, ssh_local,
         ssh_socks]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_two_tenants_behind(stage, new_daemon, relays, tmp_path_factory, kind):
    directory = tmp_path_factory.mktemp(kind.__name__)
    for each in (directory, directory.parent, directory.parent.parent):
        os.chmod(each, 0o755)
    how = kind(relays, directory, stage) if kind is stunnel else kind(relays, directory)
    Tenants(stage, new_daemon, how).must_hold()
