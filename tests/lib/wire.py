#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
wire.py NETNS HERE THERE: a bad line between two network namespaces, as two tunnels: HERE is this end's address, THERE the
one in NETNS. It loses, repeats and swaps packets by a fixed rule. Says "ready", and ends with its standard input.
"""
import fcntl
import os
import random
import select
import struct
import subprocess
import sys

IFF_TUN, IFF_NO_PI, TUNSETIFF = 0x0001, 0x1000, 0x400454CA
LOST, TWICE, SWAPPED = 0.02, 0.05, 0.2


def tunnel(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def ip(line):
    subprocess.run(["ip", *line.split()], check=True)


def main():
    netns, here, there = sys.argv[1:]
    rng = random.Random(4)
    ends = [tunnel("bad0"), tunnel("bad1")]
    ip(f"link set bad1 netns {netns}")
    ip(f"address add {here}/32 peer {there} dev bad0")
    ip("link set bad0 up")
    inside = ["nsenter", f"--net=/proc/{netns}/ns/net", "ip"]
    for line in (f"address add {there}/32 peer {here} dev bad1", "link set bad1 up"):
        subprocess.run([*inside, *line.split()], check=True)
    print("ready", flush=True)
    kept = {}
    while True:
        readable, _, _ = select.select([*ends, sys.stdin], [], [], 0.005)
        if sys.stdin in readable:
            return
        if not readable:
            for to, packet in kept.items():     # nothing came to go first
                os.write(to, packet)
            kept = {}
        for end in set(readable) & set(ends):
            packet, to = os.read(end, 65536), ends[end == ends[0]]
            if rng.random() < LOST:
                continue
            if to not in kept and rng.random() < SWAPPED:
                kept[to] = packet
                continue
            os.write(to, packet)
            if rng.random() < TWICE:
                os.write(to, packet)
            if to in kept and rng.random() < 0.3:
                os.write(to, kept.pop(to))


if __name__ == "__main__":
    sys.exit(main())
