# SPDX-License-Identifier: Apache-2.0
"""
Programs whose TLS code has no symbols: found by what it leaves behind, and read as exactly as a library. The
real ones are in a folder of their own (scripts/clients puts them there); what is not there is skipped.
"""
import json
import os
import subprocess

import pytest

import drive
import stage as lab
import unread
from drive import ANTHROPIC, CHAT, RESPONSES

ALL = bool(os.environ.get("AIGRESS_ALL_CLIENTS"))    # `make check-clients`: those that take minutes, too
BUN = ["bun-1.0.0", "bun-1.1.45", "bun-1.3.0", "bun-1.4.5"]
DENO = ["deno-1.46.3", "deno-2.2.12", "deno-2.4.4", "deno-2.9.6"]


@pytest.fixture(scope="module")
def daemon(stage, tmp_path_factory):
    """As it is installed: a program is probed when it greets an AI host, and its first call waits for that."""
    directory = tmp_path_factory.mktemp("daemon")
    started = lab.Daemon(stage, str(directory), lab.config(directory, "attach: on-sight\n")).start()
    yield started
    assert started.stop() == 0, started.tail()
    started.must_still_agree()


class Coverage:
    """What was measured in this run; `make check-clients` has it written to docs/COVERAGE.md."""

    STACKS = {"bun": "BoringSSL in the program", "claude": "BoringSSL in the program (Bun)",
              **dict.fromkeys(("opencode", "kilo", "cline", "droid"), "BoringSSL in the program (Bun)"),
              **dict.fromkeys(("gemini", "qwen", "cn"), "OpenSSL 3 in the program (Node)"),
              **dict.fromkeys(("deno-1.46.3", "deno-2.2.12", "codex-0.121.0", "codex-0.132.0"), "ring under rustls"),
              "copilot": "OpenSSL 3 in an add-on", "deno": "AWS-LC under rustls",
              "codex-0.110.0": "OpenSSL 3 in the program", "codex": "AWS-LC under rustls", "go": "Go's crypto/tls",
              "wget": "GnuTLS", "curl": "GnuTLS"}

    def __init__(self):
        self.rows = {}

    def measured(self, client, protocol, calls):
        row = self.rows.setdefault(client, {"protocols": set(), "calls": 0})
        row["protocols"].add(protocol)
        row["calls"] += calls

    def write(self, path):
        def line(client, cells):
            kind = client.split("-")[0].split()[0].lower()
            stack = self.STACKS.get(client) or self.STACKS[kind]
            return f"| {client.replace('-', ' ', 1)} | {stack} | {cells} |\n"
        expected = [*BUN, *DENO, *CLAUDE, *CODEX, *AGENTS, "cline-3.0.65"]
        with open(path, "w", encoding="utf-8") as out:
            out.write("# Clients that were measured\n\nWritten by `make check-clients`: each client is the real "
                      "program, run against the fake API of `tests/lib`, and each\ncall of the bill was in the "
                      "ledger with the same tokens and the same USD, and nothing else was charged.\n\n"
                      "| client | TLS | result | calls | protocols |\n|---|---|---|---|---|\n")
            for client in [*expected, *(name for name in self.rows if name not in expected)]:
                row = self.rows.get(client)
                out.write(line(client, f"measured, exact | {row['calls']} | {', '.join(sorted(row['protocols']))}")
                          if row else line(client, "skipped or failed in this run | 0 | "))
            out.write("\nAll of it on x86-64. Of arm64 builds of nine of these programs it is known that their TLS code is found, "
                      "at the right\naddresses ([facts](facts/clients.md#arm64), `tests/integration/test_foreign.py`); "
                      "none was run, for want of such a\nmachine: what the probes read there is untried.\n")


@pytest.fixture(scope="module")
def coverage():
    made = Coverage()
    yield made
    if os.environ.get("AIGRESS_COVERAGE"):
        made.write(os.environ["AIGRESS_COVERAGE"])


def note(coverage, stage, client, run):
    """What the bill says of a client's calls."""
    for row in stage.api.bill(run):
        coverage.measured(client, f"HTTP/{row['http']} {row['path'].split('/')[-1]}"
                                  f"{' stream' if row['stream'] else ''}", 1)


