# SPDX-License-Identifier: Apache-2.0
"""
What a packet of a connection to no AI host costs: the kernel's own count of our programs' run time (which
is in the figure: two reads of the clock), over single bytes sent to and fro on loopback; and the programs run
alone (packet_run.c).
"""
import os
import socket
import threading

import host as lab
import pairs
from memory import bpftool

MESSAGES = 20000
N_PAIRS = 20
PROGRAMS = {"flow_egress": "sent", "flow_ingress": "received"}
STATS = "/proc/sys/kernel/bpf_stats_enabled"


def run_time(pid):
    """Of the daemon's programs on packets: name to (ns, runs), so far."""
    ids = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
            ids |= {int(line.split()[1]) for line in file if line.startswith("prog_id:")}
    shown = [each for each in bpftool("prog", "show") if each["id"] in ids]
    return {each["name"]: (each.get("run_time_ns", 0), each.get("run_cnt", 0)) for each in shown
            if each.get("name") in PROGRAMS}


def echo(connection):
    while data := connection.recv(1):
        connection.sendall(data)


def to_and_fro():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            peer, _ = server.accept()
            thread = threading.Thread(target=echo, args=[peer])
            thread.start()
            for side in client, peer:
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(MESSAGES):
                client.sendall(b"x")
                client.recv(1)
            client.shutdown(socket.SHUT_WR)
            thread.join()
            peer.close()


def run_alone():
    """The programs run by BPF_PROG_TEST_RUN a million times a pair, over an empty one."""
    lines = lab.program("packet_run", os.path.join(lab.PROGRAMS, "tap.o"), N_PAIRS)
    for way, what in ("egress", "sent"), ("ingress", "received"):
        taken = [(int(empty), int(ours)) for name, empty, ours in lines if name == way]
        yield pairs.Row(f"a packet {what}, run alone, over an empty program, ns", "≤ 50", pairs.difference(taken, digits=0))


def rows(host, n_rounds):
    yield from run_alone()
    daemon = host.daemon()
    pid = daemon.child.pid
    with open(STATS, encoding="ascii") as file:
        was = file.read()
    taken = {name: [] for name in PROGRAMS}
    try:
        with open(STATS, "w", encoding="ascii") as file:
            file.write("1")
        for _ in range(n_rounds):
            before = run_time(pid)
            to_and_fro()
            for name, (ns, runs) in run_time(pid).items():
                taken[name].append((ns - before[name][0]) / (runs - before[name][1]))
    finally:
        with open(STATS, "w", encoding="ascii") as file:
            file.write(was)
        daemon.stop()
    for name, what in PROGRAMS.items():
        yield pairs.Row(f"a packet {what} on a connection to another host, ns", "",
                        pairs.spread(taken[name], 0))
