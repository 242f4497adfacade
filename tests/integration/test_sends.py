# SPDX-License-Identifier: Apache-2.0
"""Ways for a request to leave that no HTTP library has by default: io_uring, a resumed handshake's early data, redirects."""
import json
import shutil
import subprocess

import pytest

import behind
import drive
import script
import server
import stage as lab


@pytest.fixture(name="sends", scope="module")
def _sends(tmp_path_factory):
    """clients/sends.c, made."""
    file = tmp_path_factory.mktemp("sends") / "sends"
    file.parent.chmod(0o755)
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-O1", "-o", str(file), f"{drive.CLIENTS}/sends.c", "-luring", "-lssl", "-lcrypto"],
                   check=True)
    return str(file)


def request(run, settings=None):
    work = drive.job(drive.CHAT, run, settings=settings)
    body = json.dumps(work["body"])
    fields = "".join(f"{name}: {value}\r\n" for name, value in work["headers"].items())
    return (f"POST {drive.CHAT[1]} HTTP/1.1\r\nhost: {drive.CHAT[0]}\r\n{fields}content-type: application/json\r\n"
            f"content-length: {len(body.encode())}\r\n\r\n{body}")


def go(stage, sends, cgroup, text, *argv):
    child = stage.client([sends, *map(str, argv)], cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    out, err = child.communicate(text, timeout=60)
    assert child.returncode == 0, err
    return int(out)


@pytest.mark.parametrize("kind", ["uring", "sqpoll"])
def test_io_uring(stage, daemon, sends, kind):
    run, cgroup = stage.new_run()
    host = drive.CHAT[0]
    assert go(stage, sends, cgroup, request(run), kind, host, address_of(stage, host), 443, 5) == 5
    stage.must_agree(daemon, run, cgroup, 5)


def address_of(stage, host):
    done = stage.client(["getent", "ahostsv4", host], stage.new_run()[1], stdout=subprocess.PIPE, text=True)
    return done.communicate(timeout=20)[0].split()[0]


def front(stage, relays, port):
    """A server that takes early data, before the one that has none."""
    if not shutil.which("nghttpx"):
        pytest.skip("nghttp2-proxy is not installed (scripts/deps test)")
    directory = stage.directory
    relays(["nghttpx", "--conf=/dev/null", f"--frontend=127.0.0.1,{port}", f"--backend={address_of(stage, drive.CHAT[0])},4000", "--workers=1",
            "--tls-max-early-data=16384", "--tls-no-postpone-early-data", "--no-ocsp", "--no-via", "--accesslog-file=/dev/null",
            f"{directory}/leaf.key", f"{directory}/leaf.pem"], lambda: behind.listens(port))


def test_early_data(stage, daemon, sends, relays):
    """The first connection has no ticket; each of the others sends its request with its hello."""
    port = server.free_port("localhost")
    front(stage, relays, port)
    run, cgroup = stage.new_run()
    assert go(stage, sends, cgroup, request(run), "early", drive.CHAT[0], "127.0.0.1", port, 5) == 4
    stage.must_agree(daemon, run, cgroup, 5)


AGAIN = drive.CHAT[1] + "?again"
REDIRECTS = {
    "by-hand": """
        one = connect()
        for _ in range(2):
            assert ask(one, BIG) == 307
            assert ask(one, BIG, path=AGAIN) == 200
        """,
    "by-hand-elsewhere": """
        for _ in range(2):
            assert ask(connect(), BIG) == 307
            assert ask(connect(), BIG, path=AGAIN) == 200
        """,
    "requests": """
        import requests
        with requests.Session() as session:
            for _ in range(2):
                answer = session.post("https://" + HOST + PATH, data=BODY, headers=BIG)
                assert answer.status_code == 200 and len(answer.history) == 1
        """,
    "httpx": """
        import httpx
        with httpx.Client(verify=os.environ["SSL_CERT_FILE"], follow_redirects=True) as client:
            for _ in range(2):
                answer = client.post("https://" + HOST + PATH, content=BODY, headers=BIG)
                assert answer.status_code == 200 and len(answer.history) == 1
        """,
    "aiohttp": """
        import aiohttp, asyncio
        async def work():
            async with aiohttp.ClientSession() as session:
                for _ in range(2):
                    async with session.post("https://" + HOST + PATH, data=BODY, headers=BIG, ssl=context) as answer:
                        await answer.read()
                        assert answer.status == 200 and len(answer.history) == 1
        asyncio.run(work())
        """,
    "curl": """
        import subprocess
        fields = [part for name, value in BIG.items() for part in ("-H", name + ": " + value)]
        for version in "--http1.1", "--http2":
            done = subprocess.run(["curl", "-sSL", version, *fields, "--data-binary", "@-", "-o", "/dev/null", "-w", "%{http_code}",
                                   "https://" + HOST + PATH], input=BODY, stdout=subprocess.PIPE, check=True)
            assert done.stdout == b"200", done.stdout
        """,
}


@pytest.mark.parametrize("kind", REDIRECTS)
@pytest.mark.parametrize("size", [0, 100_000])
def test_redirects(stage, daemon, kind, size):
    """307: the same request again, and it is one call whose first answer cost nothing."""
    text = f"""
        AGAIN = {AGAIN!r}
        made = json.loads(BODY)
        made["messages"][0]["content"] += "x" * {size}
        BODY = json.dumps(made).encode()
        BIG = {{**HEADERS, "x-fake": "location=" + AGAIN}}
        """ + REDIRECTS[kind].replace("(one, BIG", "(one, BIG, body=BODY").replace("connect(), BIG", "connect(), BIG, body=BODY")
    run, cgroup = stage.new_run()
    script.ends(script.start(stage, cgroup, text, run))
    bill, ledger = stage.settle(daemon, run, cgroup, 4)
    assert lab.difference(bill, ledger) == ([], [])
    assert sorted((row["status"], row["source"]) for row in ledger) == [(200, "usage")] * 2 + [(307, "free")] * 2
