# SPDX-License-Identifier: Apache-2.0
"""
A call that a gateway or an inspecting proxy passes on is charged once: to who made it, at the provider, and nothing to
the gateway. Where the two cannot be recognised as one, both stay.
"""
import os
import shutil
import time

import pytest

import drive
import stage as lab
import watch
from behind import listens
from drive import ANTHROPIC, CHAT, EMBEDDINGS

PORT, PROXY = 4107, 4108
NAMED = f"localhost:{PORT}"


def budgets(*matches):
    return "budgets:\n" + "".join(
        f"  - {{ name: {name}, match: {{ {match} }}, per: match, limit: 50 USD, steps: [ {{ at: 100%, do: note }} ] }}\n"
        for name, match in matches)


class Lab:
    """An agent and a gateway, each in a cgroup of its own, and a daemon that serves what it knows."""

    def __init__(self, stage, new_daemon, named=True):
        self.stage, self.port = stage, watch.free_port()
        self.run, self.agent = stage.new_run("agent")
        _, self.gateway = stage.new_run("gateway")
        hosts = f"hosts:\n  - {{ pattern: \"{NAMED}\", like: litellm }}\n" if named else ""
        self.daemon = new_daemon(f"attach: everyone\nserve: {{ listen: '127.0.0.1:{self.port}' }}\n{hosts}"
                                 + budgets(
                                     ("agent", f"cgroup: \"{self.agent.path}\""),
                                     ("gateway", f"cgroup: \"{self.gateway.path}\""),
                                     ("all", f"cgroup: \"{stage.name}/*\""), ("hop", "host: localhost")),
                                 where="inside").start()

    def opens(self, argv, port, **options):
        self.stage.client(argv, self.gateway, **options)
        lab.wait(lambda: listens(port), 30)

    def asks(self, kind, api, stream=False, calls=3, **more):
        work = drive.job(api, self.run, stream, calls=calls, **more)
        drive.make_calls(self.stage, kind, work, self.agent)

    def must_agree(self, calls, via, hop=0):
        """Every view has the bill, once. hop: the calls of it to the host that is named."""
        daemon, bill = self.daemon, self.stage.api.bill(self.run)
        rows = self.stage.must_agree(daemon, self.run, self.agent, calls)
        watch.scrape(self.port)     # every counter begins at 0
        time.sleep(2.5)     # nothing more comes
        assert daemon.calls(self.gateway) == []
        assert all(row["host"] in ("api.openai.com", "api.anthropic.com") for row in rows), rows
        spent = sum(lab.money(row["cost_usd"]) for row in bill)
        for key in ("provider", "host", "model", "who", "via"):
            table = self.report(key)
            assert sum(lab.money(row["cost_usd"]) for row in table) == spent, (key, table)
            assert sum(row["calls"] for row in table) == calls
        assert {row["via"] for row in self.report("via")} == {via}
        assert {row["provider"] for row in self.report("provider")} <= {"openai", "anthropic"}
        want = float(spent)
        lab.wait(lambda: self.is_told(calls, want, bool(hop)), 20, lambda: (want, self.told()))
        assert watch.total(watch.scrape(self.port)[1], "aigress_gateway_calls_total", seen="joined") >= calls

    def told(self):
        """What the page and the metrics say: of the budgets, of these two on the page, of each in the metrics, its calls."""
        status, text = watch.status(self.port), watch.scrape(self.port)[1]
        pair = (self.agent.path, self.gateway.path)
        return ({row["budget"]: float(row["used"]) for row in status["budgets"] if float(row["used"])},
                sum(float(row["day"]) for row in status["spenders"] if any(path in row["detail"] for path in pair)),
                [watch.total(text, "aigress_spend_usd_total", cgroup=path) for path in pair],
                [watch.total(text, "aigress_calls_total", cgroup=path) for path in pair])

    def is_told(self, calls, want, hop):
        near = pytest.approx(want)
        return self.told() == ({name: near for name in ("agent", "all", *["hop"] * hop)}, near, [near, 0], [calls, 0])

    def report(self, key):
        """Of these two alone: a daemon sees all of the host."""
        return [row for row in self.daemon.report(f"cgroup,{key}")
                if row["cgroup"] in (self.agent.path, self.gateway.path)]


@pytest.fixture
def made(stage, new_daemon):
    return lambda **options: Lab(stage, new_daemon, **options)


def litellm(made, *delay):
    made.opens([lab.PYTHON, os.path.join(drive.CLIENTS, "gateway.py"), str(PORT), *delay], PORT)


