# SPDX-License-Identifier: Apache-2.0
"""Each subcommand and option of the program is known to the completion of each shell, and no other."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AIGRESS = os.environ.get("AIGRESS") or os.path.join(ROOT, "build", "aigress")
COMPLETION = os.path.join(ROOT, "completion")


def said(*argv):
    with tempfile.TemporaryDirectory() as home:     # fish writes into it
        environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                              env={**environment, "HOME": home, "TERM": "dumb"}).stdout


def commands():
    return re.findall(r"^  (\w+) ", said(AIGRESS, "help"), re.M)


def options(command):
    """Long options of a subcommand, and of those with a letter the letter."""
    return set(re.findall(r"^  +(?:-(.), +)?--([a-z-]+)", said(AIGRESS, command, "--help"), re.M))


def keys(command):
    """What --by takes: the program lists them where it is given another."""
    done = subprocess.run([AIGRESS, command, "--by", "x"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    return set(re.findall(r"[\w-]+", re.search(r"(?::|\() ?(who, .*|time, .*)", done.stderr)[1]))


def read(name):
    with open(os.path.join(COMPLETION, name), encoding="utf-8") as file:
        return file.read()


def bash(*words):
    """What bash proposes for the last word."""
    script = f"""source {COMPLETION}/aigress.bash
COMP_WORDS=({' '.join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}
_aigress; printf '%s\\n' "${{COMPREPLY[@]}}" """
    return set(said("bash", "--norc", "-c", script).split())


def fish(line):
    script = f"source {COMPLETION}/aigress.fish; complete -C '{line}'"
    return {each.split("\t")[0] for each in said("fish", "--no-config", "-c", script).splitlines()}


def zsh_options(command):
    """As they stand in the subcommand's branch: zsh completes only on a terminal."""
    text = read("_aigress")
    branch = text.partition(f"\n{command})\n")[2].partition("\n\t;;\n")[0]
    if "$state $help" in branch:
        branch += "".join(re.findall(r"^(?:state|help)=.*$", text, re.M))
    return set(re.findall(r"--([a-z-]+)", branch))


def test_bash_knows_every_subcommand():
    assert bash("aigress", "") == {*commands(), "help", "--help", "--version"}


@pytest.mark.parametrize("command", commands())
def test_bash_knows_every_option(command):
    assert bash("aigress", command, "--") == {f"--{name}" for _, name in options(command)}


@pytest.mark.parametrize("command", ["top", "report"])
def test_the_help_lists_every_key(command):
    listed = re.search(r"--by=.*?: ([\w,\s-]*?)[;(]", said(AIGRESS, command, "--help"), re.S)[1]
    assert set(re.findall(r"[\w-]+", listed)) == keys(command)


@pytest.mark.parametrize("command", ["top", "report"])
def test_bash_knows_every_key(command):
    assert bash("aigress", command, "--by", "") == keys(command)


@pytest.mark.parametrize("command", ["top", "report"])
def test_fish_knows_every_key(command):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    assert fish(f"aigress {command} --by ") == keys(command)


def test_zsh_knows_every_subcommand():
    assert re.findall(r"^\t'(\w+):", read("_aigress"), re.M) == commands()


@pytest.mark.parametrize("command", commands())
def test_zsh_knows_every_option(command):
    assert zsh_options(command) == {name for _, name in options(command)}


def test_zsh_reads_its_file():
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    said("zsh", "-f", "-n", os.path.join(COMPLETION, "_aigress"))


def test_fish_knows_every_subcommand():
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    assert fish("aigress ") == set(commands())


@pytest.mark.parametrize("command", commands())
def test_fish_knows_every_option(command):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    assert {each.rstrip("=") for each in fish(f"aigress {command} --")} == {f"--{n}" for _, n in options(command)}
