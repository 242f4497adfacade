# SPDX-License-Identifier: Apache-2.0
"""
Habits of clients that are none of the cases of test_clients.py: forks, threads, odd writes, odd names, daemons that
end in the middle. Nothing is configured; the ledger must equal the bill.
"""
import json
import shutil
import subprocess
import urllib.request

import pytest

import behind
import drive
import script
import stage as lab


@pytest.fixture(name="daemon", scope="module")
def one_daemon(stage, tmp_path_factory):
    """Nothing is configured."""
    daemon = lab.Daemon(stage, str(tmp_path_factory.mktemp("habits"))).start()
    yield daemon
    assert daemon.stop() == 0, daemon.said()
    daemon.must_still_agree()


def must_agree(stage, daemon, n_calls, text, *more):
    """The script makes so many calls, and the ledger equals their bill."""
    run, cgroup = stage.new_run()
    script.ends(script.start(stage, cgroup, text, run, *more))
    stage.must_agree(daemon, run, cgroup, n_calls)


FORKS = {
    "pool": (24, """
        import multiprocessing
        one = connect()
        def work(n):
            own = connect()
            return [ask(own) for _ in range(3)]
        with multiprocessing.get_context("fork").Pool(8) as pool:
            assert pool.map(work, range(8), chunksize=1) == [[200] * 3] * 8
            pool.close()
            pool.join()
        """),
    "crowd": (30, """
        children = []
        for _ in range(30):
            child = os.fork()
            if child == 0:
                assert ask(connect()) == 200
                os._exit(0)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        """),
    "own-at-once": (4, """
        one = connect()
        child = os.fork()
        if not child:
            own = connect()
            for _ in range(3):
                assert ask(own) == 200
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(one) == 200
        """),
    "inherited-at-once": (8, """
        one = connect()
        assert ask(one) == 200
        child = os.fork()
        if not child:
            for _ in range(7):
                assert ask(one) == 200
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """),
    "inherited-for-one-call": (2, """
        one = connect()
        assert ask(one) == 200
        child = os.fork()
        if not child:
            assert ask(one) == 200
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """),
    "inherited-by-a-daemon": (4, """
        one = connect()
        assert ask(one) == 200
        read, write = os.pipe()
        if not os.fork():
            if os.fork():
                os._exit(0)
            for _ in range(3):
                assert ask(one) == 200
            os.write(write, b"x")
            os._exit(0)
        assert os.read(read, 1)
        """),
    "objects-at-one-address": (7, """
        one = connect()
        assert ask(one) == 200
        one.close()
        child = os.fork()
        own = connect()
        for _ in range(3):
            assert ask(own) == 200
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """),
    "fork-server": (6, """
        import subprocess
        text = ("import http.client, json, multiprocessing, os, ssl, sys\\n"
            "def work(host, path, body, headers):\\n"
            "    context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])\\n"
            "    one = http.client.HTTPSConnection(host, context=context, timeout=30)\\n"
            "    for _ in range(3):\\n"
            "        one.request('POST', path, body, headers)\\n"
            "        answer = one.getresponse()\\n"
            "        answer.read()\\n"
            "        assert answer.status == 200\\n"
            "if __name__ == '__main__':\\n"
            "    made = multiprocessing.get_context('forkserver')\\n"
            "    made.set_forkserver_preload(['http.client', 'ssl'])\\n"
            "    for _ in range(2):\\n"
            "        child = made.Process(target=work, args=json.loads(sys.argv[1]))\\n"
            "        child.start()\\n"
            "        child.join()\\n"
            "        assert child.exitcode == 0\\n")
        open(MORE[0], "w").write(text)
        subprocess.run([sys.executable, MORE[0], json.dumps([HOST, PATH, BODY.decode(), HEADERS])], check=True)
        """),
}


@pytest.mark.parametrize("name", FORKS)
def test_forks(stage, daemon, name, tmp_path):
    must_agree(stage, daemon, *FORKS[name], str(tmp_path / "more.py"))


