#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
websocket.py LIBRARY JOB: a WebSocket of `host` and `path`, on which each message of `says` is sent, and messages
are read until one has `until` in it; says "done". `large`: the first message is so many bytes long.
"""
import asyncio
import json
import sys

JOB = json.loads(sys.argv[2])
URL = f"wss://{JOB['host']}{JOB['path']}"


def sayings():
    for number, says in enumerate(JOB["says"]):
        if number == 0 and JOB.get("large"):
            says = dict(says, input="word " * (JOB["large"] // 5))
        yield json.dumps(says)


async def websockets():
    import websockets as library

    more = {} if JOB.get("compress") else {"compression": None}
    async with library.connect(URL, extra_headers=JOB["headers"], max_size=None, **more) as socket:
        for says in sayings():
            await socket.send(says)
            while JOB["until"] not in str(await socket.recv()):
                pass


async def aiohttp():
    import aiohttp as library

    async with library.ClientSession() as session:
        async with session.ws_connect(URL, headers=JOB["headers"], max_msg_size=0,
                                      compress=15 if JOB.get("compress") else 0) as socket:
            for says in sayings():
                await socket.send_str(says)
                while JOB["until"] not in str((await socket.receive()).data):
                    pass


asyncio.run({"websockets": websockets, "aiohttp": aiohttp}[sys.argv[1]]())
print("done")
