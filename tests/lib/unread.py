# SPDX-License-Identifier: Apache-2.0
"""
Clients that are not read by symbols of OpenSSL, Java not at all: how each is started, whether it is here, and
what the ledger must say of it where nothing is read.
"""
import json
import os
import shutil
import subprocess

import pytest

import drive
import stage as lab

KINDS = ["go", "java", "wget", "gnutls", "bun"]
COMMANDS = {"go": "client", "java": "java", "wget": "wget", "gnutls": "python3", "bun": "bun"}
BUN = [os.path.join(drive.CLIENTS, "node_modules", "@oven", f"bun-linux-{arch}", "bin", "bun")
       for arch in ("x64-baseline", "aarch64")]


def bun():
    return next((file for file in BUN if os.access(file, os.X_OK)), None)


def has_gnutls_curl():
    said = subprocess.run([lab.PYTHON, "-c", "import pycurl; print(pycurl.version)"], check=False,
                          capture_output=True, text=True)
    return "GnuTLS" in said.stdout


MISSING = {
    "go": lambda: not shutil.which("go") and "golang-go",
    "java": lambda: not shutil.which("javac") and "default-jdk-headless",
    "wget": lambda: not shutil.which("wget") and "wget",
    "gnutls": lambda: not has_gnutls_curl() and "python3-pycurl (with GnuTLS)",
    "bun": lambda: not bun() and "npm's @oven/bun-linux-* (scripts/deps test)",
}


class Unread:
    """The clients, built where they must be."""

    def __init__(self, directory, ca):
        self.directory, self.ca = str(directory), ca
        self.n_bodies = 0

    def need(self, kind):
        missing = MISSING[kind]()
        if missing:
            pytest.skip(f"{missing} is not installed")
        if kind == "go" and not os.path.exists(self.file("client")):
            self.build(["go", "build", "-o", self.file("client"), "client.go"])
        if kind == "java" and not os.path.exists(self.file("Client.class")):
            self.build(["javac", "-d", self.directory, "Client.java"])

    def file(self, name):
        return os.path.join(self.directory, name)

    def build(self, argv):
        env = dict(os.environ, GOCACHE=self.file("gocache"), GO111MODULE="off", GOFLAGS="",
                   HOME=self.directory)
        done = subprocess.run(argv, cwd=drive.CLIENTS, env=env, check=False, capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def body(self, work):
        self.n_bodies += 1
        made = json.loads(json.dumps(work["body"]))
        if work.get("expand"):
            made["messages"][0]["content"] *= work["expand"]
        file = self.file(f"body-{self.n_bodies}.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(made, out)
        return file

    def command(self, kind, work):
        url = f"https://{work['host']}{work['path']}"
        calls = work.get("calls", 1)
        if kind == "go":
            return [self.file("client"), json.dumps(work)]
        if kind == "java":
            # One small heap and one compiler: the machine of a test is small, too.
            return ["java", "-Xshare:auto", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp",
                    self.directory, "Client", url, self.body(work), str(calls),
                    "step" if work.get("step") else "run",
                    *(part for pair in work["headers"].items() for part in pair)]
        if kind == "wget":
            return ["wget", "-nv", f"--ca-certificate={self.ca}", "-O",
                    "/dev/null", f"--post-file={self.body(work)}",
                    "--header=content-type: application/json",
                    *(f"--header={n}: {v}" for n, v in work["headers"].items()), *[url] * calls]
        if kind == "gnutls":
            return [lab.PYTHON, os.path.join(drive.CLIENTS, "gnutls.py"), json.dumps(work)]
        return [bun(), os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]


def sent(bill):
    """What the server saw, request and answer."""
    return [sum(row["bytes"][way] for row in bill) for way in (0, 1)]


def charged(rows):
    return [sum(row[name] for row in rows) for name in ("request_bytes", "response_bytes")]


def errors(bill, rows):
    """Of what was charged, against what the server saw; 0.01 is one per cent too much."""
    return [told / true - 1 for true, told in zip(sent(bill), charged(rows))]


class Tokens:
    """Of one class: what was billed, what was estimated, and by how much that was said to be off."""

    def __init__(self, name, bill, rows):
        names = ("input", "cache_read", "cache_write") if name == "input" else (name,)
        self.name = name
        self.true = sum(sum(lab.numbers(row["tokens"])[n] for n in names) for row in bill)
        self.told = sum(sum(row["tokens"][n] for n in names) for row in rows)
        self.error = sum(row["expected_error"][name] for row in rows)

    def __str__(self):
        return f"{self.name} {self.told} ± {self.error / self.told:.0%}, off by {self.true / self.told - 1:+.0%}"

    def is_covered(self):
        return abs(self.told - self.true) <= self.error

    def is_within(self, share):
        return abs(self.told - self.true) <= share * self.told
