# SPDX-License-Identifier: Apache-2.0
"""
The Debian package where systemd is the first process and the cgroups are v2 alone: the unit starts, is
hardened, and yet does all that it is for. Runs in a machine of its own (make check-systemd), whose files are gone after it.
"""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import stage as lab     # noqa: E402 (certificates, the bill)

UNIT = "aigress.service"
AGENT = """
import http.client, json, sys, time
for n in range(int(sys.argv[1])):
    try:
        peer = http.client.HTTPSConnection("api.anthropic.com", timeout=20)
        peer.request("POST", "/v1/messages", json.dumps({"model": "claude-sonnet-5", "max_tokens": 9,
            "messages": [{"role": "user", "content": "Say when."}]}),
            {"content-type": "application/json", "x-api-key": sys.argv[2]})
        peer.getresponse().read()
    except OSError as error:
        print(error, flush=True)
    time.sleep(float(sys.argv[3]))
"""
CONFIG = """attach: everyone
resolve: false
enforce: true
serve:
budgets:
  - { name: greedy, match: { unit: "greedy*" }, per: cgroup, limit: 0.01 USD, steps: [ { do: refuse } ] }
  - { name: still, match: { unit: "still*" }, per: cgroup, limit: 0.01 USD, steps: [ { do: freeze } ] }
"""


def run(*argv, check=True, **more):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=300, **more)
    assert not check or done.returncode == 0, f"{argv}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def systemctl(*argv, **more):
    return run("systemctl", *argv, **more).stdout.strip()


def show(unit, what):
    return systemctl("show", "--property", what, "--value", unit)


def journal(unit=UNIT):
    return run("journalctl", "--no-pager", "-u", unit, "-n", "50").stdout


def aigress(*argv):
    return run("/usr/bin/aigress", *argv).stdout


def is_ready():
    return run("curl", "-s", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}",
               "http://127.0.0.1:24473/readyz", check=False).stdout == "200"


def calls(unit):
    rows = json.loads(aigress("report", "--since", "all", "--by", "unit,user", "--format", "json"))["rows"]
    return [row for row in rows if row["unit"] == unit]