def make_calls(stage, argv, cgroup, calls, **options):
    done = subprocess.run(argv, env=dict(stage.environment, **options), preexec_fn=cgroup.enter,
                          timeout=90, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert drive.statuses(done.stdout) == [200] * calls, done.stdout + done.stderr


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
@pytest.mark.parametrize("name", BUN)
def test_bun(stage, daemon, coverage, name, api, stream):
    bun = drive.released(name, "bin/bun")
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=3)
    argv = [bun, os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]
    make_calls(stage, argv, cgroup, 3, NODE_TLS_REJECT_UNAUTHORIZED="0")
    stage.must_agree(daemon, run, cgroup, 3)
    note(coverage, stage, name, run)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("api", [ANTHROPIC, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
@pytest.mark.parametrize("name", DENO)
def test_deno(stage, daemon, coverage, name, api, stream):
    deno = drive.released(name, "deno")
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=3)
    argv = [deno, "run", "-A", "--no-remote", f"--cert={stage.ca}",
            os.path.join(drive.CLIENTS, "node.mjs"), "fetch", json.dumps(work)]
    make_calls(stage, argv, cgroup, 3, DENO_NO_UPDATE_CHECK="1",
               DENO_NO_PACKAGE_JSON="1", DENO_DIR=stage.directory + "/deno")
    stage.must_agree(daemon, run, cgroup, 3)
    note(coverage, stage, name, run)


GO = {"plain": [], "stripped": ["-ldflags=-s -w"], "pie": ["-buildmode=pie"], "race": ["-race"]}
# Beside Debian 12's: they take minutes to build with, so `make check-clients` alone does.
GO_VERSIONS = ["1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"] * ALL


def go_client(root, directory, how, **environment):
    """Builds the client with the toolchain in `root`; its path, and the toolchain's version."""
    go = os.path.join(root, "bin/go")
    env = dict(os.environ, GOROOT=root, GOTOOLCHAIN="local", GOFLAGS="-mod=mod", GO111MODULE="off", HOME=directory,
               GOCACHE=directory + "/gocache", **environment)
    version = subprocess.run([go, "version"], env=env, capture_output=True, text=True, check=True).stdout.split()[2]
    program = os.path.join(directory, "-".join([version, how, *environment]))
    if not os.path.exists(program):
        subprocess.run([go, "build", *GO[how], "-o", program, "client.go"], cwd=drive.CLIENTS, check=True, env=env)
    return program, version[2:]


def calls_of_go(stage, daemon, program, h2, stream):
    run, cgroup = stage.new_run()
    work = drive.job(ANTHROPIC, run, stream, calls=3)
    work["http2"] = h2
    make_calls(stage, [program, json.dumps(work)], cgroup, 3)
    stage.must_agree(daemon, run, cgroup, 3)
    return run


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("h2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("how", GO if ALL else ["plain", "stripped"])
def test_go(stage, daemon, coverage, tmp_path_factory, how, h2, stream):
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    program, version = go_client(root, str(tmp_path_factory.getbasetemp()), how)
    note(coverage, stage, f"go-{version} {how}", calls_of_go(stage, daemon, program, h2, stream))


@pytest.mark.parametrize("how", ["plain", "stripped", "pie", "fips"])
@pytest.mark.parametrize("version", GO_VERSIONS)
def test_other_versions_of_go(stage, daemon, coverage, tmp_path_factory, version, how):
    root = os.path.join(drive.RELEASED, f"go-{version}", "package", "usr/lib", f"go-{version}")
    if not os.path.exists(root):
        pytest.skip(f"go-{version} is not in {drive.RELEASED} (scripts/clients)")
    environment = {"GOFIPS140": "latest"} if how == "fips" else {}
    if environment and float(version) < 1.24:
        pytest.skip("the module of FIPS 140-3 came with Go 1.24")
    program, full = go_client(root, str(tmp_path_factory.getbasetemp()), "plain" if environment else how, **environment)
    for h2, stream in (False, False), (False, True), (True, False), (True, True):
        note(coverage, stage, f"go-{full} {how}", calls_of_go(stage, daemon, program, h2, stream))


@pytest.fixture(scope="module")
def clients(stage, tmp_path_factory):
    return unread.Unread(tmp_path_factory.mktemp("clients"), stage.ca)


@pytest.mark.parametrize("api, stream", [(ANTHROPIC, False), (CHAT, True), (RESPONSES, True)])
@pytest.mark.parametrize("kind", ["wget", "gnutls"])
def test_gnutls(stage, daemon, coverage, clients, kind, api, stream):
    clients.need(kind)
    run, cgroup = stage.new_run()
    work = drive.job(api, run, stream, calls=3)
    child = stage.client(clients.command(kind, work), cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    stage.must_agree(daemon, run, cgroup, 3)
    note(coverage, stage, {"gnutls": "curl (pycurl, GnuTLS)"}.get(kind, kind), run)


# --- agents, as people run them ----------------------------------------------------------------

def agent(stage, cgroup, argv, home, seconds=120, **environment):
    """Runs an agent on one prompt; what it said."""
    home.mkdir(exist_ok=True)
    env = dict(stage.environment, HOME=str(home), **environment)
    done = subprocess.run(argv, env=env, preexec_fn=cgroup.enter, timeout=seconds, cwd=str(home),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def must_agree_with_all(stage, daemon, run, cgroup, said):
    """Every call of the bill is in the ledger, exactly; and no other that costs anything."""
    lab.wait(lambda: stage.api.bill(run), 5, said)
    bill = stage.api.bill(run)
    lab.wait(lambda: not lab.difference(stage.api.bill(run), daemon.calls(cgroup))[0], 20,
             lambda: f"{lab.shown(bill)}\nledger\n{lab.shown(daemon.calls(cgroup))}\n{said[-2000:]}")
    left, extra = lab.difference(stage.api.bill(run), daemon.calls(cgroup))
    paid = [row for row in extra if row["source"] != "free"]
    assert not left and not paid, f"{lab.shown(bill)}\nledger\n{lab.shown(paid)}"
    return bill


def told(bill):
    tokens = [lab.numbers(row["tokens"]) for row in bill]
    usd = sum(lab.money(row["cost_usd"]) for row in bill)
    return (f"{len(bill)} calls, {sum(t['input'] + t['cache_read'] + t['cache_write'] for t in tokens)} tokens in, "
            f"{sum(t['output'] for t in tokens)} out, {usd} USD, exact")


# 2.1.111 takes 0.2 to 0.5 s to be looked through where its file was never seen before, about as long as a first call
# waits: on a busy machine its first call is estimated. `make check-clients` runs it, beside files that are known.
CLAUDE = ["claude-2.1.225", "claude-2.1.332"] + ["claude-2.1.111"] * ALL


@pytest.mark.parametrize("name", CLAUDE)
def test_claude_code(stage, daemon, coverage, tell, tmp_path, name):
    claude = drive.released(name, "claude")
    run, cgroup = stage.new_run()
    argv = [claude, "--model", "claude-sonnet-4-5", "-p", "Say hello."]
    said = agent(stage, cgroup, argv, tmp_path / "home", ANTHROPIC_API_KEY=run, IS_SANDBOX="1")
    bill = must_agree_with_all(stage, daemon, run, cgroup, said)
    note(coverage, stage, name, run)
    tell(f"{name}: {told(bill)}")


CODEX = ["codex-0.110.0", "codex-0.121.0", "codex-0.132.0", "codex-0.141.0", "codex-0.156.0", "codex-0.171.0"]


# A refusal costs Codex 12 s of retries.
SOCKETS = ["run"] + ["plain", "refused"] * ALL


@pytest.mark.parametrize("socket", SOCKETS)
@pytest.mark.parametrize("name", CODEX)
def test_codex(stage, daemon, coverage, tell, tmp_path, name, socket):
    """Its WebSocket compressed, plain, and refused: then it is HTTP/2's turn."""
    if name == "codex-0.110.0" and socket != "run":
        pytest.skip("it speaks HTTP alone")
    vendor = "vendor/x86_64-unknown-linux-musl/"
    path = vendor + ("bin/codex" if name > "codex-0.132.0" else "codex/codex")
    codex = drive.released(name, path)
    run, cgroup = stage.new_run(socket)
    home = tmp_path / "home"
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": run}), encoding="utf-8")
    said = agent(stage, cgroup, [codex, "exec", "--skip-git-repo-check", "--model", "gpt-5.4", "Say hello."], home,
                 OPENAI_API_KEY=run, CODEX_API_KEY=run, CODEX_HOME=str(home / ".codex"))
    bill = must_agree_with_all(stage, daemon, run, cgroup, said)
    note(coverage, stage, name, run)
    tell(f"{name}: {told(bill)}")


# The program's file, and its options before the prompt; each calls a provider with a key of the user's own, {run}.
# The last three run in Node, whose TLS has symbols.
CLAUDE_MODEL = "claude-sonnet-4-5"
AGENTS = {
    "opencode-1.18.34": ("bin/opencode", ["run", "--model", f"anthropic/{CLAUDE_MODEL}"]),
    "kilo-7.7.9": ("bin/kilo", ["run", "--model", f"anthropic/{CLAUDE_MODEL}"]),
    "droid-0.225.2": ("bin/droid", ["exec", "--model", f"custom:{CLAUDE_MODEL}"]),
    "copilot-1.0.102": ("copilot", ["--model", CLAUDE_MODEL, "--allow-all-tools", "-p"]),
    "gemini-0.61.0": ("bundle/gemini.js", ["--skip-trust", "--model", "gemini-2.5-flash", "-p"]),
    "qwen-0.24.4": ("cli-entry.js", ["-p"]),
    "cn-1.5.47": ("dist/cn.js", ["--config", "cn.yaml", "-p"]),
}
AGENT_KEYS = {
    "ANTHROPIC_API_KEY": "{run}", "GEMINI_API_KEY": "{run}", "OPENAI_API_KEY": "{run}", "OPENAI_MODEL": "gpt-4o",
    "OPENAI_BASE_URL": "https://api.openai.com/v1", "FACTORY_API_KEY": "fk-{run}", "FACTORY_AIRGAP_ENABLED": "true",
    "COPILOT_PROVIDER_TYPE": "anthropic", "COPILOT_PROVIDER_API_KEY": "{run}", "COPILOT_OFFLINE": "true",
    "COPILOT_PROVIDER_BASE_URL": "https://api.anthropic.com", "NODE_TLS_REJECT_UNAUTHORIZED": "0",
}
AGENT_FILES = {
    ".factory/settings.json": {"customModels": [
        {"model": CLAUDE_MODEL, "displayName": "own", "provider": "anthropic", "apiKey": "{run}",
         "baseUrl": "https://api.anthropic.com", "maxOutputTokens": 8192}]},
    "cn.yaml": {"name": "own", "version": "0.0.1", "schema": "v1", "models": [
        {"name": "own", "provider": "anthropic", "model": CLAUDE_MODEL, "apiKey": "{run}", "roles": ["chat"]}]},
}


@pytest.mark.parametrize("name", AGENTS)
def test_agent(stage, daemon, coverage, tell, tmp_path, name):
    path, options = AGENTS[name]
    program = drive.released(name, path, os.R_OK)
    run, cgroup = stage.new_run()
    home = tmp_path / "home"
    for file, content in AGENT_FILES.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(json.dumps(content).replace("{run}", run), encoding="utf-8")
    argv = [lab.node()] * path.endswith(".js") + [program, *options, "Say hello."]
    said = agent(stage, cgroup, argv, home, SSL_CERT_FILE=stage.ca, NODE_EXTRA_CA_CERTS=stage.ca,
                 **{key: value.replace("{run}", run) for key, value in AGENT_KEYS.items()})
    bill = must_agree_with_all(stage, daemon, run, cgroup, said)
    note(coverage, stage, name, run)
    tell(f"{name}: {told(bill)}")


def test_cline(stage, daemon, coverage, tell, tmp_path):
    """It asks again and again, as the answers use no tool: a runaway, which is stopped after some calls."""
    cline = drive.released("cline-3.0.65", "bin/cline")
    run, cgroup = stage.new_run()
    home = tmp_path / "home"
    agent(stage, cgroup, [cline, "auth", "--provider", "anthropic", "--apikey", run, "--modelid", "claude-sonnet-4-5"],
          home)
    env = dict(stage.environment, HOME=str(home))
    with subprocess.Popen([cline, "-y", "--json", "Say hello."], env=env, preexec_fn=cgroup.enter, cwd=str(home),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        lab.wait(lambda: len(stage.api.bill(run)) >= 20, 60, daemon.tail)
        child.kill()
    bill = [row for row in stage.api.bill(run) if not row["aborted"]][:-1]   # the last may not have been read
    lab.wait(lambda: not lab.difference(bill, daemon.calls(cgroup))[0], 20, daemon.tail)
    _, extra = lab.difference(bill, daemon.calls(cgroup))
    paid = [row for row in extra if row["source"] != "free"]
    assert len(paid) <= 2, lab.shown(paid)
    note(coverage, stage, "cline-3.0.65", run)
    tell(f"cline-3.0.65: {told(bill)}")
