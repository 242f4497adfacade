# SPDX-License-Identifier: Apache-2.0
"""
Where the benchmarks run: namespaces of their own with AI hosts on loopback, as the integration
tests have them, and nginx in the place of the fake API, because the server must not be what is
measured.
"""
import contextlib
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
# pylint: disable=wrong-import-position
import stage  # noqa: E402

PROGRAMS = os.path.join(ROOT, "build", "tests", "bench")
AI_HOST = "api.anthropic.com"
STREAM_HOST = "api.openai.com"
WEB_HOST = "bystander.test"

ANSWER = ('{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5",'
          '"content":[{"type":"text","text":"Something short."}],"stop_reason":"end_turn",'
          '"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,'
          '"cache_read_input_tokens":0,"output_tokens":6,"service_tier":"standard"}}')

NGINX = """
daemon off; worker_processes 1; error_log {directory}/error.log crit; pid {directory}/{name}.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off; default_type application/octet-stream; keepalive_requests 1000000000;
    keepalive_timeout 600s; sendfile on; tcp_nodelay on;
    client_body_temp_path {directory}/{name}.body; proxy_temp_path {directory}/{name}.proxy;
    fastcgi_temp_path {directory}/{name}.fcgi; uwsgi_temp_path {directory}/{name}.uwsgi;
    scgi_temp_path {directory}/{name}.scgi;
    ssl_certificate {directory}/leaf.pem; ssl_certificate_key {directory}/leaf.key;
    server {{
        {listens} root {directory}/www;
        {locations}
    }}
}}
"""

AI_LOCATIONS = """
location = /v1/messages { default_type application/json; return 200 '%s'; }
location = /v1/chat/completions { error_page 405 =200 /stream; return 405; }
location = /stream { default_type text/event-stream; limit_rate 500; }
"""


def worker(nginx):
    """The process id of an nginx's one worker."""
    with open(f"/proc/{nginx.pid}/task/{nginx.pid}/children", encoding="ascii") as file:
        return int(file.read())


class Host:
    """What stage.Daemon needs of a stage (children, namespaces), and the servers."""

    def __init__(self, directory):
        self.directory = directory
        self.children = stage.Children()
        self.namespaces = stage.Namespaces(directory)
        stage.make_certificates(directory)
        os.chmod(directory, 0o755)
        self.environment = stage.client_environment(os.path.join(directory, "ca.pem"), directory)
        self.n_daemons, self.ai = 0, None
        www = os.path.join(directory, "www")
        os.mkdir(www, 0o755)
        for size in 1024, 16384:
            with open(os.path.join(www, str(size)), "wb") as file:
                file.write(b"x" * size)
        with open(os.path.join(www, "stream"), "wb") as file:
            file.write(b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,'
                       b'"delta":{"content":" word"},"finish_reason":null}]}\n\n' * 2000)

    def nginx(self, name, hosts, locations=""):
        addresses = [socket.gethostbyname(host) for host in hosts]
        listens = "".join(f"listen {address}:443 ssl backlog=4096; " for address in addresses)
        config = os.path.join(self.directory, f"{name}.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(directory=self.directory, name=name, listens=listens,
                                    locations=locations))
        child = self.start(["nginx", "-c", config, "-p", self.directory])

        def answers():
            if child.poll() is not None:
                raise RuntimeError(f"nginx {name} ended: {open(self.directory + '/error.log').read()}")
            try:
                socket.create_connection((addresses[0], 443), 1).close()
                return True
            except OSError:
                return False
        stage.wait(answers)
        return child

    def ai_server(self):
        self.ai = self.nginx("ai", [AI_HOST, STREAM_HOST], AI_LOCATIONS % ANSWER)
        return self.ai

    @contextlib.contextmanager
    def apart(self):
        """
        The AI server on the last CPU, and what is started meanwhile on the first. Where the two share one by
        chance, and a daemon that wakes sends them apart, it would look like a gain of half a request's time.
        """
        everywhere, last = os.sched_getaffinity(0), os.cpu_count() - 1
        servers = [self.ai.pid, worker(self.ai)]
        for pid, cpus in [(0, {0}), *((server, {last}) for server in servers)]:
            os.sched_setaffinity(pid, cpus)
        try:
            yield
        finally:
            for pid in 0, *servers:
                os.sched_setaffinity(pid, everywhere)

    def start(self, argv, **options):
        options.setdefault("env", self.environment)
        return self.children.start(argv, **options)

    def daemon(self, attach="on-sight"):
        """A fresh daemon with a fresh ledger, running."""
        self.n_daemons += 1
        state = os.path.join(self.directory, f"state{self.n_daemons}")
        os.mkdir(state)
        config = os.path.join(state, "aigress.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"attach: {attach}\n")
        return stage.Daemon(self, state, config).start()

    @contextlib.contextmanager
    def awake(self):
        """
        Keeps the CPUs from halting, by spinners that give way to everyone. In a guest a halted CPU
        takes some 20 us to wake, so a daemon that keeps it awake would look like a gain.
        """
        spin = ("import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
                "while True: pass")
        spinners = [self.start([stage.PYTHON, "-c", spin]) for _ in range(os.cpu_count())]
        try:
            yield
        finally:
            for spinner in spinners:
                spinner.kill()
                spinner.wait()

    def measured_calls(self, daemon, who):
        """How many calls of a process ("ask[") the daemon has read, and not estimated, so far."""
        with open(daemon.log, encoding="utf-8", errors="replace") as file:
            return sum(f" {who}" in line and "(usage)" in line for line in file)

    def end(self, kept=()):
        """Of all children but these."""
        ending = [child for child in self.children.children if child not in kept]
        # nginx's master ends its workers; a killed one would leave them.
        for child in ending:
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(child.poll() is None for child in ending):
            time.sleep(0.05)
        self.children.children = ending
        self.children.end()
        self.children.children = list(kept)


def program(name, *args):
    """The output of one of our C programs, as lists of words by line."""
    done = subprocess.run([os.path.join(PROGRAMS, name), *map(str, args)], check=False,
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{name}: exit code {done.returncode}")
    return [line.split() for line in done.stdout.splitlines()]