@pytest.fixture(scope="module", autouse=True)
def a_machine_of_its_own():
    with open("/proc/1/comm", encoding="ascii") as file:
        if file.read() != "systemd\n" or os.environ.get("VM_GUEST") != "1":
            pytest.exit("this changes the machine it runs on: make check-systemd", returncode=1)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("api"))
    lab.make_certificates(directory)
    for each in directory, os.path.dirname(directory), os.path.dirname(os.path.dirname(directory)):
        os.chmod(each, 0o755)
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write("".join(f"127.0.0.1 {host}\n" for host in lab.HOSTS))
    with open(os.path.join(directory, "log"), "w", encoding="ascii") as log:
        child = subprocess.Popen([lab.PYTHON, os.path.join(lab.HERE, "fake_api.py"), directory,
                                  "--address", "127.0.0.1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=log, text=True)
    assert child.stdout.readline() == "ready\n"
    yield directory
    child.kill()
    child.wait()


def bill(api, key):
    with open(os.path.join(api, "bill.jsonl"), encoding="utf-8") as file:
        return [row for row in map(json.loads, file) if row["run"] == key]


@pytest.fixture(scope="module")
def package(api):
    """As `apt install` would: the maintainer's scripts start the unit."""
    (found,) = glob.glob(os.path.join(lab.ROOT, "build", "deb", "aigress_*.deb"))
    if os.path.exists("/usr/sbin/policy-rc.d"):
        os.unlink("/usr/sbin/policy-rc.d")      # a container's image: nothing is to start
    run("dpkg", "-i", found)
    lab.wait(lambda: systemctl("is-active", UNIT, check=False) == "active", 60, journal)
    with open("/etc/aigress/aigress.yaml", "w", encoding="ascii") as file:
        file.write(CONFIG)
    systemctl("restart", UNIT)
    lab.wait(is_ready, 120, journal)
    return found


def agent(api, unit, n, user="nobody", pause=0.0):
    """A service of its own that makes n calls. Returns whether it has ended."""
    run("systemd-run", f"--unit={unit}", f"--uid={user}", "--setenv", f"SSL_CERT_FILE={api}/ca.pem",
        "--property=RemainAfterExit=yes", "/usr/bin/python3", "-c", AGENT, str(n), unit, str(pause))
    return lambda: show(unit, "SubState") in ("exited", "failed")


def test_it_runs_and_is_enabled(package, capsys):
    assert systemctl("is-enabled", UNIT) == "enabled"
    said = systemctl("status", "--no-pager", UNIT)
    assert "active (running)" in said
    with capsys.disabled():
        print("\n" + said)
    features = json.loads(aigress("check", "--json"))["features"]
    assert not [each for each in features if each["needed"] and not each["ok"]]
    log = journal()
    assert "cannot be dropped" not in log and "libcap-ng" not in log and "not permitted" not in log and "denied" not in log, log


def test_what_a_unit_and_a_user_spend_is_their_bill(api, package):
    unit = "night-agent.service"
    has_ended = agent(api, unit, 4)
    lab.wait(has_ended, 120, lambda: journal(unit))
    billed = sum(lab.money(row["cost_usd"]) for row in bill(api, unit))
    lab.wait(lambda: calls(unit) and calls(unit)[0]["calls"] == 4, 60, lambda: (calls(unit), journal(unit), journal()))
    (row,) = calls(unit)
    assert (row["user"], row["measured_calls"], lab.money(row["cost_usd"])) == ("nobody", 4, billed)
    assert billed > 0


def test_hardened_it_can_still_refuse(api, package):
    unit = "greedy.service"
    agent(api, unit, 1000, pause=0.2)
    lab.wait(lambda: "not permitted" in journal(unit), 120,
             lambda: (journal(unit), aigress("explain"), journal()))
    n = len(bill(api, unit))
    time.sleep(2)
    assert len(bill(api, unit)) == n
    assert show(unit, "SubState") == "running"
    systemctl("stop", unit)


def test_hardened_it_can_still_freeze(api, package):
    unit = "still.service"
    agent(api, unit, 1000, pause=0.2)
    state = f"/sys/fs/cgroup{show(unit, 'ControlGroup')}/cgroup.events"

    def is_frozen():
        with open(state, encoding="ascii") as file:
            return "frozen 1" in file.read()
    lab.wait(is_frozen, 120, lambda: (journal(unit), aigress("explain"), journal()))
    aigress("override", "open", "still", "--for", "1h", "--reason", "test")
    lab.wait(lambda: not is_frozen(), 30, journal)
    systemctl("stop", unit)


def test_a_reload_is_heeded_and_a_wrong_one_is_not(package):
    pid = show(UNIT, "MainPID")
    with open("/etc/aigress/aigress.yaml", "a", encoding="ascii") as file:
        file.write("max-kills: many\n")
    systemctl("reload", UNIT)
    lab.wait(lambda: "max-kills" in journal(), 30, journal)
    assert show(UNIT, "MainPID") == pid and is_ready()
    with open("/etc/aigress/aigress.yaml", "w", encoding="ascii") as file:
        file.write(CONFIG.replace("enforce: true", "enforce: false"))
    systemctl("reload", UNIT)
    lab.wait(lambda: re.search(r"^aigress_enforcing\{.*\} 0$", metrics(), re.M), 30, journal)


def metrics():
    return run("curl", "-s", "--noproxy", "*", "http://127.0.0.1:24473/metrics").stdout


def test_it_comes_back_after_a_kill_and_nothing_is_lost(api, package):
    before = calls("night-agent.service")
    pid = int(show(UNIT, "MainPID"))
    os.kill(pid, signal.SIGKILL)
    lab.wait(lambda: show(UNIT, "MainPID") not in ("0", str(pid)), 30, journal)
    lab.wait(is_ready, 120, journal)
    assert calls("night-agent.service") == before
    assert show(UNIT, "NRestarts") == "1"


@pytest.fixture
def wrong_configuration(package):
    with open("/etc/aigress/aigress.yaml", "w", encoding="ascii") as file:
        file.write("budgets: none\n")
    yield
    with open("/etc/aigress/aigress.yaml", "w", encoding="ascii") as file:
        file.write(CONFIG)
    systemctl("restart", UNIT)
    lab.wait(is_ready, 120, journal)


def test_behind_a_wrong_configuration_the_last_right_one_is_in_force(wrong_configuration):
    systemctl("restart", UNIT)
    lab.wait(is_ready, 120, journal)
    assert "stop, freeze and kill are suspended until the file is right" in journal()
    assert "/etc/aigress/aigress.yaml:1: budgets must be a list" in run("/usr/bin/aigress", "check", check=False).stdout


def test_a_wrong_configuration_is_not_tried_again_and_again(wrong_configuration):
    """Where there is no earlier one, as on the first day."""
    systemctl("stop", UNIT)
    os.remove("/var/lib/aigress/last-good.yaml")
    systemctl("start", UNIT, check=False)
    lab.wait(lambda: systemctl("is-active", UNIT, check=False) == "failed", 60, journal)
    assert show(UNIT, "ExecMainStatus") == "2"


def test_its_exposure_is_low(package, capsys):
    """systemd's own measure of the running unit, from 0 (best) to 10."""
    said = run("systemd-analyze", "security", "--threshold=40", "--no-pager", UNIT).stdout
    with capsys.disabled():
        print("\n    " + said.splitlines()[-1])


def test_removed_and_purged_it_is_gone(package):
    run("dpkg", "-r", "aigress")
    assert systemctl("is-active", UNIT, check=False) != "active"
    assert os.path.exists("/var/lib/aigress/ledger.db") or os.listdir("/var/lib/aigress")
    run("dpkg", "-P", "aigress")
    assert not os.path.exists("/var/lib/aigress") and not os.path.exists("/etc/aigress")
    assert not glob.glob("/sys/fs/bpf/aigress*")
