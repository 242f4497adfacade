# SPDX-License-Identifier: Apache-2.0
"""
Who vouches for where a call went: a name service that gave the address, or its sender alone. The daemon is inside of the
stage's namespaces, whose resolver knows the AI hosts by /etc/hosts.
"""
import json
import shutil
import subprocess

import pytest

import behind
import drive
import script
import stage as lab

HOST = drive.CHAT[0]
NAME_SERVER = lab.SERVER_ADDRESS    # of the node's, for other namespaces
LOCAL = "127.0.0.53"             # a loopback address is each namespace's own
PROXY = 3128


@pytest.fixture(name="daemon", scope="module")
def one_daemon(stage, tmp_path_factory):
    """The stage's other server is an AI host, too, but another provider's; no loopback address is its."""
    state = tmp_path_factory.mktemp("confirmed")
    text = f"""resolve: true
hosts: [ {{ pattern: {lab.SERVER}, like: mistral_ai }} ]
name-servers: [ {NAME_SERVER}, {LOCAL} ]
proxies: [ "localhost:{PROXY}" ]
"""
    daemon = lab.Daemon(stage, str(state), lab.config(state, text), where="inside").start()
    lab.wait(lambda: "the addresses of the AI hosts" in daemon.said(), 30, daemon.tail)
    yield daemon
    daemon.stop()


def destinations(daemon, cgroup, n_calls):
    """What stands at each of so many calls."""
    def rows():
        return [row for row in daemon.report("call,cgroup,destination") if row["cgroup"] == cgroup.path]
    lab.wait(lambda: sum(row["calls"] for row in rows()) >= n_calls, 20, lambda: lab.shown(rows()))
    return [row["destination"] for row in rows()]


def curl(stage, cgroup, run, *more, api=drive.CHAT, calls=1, where=None):
    work = drive.job(api, run, calls=calls, body=drive.body(drive.CHAT), settings={"front": HOST})
    child = stage.client(drive.curl(work, *more), cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, where=where)
    out, err = child.communicate(timeout=60)
    assert drive.statuses(out) == [200] * calls, out + err


@pytest.mark.parametrize("kind", drive.ANY)
def test_what_goes_to_a_resolved_address_is_confirmed(stage, daemon, kind):
    drive.need(kind)
    run, cgroup = stage.new_run()
    drive.make_calls(stage, kind, drive.job(drive.CHAT, run, calls=3), cgroup)
    assert destinations(daemon, cgroup, 3) == ["confirmed"] * 3


def test_a_name_at_another_address_is_its_senders_word(stage, daemon):
    """The hello says api.openai.com; the address is another provider's, as the resolver says."""
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, "--resolve", f"{HOST}:443:{lab.SERVER_ADDRESS}", calls=2)
    assert destinations(daemon, cgroup, 2) == ["unconfirmed"] * 2
    row = [row for row in daemon.report("cgroup") if row["cgroup"] == cgroup.path][0]
    assert row["unconfirmed"]["calls"] == row["unconfirmed"]["of_calls"] == 2, row
    assert lab.money(row["unconfirmed"]["budget_usd"]) == lab.money(row["budget_usd"]) > 0
    call = [row["call"] for row in daemon.report("call,cgroup") if row["cgroup"] == cgroup.path][0]
    told = daemon.run("explain", "call", str(call)).stdout
    assert "unconfirmed: only its sender" in told, told
    assert json.loads(daemon.run("explain", "call", str(call), "--format", "json").stdout)["destination"] == "unconfirmed"
    assert "are unconfirmed" in daemon.run("report").stdout


def test_what_nobody_reads_is_marked_by_its_address_as_well(stage, tmp_path):
    """An estimate by size, of a client that is not probed."""
    daemon = lab.Daemon(stage, str(tmp_path), lab.config(tmp_path, "attach: never\nresolve: true\n"), where="inside").start()
    try:
        lab.wait(lambda: "the addresses of the AI hosts" in daemon.said(), 30, daemon.tail)
        run, cgroup = stage.new_run()
        curl(stage, cgroup, run)
        assert destinations(daemon, cgroup, 1) == ["confirmed"]
        run, cgroup = stage.new_run()
        curl(stage, cgroup, run, "--resolve", f"{HOST}:443:{lab.SERVER_ADDRESS}")
        assert destinations(daemon, cgroup, 1) == ["unconfirmed"]
    finally:
        daemon.stop()


def test_loopback_is_another_in_each_namespace(stage, daemon):
    """api.openai.com is at 127.0.0.11 for the node; in another namespace that address is somebody else's."""
    run, cgroup = stage.new_run()
    space = lab.Space(stage)
    api = server_in(stage, space, stage.directory)
    curl(stage, cgroup, run, where=space)
    assert destinations(daemon, cgroup, 1) == ["unconfirmed"]
    api.terminate()
    # What is no loopback address is the same everywhere.
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, api=(lab.SERVER, drive.CHAT[1]), where=space)
    assert destinations(daemon, cgroup, 1) == ["confirmed"]


