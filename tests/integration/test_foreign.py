# SPDX-License-Identifier: Apache-2.0
"""
Released arm64 programs on a host that cannot run them: what is found in them is told, and nothing of them is probed. The
addresses stand among the symbols, or were read in the disassembly of Bun 1.3.0, Deno and Codex 0.110; those of the other
stripped programs are what the search has proven, kept so that a change shows (docs/facts/clients.md, "arm64").
"""
import json
import os
import platform
import re
import subprocess

import pytest

import drive
import stage as lab

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="arm64 programs are this host's own")

CODEX = "vendor/aarch64-unknown-linux-musl/"
FOUND = {
    ("bun-1.3.0-arm64", "bin/bun"):
        {"SSL_write": 0x5aedcc0, "SSL_read": 0x5aecf00, "SSL_set_tlsext_host_name": 0x5aee640},
    ("bun-1.4.5-arm64", "bin/bun"):
        {"SSL_write": 0x23b07c0, "SSL_read": 0x2335500, "SSL_set_tlsext_host_name": 0x231d240},
    ("claude-2.1.225-arm64", "claude"):
        {"SSL_write": 0x2e02d00, "SSL_read": 0x2e02940, "SSL_set_tlsext_host_name": 0x2e03740},
    ("claude-2.1.332-arm64", "claude"):
        {"SSL_write": 0x2ffce60, "SSL_read": 0x2ffcff8, "SSL_set_tlsext_host_name": 0x3027b58},
    ("deno-2.9.6-arm64", "deno"):
        {"EVP_AEAD_CTX_init_with_direction": 0x515c974, "EVP_AEAD_CTX_seal": 0x515c9f8,
         "EVP_AEAD_CTX_open": 0x515cbe0},
    ("codex-0.110.0-arm64", CODEX + "codex/codex"):
        {"ssl_write_internal": 0x409ee44, "ssl_read_internal": 0x409e9e0, "ssl3_ctrl": 0x409580c,
         "RecordLayer::encrypt_outgoing": 0x369be1c, "MessageEncrypter::encrypt": 0x3662cec,
         "MessageDecrypter::decrypt": 0x3662a7c},
    ("codex-0.171.0-arm64", CODEX + "bin/codex"):
        {"EVP_AEAD_CTX_init": 0xe92e2a8, "EVP_AEAD_CTX_init_with_direction": 0xe92e378,
         "EVP_AEAD_CTX_seal": 0xe92e44c, "EVP_AEAD_CTX_open": 0xe92e6c4,
         "ssl_write_internal": 0xe632710, "ssl_read_internal": 0xe6320d0},
}
EXPORTING = {"node-24.22.3-arm64": "bin/node", "copilot-1.0.102-arm64": "copilot"}


def explained(file):
    """What `explain exe` says of it, and the functions that it names with their addresses."""
    done = subprocess.run([lab.AIGRESS, "explain", "--format", "json", "exe", file], check=False,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    found = {}
    for name, addr in re.findall(r"(\S+) at (0x[0-9a-f]+) by", said["how"]):
        found[name] = int(addr, 16)     # of several encrypters the last
    return said, found


def offset_of(file, addr):
    """In the file, of a virtual address, as its program headers say."""
    listed = subprocess.run(["readelf", "-lW", file], check=True, capture_output=True, text=True).stdout
    for row in re.findall(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+)", listed):
        offset, start, size = (int(number, 16) for number in row)
        if start <= addr < start + size:
            return offset + addr - start
    raise AssertionError(f"{addr:#x} is in no segment")


@pytest.mark.parametrize("name,path", FOUND, ids=[name for name, _ in FOUND])
def test_stripped(name, path):
    said, found = explained(drive.released(name, path, os.R_OK))
    assert found == FOUND[name, path]
    assert said["other_machine"] == "aarch64"
    assert len(said["offsets"]) >= 3, said


@pytest.mark.parametrize("name", EXPORTING)
def test_symbols(name):
    file = drive.released(name, EXPORTING[name], os.R_OK)
    said, _ = explained(file)
    symbols = subprocess.run(["nm", "-D", file], check=True, capture_output=True, text=True).stdout
    for symbol in ("SSL_write", "SSL_read", "SSL_ctrl", "SSL_free"):
        addr = int(re.search(rf"^(\w+) T {symbol}\b", symbols, re.M)[1], 16)
        assert offset_of(file, addr) in said["offsets"], (symbol, hex(addr))
    assert said["other_machine"] == "aarch64"