@pytest.mark.parametrize("kind", ["curl", "requests", "fetch"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_gateway_on_plain_http(made, kind, stream):
    drive.need(kind)
    it = made()
    litellm(it)
    it.asks(kind, CHAT, stream, base=f"http://{NAMED}")
    it.must_agree(3, "localhost", hop=3)


def test_an_answer_that_is_translated(made):
    """Its id is the gateway's own; a header field names the provider's."""
    it = made()
    litellm(it)
    it.asks("http.client", CHAT, base=f"http://{NAMED}", body=drive.body(CHAT, model="claude-sonnet-5"))
    it.must_agree(3, "localhost", hop=3)
    assert {row["provider"] for row in it.daemon.calls(it.agent)} == {"anthropic"}


def test_many_at_once(made):
    drive.need("aiohttp")
    it = made()
    litellm(it)
    it.asks("aiohttp", CHAT, True, calls=24, base=f"http://{NAMED}", at_once=True)
    it.must_agree(24, "localhost", hop=24)


def test_a_gateway_that_looks_for_long(made):
    """Its own call has been charged when its caller's ends: then that is none."""
    it = made()
    litellm(it, "4")
    it.asks("http.client", CHAT, calls=1, base=f"http://{NAMED}")
    lab.wait(lambda: it.daemon.calls(it.gateway), 20, it.daemon.said)
    time.sleep(2.5)
    bill = it.stage.api.bill(it.run)
    assert it.daemon.calls(it.agent) == []
    assert not any(lab.difference(bill, it.daemon.calls(it.gateway)))


@pytest.mark.parametrize("api", [CHAT, ANTHROPIC], ids=["chat", "messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_nginx(made, tmp_path, api, stream):
    """A real reverse proxy in front of a provider, which changes nothing of an answer."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed (scripts/deps test)")
    it = made()
    file = tmp_path / "nginx.conf"
    file.write_text(f"""daemon off; master_process off; user root; pid {tmp_path}/nginx.pid; error_log {tmp_path}/nginx.log;
events {{}}
http {{
  access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
  uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
  server {{ listen 127.0.0.1:{PORT}; location / {{
    proxy_pass https://{api[0]}; proxy_ssl_server_name on; proxy_ssl_name {api[0]}; proxy_set_header Host {api[0]};
    proxy_http_version 1.1; proxy_buffering off; }} }}
}}
""", encoding="ascii")
    it.opens(["nginx", "-e", f"{tmp_path}/nginx.log", "-c", str(file)], PORT)
    it.asks("curl", api, stream, base=f"http://{NAMED}")
    it.must_agree(3, "localhost", hop=3)


def mitmproxy(it, directory, **environment):
    if not shutil.which("mitmdump"):
        pytest.skip("mitmproxy is not installed (scripts/deps test)")
    it.opens(["mitmdump", "-q", "-p", str(PROXY), "--listen-host", "127.0.0.1", "--set", f"confdir={directory}",
              "--set", f"ssl_verify_upstream_trusted_ca={it.stage.ca}"], PROXY)
    ca = f"{directory}/mitmproxy-ca-cert.pem"
    lab.wait(lambda: os.path.exists(ca), 20)
    it.stage.environment = dict(it.stage.environment, SSL_CERT_FILE=ca, CURL_CA_BUNDLE=ca, REQUESTS_CA_BUNDLE=ca,
                                HTTPS_PROXY=f"http://127.0.0.1:{PROXY}", https_proxy=f"http://127.0.0.1:{PROXY}")


@pytest.fixture
def environment(stage):
    was = stage.environment
    yield
    stage.environment = was


# On a busy host the proxy's first call can end before it is known that its caller is behind a tunnel (docs/design/073).
@pytest.mark.alone
@pytest.mark.parametrize("kind", ["curl", "requests"])
@pytest.mark.parametrize("api", [CHAT, ANTHROPIC], ids=["chat", "messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_mitmproxy(made, environment, tmp_path, kind, api, stream):
    """TLS that is taken up on the way: both of its sessions name the provider, and both are read."""
    drive.need(kind)
    it = made(named=False)
    mitmproxy(it, tmp_path)
    it.asks(kind, api, stream)
    it.must_agree(3, "mitmdump")


def test_what_has_no_id_is_said(made):
    """Embeddings bear none, so that both calls stay, and a metric says so."""
    it = made()
    litellm(it)
    it.asks("http.client", EMBEDDINGS, calls=1, base=f"http://{NAMED}")
    lab.wait(lambda: it.daemon.calls(it.agent) and it.daemon.calls(it.gateway), 20, it.daemon.said)
    assert {row["via"] for row in it.report("via")} == {""}
    assert watch.total(watch.scrape(it.port)[1], "aigress_gateway_calls_total", seen="alone") >= 1
