# SPDX-License-Identifier: Apache-2.0
"""One budget over two nodes in networks of their own, by a real Redis with TLS and a password."""
import os
import shlex
import signal
import subprocess

import pytest

import clock
import drive
import server
import stage as lab
from drive import ANTHROPIC

NANOS = 1000000000


@pytest.fixture
def redis(stage, tmp_path):
    return server.Redis(stage, tmp_path).start()


class Node:
    """A daemon that charges only one cgroup, as the kernel of another host would have it."""

    def __init__(self, stage, redis, directory, name, limit, steps, window="month", its_clock=None):
        self.stage = stage
        self.run, self.cgroup = stage.new_run(name)
        directory = str(directory / name)
        os.makedirs(directory)
        file = os.path.join(directory, "aigress.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"""attach: everyone
enforce: true
node: {name}
{redis.config()}
budgets:
  - name: fleet
    match: {{ cgroup: "{self.cgroup.path}" }}
    per: match
    shared: true
    limit: {limit} USD
    window: {window}
    steps: [ {steps} ]
""")
        self.daemon = lab.Daemon(stage, os.path.join(directory, "state"), file,
                                 where=lab.Space(stage), clock=its_clock)
        self.daemon.start()

    def spend(self, calls, **settings):
        work = drive.job(ANTHROPIC, self.run, calls=calls, settings=settings or {"delay_ms": 20},
                         body=drive.body(ANTHROPIC))
        return self.stage.client(drive.command("http.client", work), self.cgroup,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def nanos(self):
        sums = [lab.money(row["cost_usd"]) for row in self.daemon.report("cgroup")
                if row["cgroup"] == self.cgroup.path]
        return int(sum(sums) * NANOS)

    def calls(self):
        return len(self.daemon.calls(self.cgroup))

    def actions(self):
        return lab.json.loads(self.daemon.run("explain", "--format", "json").stdout)["actions"]


@pytest.fixture
def two(stage, redis, tmp_path):
    made = []

    def make(limit, steps="{ at: 100%, do: refuse }", **more):
        for name in "first", "second":
            made.append(Node(stage, redis, tmp_path, name, limit, steps, **more))
        return made
    yield make
    for node in made:
        node.daemon.stop()


def agree(redis, nodes):
    """The server's parts are the ledgers' sums, to the nano-dollar."""
    def same():
        return sorted(redis.parts("fleet").values()) == sorted(node.nanos() for node in nodes)
    lab.wait(same, 30, lambda: f"{redis.parts('fleet')}, the ledgers have "
                               f"{[node.nanos() for node in nodes]}")


def beats(redis):
    words = redis.cli("zrange", "aigress:nodes", "0", "-1", "withscores").split()
    return dict(zip(words[::2], map(float, words[1::2])))


def know_each_other(redis, n_nodes):
    """Each node has asked twice since the last of them joined, and so knows how many live and what they spent."""
    lab.wait(lambda: len(beats(redis)) == n_nodes, 30)
    for _ in range(2):
        before = beats(redis)
        lab.wait(lambda before=before: all(at > before[node] for node, at in beats(redis).items()), 60)


def test_what_two_nodes_spend_is_one_budget(redis, two):
    first, second = nodes = two("0.60")
    assert first.spend(4).wait(30) == 0
    lab.wait(lambda: first.calls() == 4, 30, first.daemon.tail)
    agree(redis, nodes[:1])
    client = second.spend(100000)
    lab.wait(lambda: client.poll() is not None, 60, second.daemon.tail)
    agree(redis, nodes)
    spent = [node.nanos() for node in nodes]
    assert sum(spent) >= 0.60 * NANOS
    assert max(spent) < 0.60 * NANOS, "it was the other's money that refused this one"
    for node in nodes:
        lab.wait(lambda node=node: any(a["action"] == "refuse" and a["result"] == "done"
                                       for a in node.actions()), 30, node.daemon.tail)
    # Who comes now is refused though this node has money left of its own.
    assert first.spend(1).wait(30) != 0
    assert first.calls() == 4


def test_nothing_is_lost_or_counted_twice(redis, two):
    """The server goes and forgets all, a daemon is killed and started, and old commands are sent again."""
    first, second = nodes = two("1000")
    monitor = redis.stage.guests.start(redis.argv("monitor"), stdout=subprocess.PIPE, text=True)
    for node in nodes:
        assert node.spend(3).wait(30) == 0
        lab.wait(lambda node=node: node.calls() == 3, 30, node.daemon.tail)
    agree(redis, nodes)
    redis.stop()
    commands = [shlex.split(line.split("] ", 1)[1]) for line in monitor.stdout
                if '"EVALSHA"' in line and ":fleet:" in line]
    assert commands
    assert first.spend(2).wait(30) == 0     # nobody hears of these for now
    lab.wait(lambda: first.calls() == 5, 30, first.daemon.tail)
    assert first.daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    first.daemon.start()
    assert second.spend(2).wait(30) == 0
    lab.wait(lambda: second.calls() == 5, 30, second.daemon.tail)
    redis.start()
    agree(redis, nodes)
    assert sum(redis.parts("fleet").values()) == sum(node.nanos() for node in nodes) > 0
    for command in commands:
        redis.cli(*command)
    assert sorted(redis.parts("fleet").values()) == sorted(node.nanos() for node in nodes)


def test_without_the_server_each_takes_its_share(redis, two):
    first, second = nodes = two("0.80")
    for node in nodes:
        assert node.spend(1).wait(30) == 0
        lab.wait(lambda node=node: node.calls() == 1, 30, node.daemon.tail)
    agree(redis, nodes)
    know_each_other(redis, 2)
    total = sum(node.nanos() for node in nodes)
    redis.stop()
    lab.wait(lambda: "is away" in first.daemon.said(), 30, first.daemon.tail)
    own = first.nanos()
    client = first.spend(100000)
    lab.wait(lambda: client.poll() is not None, 60, first.daemon.tail)
    share = (0.80 * NANOS - total) / 2
    call = 0.1 * NANOS      # the dearest that the API makes
    assert share <= first.nanos() - own <= share + call, (first.nanos(), own, share)
    # The other has spent nothing since: with the server back there is money left.
    redis.start()
    lab.wait(lambda: first.spend(1).wait(30) == 0, 40, first.daemon.tail)
    agree(redis, nodes)


def waiting_member(node):
    """A program that has made one call, keeps its connection, and makes no other."""
    work = drive.job(ANTHROPIC, node.run, calls=2, step=True, body=drive.body(ANTHROPIC))
    child = node.stage.client(drive.command("http.client", work), node.cgroup, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    drive.next_done(child)
    lab.wait(lambda: node.calls() == 1, 30, node.daemon.tail)
    return child


def is_frozen(node):
    with open(os.path.join(node.cgroup.directory, "cgroup.events"), encoding="ascii") as events:
        return "frozen 1" in events.read()


@pytest.mark.parametrize("step", ["do: freeze", "do: kill, grace: 1s"])
def test_a_step_is_taken_when_others_cross_it(redis, two, step):
    """Not with the member's next call, which may be hours away."""
    first, second = two("0.30", f"{{ at: 100%, {step} }}")
    member, other = waiting_member(second), waiting_member(first)
    spender = first.spend(100000)
    if "kill" in step:
        lab.wait(lambda: member.poll() is not None, 30, second.daemon.tail)
        assert member.returncode == -signal.SIGTERM
    else:
        lab.wait(lambda: is_frozen(second), 30, second.daemon.tail)
        for node in first, second:
            node.daemon.run("override", "open", "fleet", "--for", "5m")
        lab.wait(lambda: not is_frozen(second), 20, second.daemon.tail)
    (row,) = [a for a in second.actions() if a["result"].startswith("done")]
    assert row["action"] in step and second.calls() == 1, row
    assert row["spent_usd"] >= "0.30", row
    for child in spender, other:
        child.kill()


def test_a_rolling_window_slides_on_every_node(redis, two, tmp_path):
    its_clock = clock.Clock(tmp_path, passes=True)
    first, second = nodes = two("0.30", window="10m", its_clock=its_clock)
    client = first.spend(100000)
    lab.wait(lambda: client.poll() is not None, 60, first.daemon.tail)
    lab.wait(lambda: second.spend(1).wait(30) != 0, 30, second.daemon.tail)
    its_clock.set(300)
    know_each_other(redis, 2)
    assert second.spend(1).wait(30) != 0
    its_clock.set(660)
    lab.wait(lambda: second.spend(1).wait(30) == 0, 30, second.daemon.tail)
    lab.wait(lambda: first.spend(1).wait(30) == 0, 30, first.daemon.tail)
    assert sum(node.nanos() for node in nodes) > 0.30 * NANOS   # in all, which the window forgot