# Servers that load the application, which calls, before they fork the workers, which call on when they are asked.
APPLICATION = """
import http.client, json, os, ssl
HOST, PATH, BODY, HEADERS = json.loads(os.environ["CALL"])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
def ask(one):
    one.request("POST", PATH, BODY, HEADERS)
    answer = one.getresponse()
    answer.read()
    assert answer.status == 200
ask(http.client.HTTPSConnection(HOST, context=context, timeout=30))
def application(environ, start_response):
    own = http.client.HTTPSConnection(HOST, context=context, timeout=30)
    ask(own)
    ask(own)
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]
"""
SERVERS = {
    "gunicorn": ["gunicorn", "--preload", "--workers=2", "--bind=127.0.0.1:3150", "--chdir={}", "application"],
    "uwsgi": ["uwsgi", "--plugin=python3", "--master", "--processes=2", "--http-socket=127.0.0.1:3150", "--chdir={}",
              "--module=application", "--die-on-term"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_preloaded_servers(stage, daemon, name, tmp_path):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed (scripts/deps test)")
    run, cgroup = stage.new_run()
    (tmp_path / "application.py").write_text(APPLICATION, encoding="ascii")
    work = drive.job(drive.CHAT, run)
    call = json.dumps([*drive.CHAT, json.dumps(work["body"]), {**work["headers"], "content-type": "application/json"}])
    server = stage.client([part.format(tmp_path) for part in SERVERS[name]], cgroup, env=dict(stage.environment, CALL=call),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait(lambda: behind.listens(3150) or server.poll() is not None, 20)
    for _ in range(4):
        with urllib.request.urlopen("http://127.0.0.1:3150/", timeout=20) as answer:
            assert answer.read() == b"ok"
    server.terminate()
    server.wait(10)
    stage.must_agree(daemon, run, cgroup, 9)


WRITES = {
    "a-byte-a-write": (1, """
        one = tls()
        for byte in request():
            one.send(bytes([byte]))
        assert answered(one) == 1
        """),
    "read-a-byte": (1, """
        one = tls()
        one.sendall(request("connection: close\\r\\n"))
        got = b""
        while more := one.recv(1):
            got += more
        assert got.startswith(b"HTTP/1.1 200")
        """),
    "pipelined": (20, """
        one = tls()
        one.sendall(request() * 20)
        assert answered(one, 20) == 20
        """),
    "pipelined-cut": (10, """
        one = tls()
        data = request() * 10
        for at in range(0, len(data), 333):
            one.sendall(data[at:at + 333])
        assert answered(one, 10) == 10
        """),
    "pauses": (4, """
        one = connect()
        for pause in 0, 0.5, 1, 2:
            time.sleep(pause)
            assert ask(one) == 200
        """),
    "chunked-request": (2, """
        one = tls()
        for _ in range(2):
            fields = "".join(f"{name}: {value}\\r\\n" for name, value in HEADERS.items())
            one.sendall(f"POST {PATH} HTTP/1.1\\r\\nHost: {HOST}\\r\\n{fields}Transfer-Encoding: chunked\\r\\n\\r\\n".encode())
            for at in range(0, len(BODY), 7):
                piece = BODY[at:at + 7]
                one.sendall(b"%x;x=y\\r\\n%s\\r\\n" % (len(piece), piece))
            one.sendall(b"0\\r\\nx: y\\r\\n\\r\\n")
            assert answered(one) == 1
        """),
    "http10": (1, """
        one = tls()
        one.sendall(request(version="1.0"))
        assert answered(one) == 1
        """),
    "continue": (2, """
        one = tls()
        for _ in range(2):
            head, gap, body = request("expect: 100-continue\\r\\n").partition(b"\\r\\n\\r\\n")
            one.sendall(head + gap)
            assert b" 100 " in one.recv(100)
            one.sendall(body)
            assert answered(one) == 1
        """),
    "a-file-before": (2, """
        part = (b"--b\\r\\ncontent-disposition: form-data; name=purpose\\r\\n\\r\\nuser_data\\r\\n--b\\r\\n"
                b"content-disposition: form-data; name=file; filename=a\\r\\n\\r\\n" + b"x" * 2_000_000 + b"\\r\\n--b--\\r\\n")
        one = connect()
        ask(one, {**HEADERS, "content-type": "multipart/form-data; boundary=b"}, path="/v1/files", body=part)
        assert ask(one) == 200
        assert ask(one) == 200
        """),
    "refused-then-retried": (4, """
        one = connect()
        for status in 429, 500, 503:
            assert ask(one, {**HEADERS, "x-fake": f"status={status}"}) == status
        assert ask(one) == 200
        """),
    "ipv6": (2, """
        near = socket.create_server(("::1", 3160), family=socket.AF_INET6)
        def pump(source, to):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        def relay():
            client, server = near.accept()[0], socket.create_connection((HOST, 443))
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)
        threading.Thread(target=relay, daemon=True).start()
        one = connect()
        one._create_connection = lambda *rest: socket.create_connection(("::1", 3160), 5)
        assert ask(one) == 200
        assert ask(one) == 200
        """),
    "two-hosts-at-one-address": (4, """
        other = json.dumps({"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]})
        for _ in range(2):
            for name, path, body in (HOST, PATH, BODY), ("api.anthropic.com", "/v1/messages", other.encode()):
                one = connect(name)
                one._create_connection = lambda *rest: socket.create_connection((HOST, 443), 5)
                assert ask(one, {**HEADERS, "anthropic-version": "2023-06-01"}, path=path, body=body) == 200
        """),
    "free-ones-between": (2, """
        one = connect()
        for method, path in ("HEAD", "/v1/models"), ("OPTIONS", PATH), ("GET", "/v1/models"), ("DELETE", "/v1/files/x"):
            ask(one, method=method, path=path, body=None)
            ask(one, method=method, path=path, body=None)
        assert ask(one) == 200
        ask(one, method="GET", path="/v1/models", body=None)
        assert ask(one) == 200
        """),
    "threads-one-connection": (20, """
        one, lock = connect(), threading.Lock()
        def work():
            for _ in range(4):
                with lock:
                    assert ask(one) == 200
        threads = [threading.Thread(target=work) for _ in range(5)]
        [each.start() for each in threads]
        [each.join() for each in threads]
        """),
    "threads-own-connections": (40, """
        failed = []
        def work():
            one = connect()
            failed.extend(s for s in [ask(one) for _ in range(4)] if s != 200)
        threads = [threading.Thread(target=work) for _ in range(10)]
        [each.start() for each in threads]
        [each.join() for each in threads]
        assert not failed
        """),
    "memory-bio-another-thread-sends": (5, """
        import queue
        plain = socket.create_connection((HOST, 443))
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(into, out, server_hostname=HOST)
        todo = queue.Queue()
        def sender():
            while data := todo.get():
                plain.sendall(data)
        threading.Thread(target=sender, daemon=True).start()
        def go(step):
            while True:
                try:
                    done = step()
                    if out.pending: todo.put(out.read())
                    return done
                except ssl.SSLWantReadError:
                    if out.pending: todo.put(out.read())
                    into.write(plain.recv(65536))
        go(session.do_handshake)
        class Connection:
            def recv(self, n): return go(lambda: session.read(n))
        for _ in range(5):
            go(lambda: session.write(request()))
            assert answered(Connection()) == 1
        """),
    "reset-at-the-end": (2, """
        import struct
        one = connect()
        assert ask(one) == 200 and ask(one) == 200
        one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(one.sock.detach())
        """),
    "ktls": (3, """
        context.options |= 1 << 3       # SSL_OP_ENABLE_KTLS
        one = connect()
        for _ in range(3):
            assert ask(one) == 200
        """),
    "renamed-process": (2, """
        open("/proc/self/comm", "w").write("[kworker/0:1]")
        one = connect()
        assert ask(one) == 200 and ask(one) == 200
        """),
    "many-connections-kept": (60, """
        all = [connect() for _ in range(30)]
        for one in all + all[::-1]:
            assert ask(one) == 200
        """),
    "resumed-sessions": (6, """
        session = None
        for version in ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2:
            context.minimum_version = context.maximum_version = version
            session = None
            for _ in range(3):
                one = context.wrap_socket(socket.create_connection((HOST, 443)), server_hostname=HOST, session=session)
                one.sendall(request())
                assert answered(one) == 1
                session = one.session
                one.close()
        """),
    "tls-twice-on-one-socket": (2, """
        plain = socket.create_connection((HOST, 443))
        one = tls(plain)
        one.sendall(request())
        assert answered(one) == 1
        two = tls()
        two.sendall(request())
        assert answered(two) == 1
        """),
    "big-headers": (2, """
        one = connect()
        for _ in range(2):
            assert ask(one, {**HEADERS, **{f"x-more-{i}": "y" * 900 for i in range(15)}}) == 200
        """),
    "megabytes-up": (2, """
        made = json.loads(BODY)
        made["messages"][0]["content"] = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + "A" * 12_000_000}}]
        one = connect()
        for _ in range(2):
            assert ask(one, body=json.dumps(made).encode()) == 200
        """),
    "uvloop": (8, """
        import asyncio, uvloop
        async def one():
            reader, writer = await asyncio.open_connection(HOST, 443, ssl=context)
            for _ in range(2):
                writer.write(request())
                head = await reader.readuntil(b"\\r\\n\\r\\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0]))
            writer.close()
        async def work():
            await asyncio.gather(*[one() for _ in range(4)])
        uvloop.install()
        asyncio.run(work())
        """),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes(stage, daemon, name):
    must_agree(stage, daemon, *WRITES[name])


NAMES = {
    "upper-case": "one = connect(HOST.upper()); assert ask(one, {**HEADERS, 'host': HOST.upper()}) == 200",
    "port": "one = connect(); assert ask(one, {**HEADERS, 'host': HOST + ':443'}) == 200",
    "dot": """
        one = connect()
        one.sock = tls(name=HOST)
        assert ask(one, {**HEADERS, 'host': HOST + '.'}) == 200
        """,
    "dot-and-port": "assert ask(connect(), {**HEADERS, 'host': HOST.upper() + '.:443'}) == 200",
    "no-sni": """
        context.check_hostname = False
        one = connect()
        one.sock = tls(name=None)
        assert ask(one) == 200
        """,
    "ip-literal": """
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        assert ask(connect(socket.gethostbyname(HOST)), {**HEADERS, 'host': HOST}) == 200
        """,
}


@pytest.mark.parametrize("name", NAMES)
def test_names(stage, daemon, name):
    must_agree(stage, daemon, 1, NAMES[name])
