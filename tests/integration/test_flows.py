# SPDX-License-Identifier: Apache-2.0
"""Clients whose TLS is not read: their bytes by the flow look alone, against what a server saw."""
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

import drive
import stage as lab

HOST, PORT = lab.HOSTS[0], 8443
ASKED, ANSWERED = 20_000, 40_000
URL = f"https://{HOST}:{PORT}/v1/messages"
CLIENTS = {
    "curl": ["curl", "-sS", "--http1.1", "--data-binary", "@BODY", "-o", "/dev/null", URL],
    "curl, TLS 1.2": ["curl", "-sS", "--http1.1", "--tls-max", "1.2", "--data-binary", "@BODY",
                      "-o", "/dev/null", URL],
    "wget": ["wget", "-q", "--post-file", "BODY", "-O", "/dev/null", "--ca-certificate", "CA", URL],
}


class Server:
    """A TLS server that answers `answered` bytes and counts its plaintext; `tickets` of TLS 1.3."""

    def __init__(self, directory, answered, tickets=2):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(directory, "leaf.pem"),
                                     os.path.join(directory, "leaf.key"))
        self.context.num_tickets = tickets
        self.answered, self.bytes = answered, [0, 0]
        self.listener = socket.create_server(("127.0.0.10", PORT))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    self.exchange(connection)
            except OSError:
                pass

    def exchange(self, connection):
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536) or b"\r\n\r\n"
        head, _, body = asked.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        left = length - len(body)
        while left > 0:
            left -= len(connection.recv(65536))
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" \
                 % self.answered + b"x" * self.answered
        connection.sendall(answer)
        self.bytes[0] += len(head) + 4 + length
        self.bytes[1] += len(answer)
        connection.unwrap()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def ask(stage, daemon, tmp_path, kind, asked, answered, tickets=2):
    """One exchange; the ledger's row and what the server saw."""
    argv = CLIENTS[kind]
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not installed")
    _, cgroup = stage.new_run()
    body = tmp_path / "body"
    body.write_bytes(b"a" * asked)
    argv = [part.replace("BODY", str(body)).replace("CA", stage.ca) if "BODY" in part or part == "CA"
            else part for part in argv]
    server = Server(stage.directory, answered, tickets)
    try:
        child = stage.client(argv, cgroup, stderr=subprocess.PIPE, text=True)
        _, err = child.communicate(timeout=30)
        assert child.returncode == 0, err
        lab.wait(lambda: daemon.calls(cgroup), 20, daemon.tail)
    finally:
        server.close()
    (row,) = daemon.calls(cgroup)
    assert row["source"] == "size", row
    return row, server.bytes


@pytest.fixture(scope="module")
def blind(stage, tmp_path_factory):
    """A daemon that reads no TLS."""
    directory = tmp_path_factory.mktemp("blind")
    file = directory / "aigress.yaml"
    file.write_text("attach: never\n", encoding="utf-8")
    started = lab.Daemon(stage, str(directory / "state"), str(file)).start()
    yield started
    assert started.stop() == 0, started.tail()


@pytest.mark.parametrize("tickets", [0, 2])
@pytest.mark.parametrize("kind", CLIENTS)
def test_bytes_of_an_unread_client(stage, blind, tmp_path, kind, tickets):
    row, seen = ask(stage, blind, tmp_path, kind, ASKED, ANSWERED, tickets)
    told = [row["request_bytes"], row["response_bytes"]]
    assert told[0] == pytest.approx(seen[0], rel=0.02)
    assert told[1] == pytest.approx(seen[1], rel=0.02)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_small_call_is_not_lost_in_the_handshake(stage, blind, tmp_path, kind):
    row, seen = ask(stage, blind, tmp_path, kind, 300, 2000)
    assert row["request_bytes"] == pytest.approx(seen[0], rel=0.15)
    assert row["response_bytes"] == pytest.approx(seen[1], rel=0.35)


def test_the_first_call_of_an_unknown_program_is_measured_where_it_is_held(stage, new_daemon):
    """Each run is another script, so neither its cgroup nor its program was ever seen."""
    daemon = new_daemon("attach: on-sight\nfirst-call: hold\n").start()
    for number in range(3):
        drive.need("http.client")
        run, cgroup = stage.new_run()
        work = drive.job(drive.ANTHROPIC, run)
        argv = drive.command("http.client", work)
        script = os.path.join(stage.directory, f"held-{number}.py")
        shutil.copy(argv[1], script)
        child = stage.client([argv[0], script, *argv[2:]], cgroup, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        out, err = child.communicate(timeout=30)
        assert drive.statuses(out) == [200], err
        stage.must_agree(daemon, run, cgroup, 1)
