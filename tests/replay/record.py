#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Makes the recordings beside this file anew: real clients, a fake API, and `aigress run --record`.
Root. Look at the difference of the .jsonl before it is committed: it is what the program says now.

  tests/replay/record.py [NAME...]
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import drive                                                    # noqa: E402
import stage as lab                                             # noqa: E402
from drive import ANTHROPIC, CHAT, EMBEDDINGS, RESPONSES        # noqa: E402


def chat_without_usage(run):
    body = drive.body(CHAT, stream=True)
    del body["stream_options"]
    return drive.job(CHAT, run, body=body)


# name: (client, job of a run)
CASES = {
    "anthropic-stream-httpx": ("httpx", lambda run: drive.job(ANTHROPIC, run, True, calls=2)),
    "anthropic-json-gzip": ("requests", lambda run: drive.job(ANTHROPIC, run, calls=2, settings={"encoding": "gzip"})),
    "chat-stream-node": ("openai", lambda run: drive.job(CHAT, run, True, calls=2)),
    "chat-no-usage-curl": ("curl", chat_without_usage),
    "responses-stream-fetch": ("fetch", lambda run: drive.job(RESPONSES, run, True)),
    "embeddings-br-aiohttp": ("aiohttp", lambda run: drive.job(EMBEDDINGS, run, settings={"encoding": "br"})),
    "overloaded-curl": ("curl", lambda run: drive.job(ANTHROPIC, run, settings={"status": 529})),
    "http2-curl": ("curl", lambda run: drive.job(ANTHROPIC, run, True, http2=True, calls=2)),
}


def keep(file, cgroup_id):
    """Leaves out what other processes of this host did meanwhile: include/event.h, user/tap/record.h."""
    with open(file, "rb") as whole:
        data = whole.read()
    kept, at = [data[:16]], 16
    while at + 4 <= len(data):
        size = struct.unpack_from("=I", data, at)[0]
        if struct.unpack_from("=Q", data, at + 4 + 8)[0] == cgroup_id:
            kept.append(data[at:at + 4 + size])
        at += 4 + size
    with open(file, "wb") as out:
        out.write(b"".join(kept))


def record(stage, directory, name):
    kind, job = CASES[name]
    events = os.path.join(HERE, name + ".events")
    if os.path.exists(events):
        os.remove(events)
    state = os.path.join(directory, name)
    os.mkdir(state)
    config = os.path.join(state, "aigress.yaml")
    with open(config, "w", encoding="ascii") as file:
        file.write("attach: everyone\n")
    with open(os.path.join(state, "log"), "w", encoding="utf-8") as log:
        daemon = stage.children.start([lab.AIGRESS, "run", "--state", state, "--config", config,
                                       "--record", events], stdout=log, stderr=log)
        lab.wait(lambda: "ready" in open(log.name, encoding="utf-8").read())
        run, cgroup = stage.new_run()
        client = stage.client(drive.command(kind, job(run)), cgroup, stdout=subprocess.DEVNULL)
        client.wait(60)
        daemon.terminate()
        daemon.wait(20)
    keep(events, os.stat(cgroup.directory).st_ino)
    os.chmod(events, 0o644)
    told = subprocess.run([lab.AIGRESS, "replay", events], check=True, capture_output=True, text=True)
    with open(os.path.join(HERE, name + ".jsonl"), "w", encoding="utf-8") as file:
        file.write(told.stdout)
    print(f"{name}: {len(told.stdout.splitlines())} charges, {os.path.getsize(events)} bytes, "
          f"bill {len(stage.api.bill(run))}")


def main():
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    stage = lab.Stage(pathlib.Path(directory))
    try:
        for name in sys.argv[1:] or CASES:
            record(stage, directory, name)
    finally:
        stage.close()


if __name__ == "__main__":
    main()