def server_in(stage, space, directory):
    child = stage.client([lab.PYTHON, f"{lab.HERE}/fake_api.py", directory], stage.server_cgroup, where=space,
                         stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


IN_A_NAMESPACE_OF_ITS_OWN = """
set -e
ip link set lo up
ip address add {address}/32 dev lo
{python} {server} {directory} >{directory}/said & api=$!
until grep -q ready {directory}/said; do sleep 0.1; done
"$@"
kill $api
"""


def test_no_address_is_a_providers_where_anybody_may_give_it_to_himself(stage, daemon, tmp_path):
    """In a user namespace of its own anybody makes a network namespace in which a provider's address is his."""
    for name in "leaf.pem", "leaf.key":
        shutil.copy(f"{stage.directory}/{name}", tmp_path)
    text = IN_A_NAMESPACE_OF_ITS_OWN.format(address=lab.SERVER_ADDRESS, python=lab.PYTHON, directory=tmp_path,
                                            server=f"{lab.HERE}/fake_api.py")
    run, cgroup = stage.new_run()
    work = drive.job((lab.SERVER, drive.CHAT[1]), run, body=drive.body(drive.CHAT), settings={"front": HOST})
    child = stage.client(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", text, "sh", *drive.curl(work)],
                         cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    assert drive.statuses(out) == [200], out + err
    assert destinations(daemon, cgroup, 1) == ["unconfirmed"]


NAMES = """
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    question, client = server.recvfrom(4096)
    head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
    record = b"\\xc0\\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(sys.argv[2])
    server.sendto(head + question[12:] + record, client)
"""
ASK = """
import os, socket, struct, sys
server, name, how = sys.argv[1:4]
number = os.urandom(2)
question = number + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0)
question += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\\0" + struct.pack(">HH", 1, 1)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
if how == "connected":
    client.connect((server, 53))
    client.send(question)
else:
    client.sendto(question, (server, 53))
assert client.recv(4096)[:2] == number
"""


def name_server(stage, where, address, answer):
    """One that gives each name this address."""
    child = stage.client([lab.PYTHON, "-c", NAMES, address, answer], stage.server_cgroup, where=where,
                         stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


def ask(stage, space, server, name=HOST, how="connected"):
    _, cgroup = stage.new_run()
    script.ends(stage.client([lab.PYTHON, "-c", ASK, server, name, how], cgroup, where=space,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


@pytest.mark.parametrize("how", ["connected", "unconnected"])
def test_what_a_pods_name_server_gave_it_is_confirmed_there(stage, daemon, how):
    """Its answer is the pod's alone: elsewhere the same address is nobody's."""
    there = ["--resolve", f"{HOST}:443:{lab.SERVER_ADDRESS}"]
    space, other = lab.Space(stage), lab.Space(stage)
    server = name_server(stage, None, NAME_SERVER, lab.SERVER_ADDRESS)
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, *there, where=space)
    assert destinations(daemon, cgroup, 1) == ["unconfirmed"]
    ask(stage, space, NAME_SERVER, "bystander.test", how)
    ask(stage, space, NAME_SERVER, HOST.upper() if how == "connected" else HOST, how)
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, *there, where=space)
    assert destinations(daemon, cgroup, 1) == ["confirmed"]
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, *there, where=other)
    assert destinations(daemon, cgroup, 1) == ["unconfirmed"]
    server.kill()
    server.wait()


@pytest.mark.parametrize("address", [LOCAL, "127.0.0.54", "10.98.200.1"])
def test_a_name_server_of_ones_own_says_nothing(stage, daemon, address):
    """Over loopback, also under the address of a name server that counts; and under any other address."""
    space = lab.Space(stage)
    if not address.startswith("127."):
        subprocess.run(["nsenter", f"--net=/proc/self/fd/{space.net}", "ip", "address", "add", f"{address}/32", "dev", "lo"],
                       check=True, pass_fds=[space.net])
    name_server(stage, space, address, lab.SERVER_ADDRESS)
    ask(stage, space, address)
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, "--resolve", f"{HOST}:443:{lab.SERVER_ADDRESS}", where=space)
    assert destinations(daemon, cgroup, 1) == ["unconfirmed"]


@pytest.mark.parametrize("port, expected", [(PROXY, "confirmed"), (PROXY + 1, "unconfirmed")])
def test_a_proxy_confirms_if_the_operator_names_it(stage, daemon, relays, port, expected):
    relays([lab.PYTHON, f"{drive.CLIENTS}/proxy.py", str(port)], lambda: behind.listens(port))
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run, "--proxy", f"http://localhost:{port}")
    assert destinations(daemon, cgroup, 1) == [expected]


def test_without_a_resolver_nobody_is_asked(stage, new_daemon):
    daemon = new_daemon("attach: everyone\n", where="inside").start()
    run, cgroup = stage.new_run()
    curl(stage, cgroup, run)
    assert destinations(daemon, cgroup, 1) == [""]
    assert "unconfirmed" not in daemon.run("report").stdout
