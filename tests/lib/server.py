# SPDX-License-Identifier: Apache-2.0
"""Servers that a daemon talks to: Redis with TLS and a password, Alertmanager, a webhook's receiver."""
import base64
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import stage as lab

PASSWORD = "correct horse"


def free_port(host):
    with socket.socket() as probe:
        probe.bind((socket.gethostbyname(host), 0))
        return probe.getsockname()[1]


class Redis:
    """redis-server in the stage's namespaces; what it knew is gone when it is started again."""

    def __init__(self, stage, directory):
        self.stage, self.directory = stage, str(directory)
        self.port = free_port(lab.SERVER)
        self.child = None
        self.password_file = os.path.join(self.directory, "password")
        with open(self.password_file, "w", encoding="ascii") as file:
            file.write(PASSWORD + "\n")

    def start(self):
        stage = self.stage.directory
        self.child = self.stage.guests.start(
            ["redis-server", "--port", "0", "--tls-port", str(self.port),
             "--bind", socket.gethostbyname(lab.SERVER), "--tls-cert-file", f"{stage}/leaf.pem",
             "--tls-key-file", f"{stage}/leaf.key", "--tls-ca-cert-file", f"{stage}/ca.pem",
             "--tls-auth-clients", "no", "--requirepass", PASSWORD, "--save", "",
             "--appendonly", "no", "--dir", self.directory],
            cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait(lambda: self.cli("ping", check=False) == "PONG", 20, "redis-server to answer")
        return self

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(20)

    def argv(self, *args):
        return ["redis-cli", "-h", lab.SERVER, "-p", str(self.port), "--tls", "--cacert",
                f"{self.stage.directory}/ca.pem", "--no-auth-warning", "-a", PASSWORD, *args]

    def cli(self, *args, check=True):
        done = subprocess.run(self.argv(*args), capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode:
            raise AssertionError(f"redis-cli {args}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def parts(self, budget):
        """{node: nano-dollars} of the one counter that the budget has."""
        keys = [key for key in self.cli("--raw", "keys", f"aigress:{budget}:*").splitlines() if key]
        assert len(keys) <= 1, keys
        if not keys:
            return {}
        lines = self.cli("--raw", "hgetall", keys[0]).splitlines()
        return {node: sum(int(slot.split(":")[1]) for slot in value.split()[1:])
                for node, value in zip(lines[::2], lines[1::2])}

    def config(self):
        return (f"shared: {{ server: \"valkeys://{lab.SERVER}:{self.port}\", password-file: "
                f"{self.password_file}, ca-file: {self.stage.ca}, nodes: 2 }}\n")


class Receiver:
    """A webhook's receiver in this process: what came, and what it answers."""

    def __init__(self):
        self.requests = []      # (Idempotency-Key, body, X-Secret) of those that were taken
        self.heads = []         # (path, headers) likewise
        self.status = 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == 200:
                    receiver.requests.append((self.headers["Idempotency-Key"], json.loads(body),
                                              self.headers.get("X-Secret")))
                    receiver.heads.append((self.path, dict(self.headers)))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Relay:
    """A mail relay in this process (RFC 5321), with STARTTLS and PLAIN if it has a certificate."""

    def __init__(self, host="127.0.0.1", cert=None, key=None):
        self.mails = []         # (from, [to], bytes of the message, what came with AUTH PLAIN)
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.socket = socket.create_server((socket.gethostbyname(host), 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_all, args=(conn,), daemon=True).start()

    def serve_all(self, conn):
        with conn:
            try:
                self.serve(conn)
            except (OSError, ValueError):
                pass            # the client went in the middle

    def serve(self, conn):
        is_safe, sender, to, auth = False, None, [], None
        file = conn.makefile("rb")
        conn.sendall(b"220 relay\r\n")
        while line := file.readline():
            word, rest = line[:4].upper(), line[4:].strip().decode()
            if word == b"EHLO":
                offers = b"250-AUTH PLAIN\r\n" if is_safe else b"250-STARTTLS\r\n" if self.context else b""
                conn.sendall(b"250-relay\r\n" + offers + b"250 8BITMIME\r\n")
            elif word == b"STAR" and self.context:
                conn.sendall(b"220 go\r\n")
                conn = self.context.wrap_socket(conn, server_side=True)
                file, is_safe = conn.makefile("rb"), True
            elif word == b"AUTH":
                conn.sendall(b"334 \r\n")
                auth = base64.b64decode(file.readline())
                conn.sendall(b"235 welcome\r\n")
            elif word == b"MAIL":
                sender, to = rest, []
                conn.sendall(b"250 ok\r\n")
            elif word == b"RCPT":
                to.append(rest)
                conn.sendall(b"250 ok\r\n")
            elif word == b"DATA":
                conn.sendall(b"354 go\r\n")
                lines = []
                for text in iter(file.readline, b".\r\n"):
                    if not text:
                        raise ValueError("the mail has no end")
                    lines.append(text[1:] if text.startswith(b".") else text)
                self.mails.append((sender, to, b"".join(lines), auth))
                conn.sendall(b"250 taken\r\n")
            elif word == b"QUIT":
                conn.sendall(b"221 bye\r\n")
                return
            else:
                conn.sendall(b"502 no\r\n")

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Alertmanager:
    def __init__(self, stage, directory):
        self.port = free_port("localhost")
        self.url = f"http://127.0.0.1:{self.port}/api/v2/alerts"
        file = os.path.join(str(directory), "alertmanager.yml")
        with open(file, "w", encoding="ascii") as out:
            out.write("route: { receiver: none }\nreceivers: [ { name: none } ]\n")
        self.child = stage.guests.start(
            [shutil.which("prometheus-alertmanager"), f"--config.file={file}",
             f"--storage.path={directory}/alerts", f"--web.listen-address=127.0.0.1:{self.port}",
             "--cluster.listen-address="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait(lambda: self.alerts() is not None, 30, "Alertmanager to answer")

    def alerts(self):
        done = subprocess.run(["curl", "-s", "--max-time", "5", self.url], capture_output=True,
                              check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None
