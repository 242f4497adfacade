#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
python.py KIND JOB: makes the calls of a job with one of Python's HTTP clients, one after the other
on one connection, or all at once where the job says so. JOB is JSON:

  host, path, body, headers   the request
  base                        what stands before the path (https://HOST)
  calls                       how many (1)
  step                        true: says "done" after each and waits for a line on stdin
  leave_after                 leaves a stream after so many bytes, and ends
  expand                      repeats the first message so often (a big request; argv takes 128 kB)
"""
import asyncio
import json
import ssl
import sys

assert ssl.OPENSSL_VERSION     # each client has the library from its start, whatever it imports later
JOB = json.loads(sys.argv[2])
BODY = JOB["body"]
HEADERS = dict(JOB.get("headers", {}), **{"content-type": "application/json"})
BASE = JOB.get("base") or f"https://{JOB['host']}"
URL = BASE + JOB["path"]
CALLS = JOB.get("calls", 1)
LEAVE = JOB.get("leave_after")


def data():
    return json.dumps(BODY).encode()


def after(status, n_bytes):
    print("done", status, n_bytes, flush=True)
    if JOB.get("step"):
        sys.stdin.readline()


def http_client():
    import http.client
    scheme, place = BASE.split("://")
    kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[scheme]
    connection = kind(place, timeout=60)
    for _ in range(CALLS):
        connection.request("POST", JOB["path"], data(), HEADERS)
        answer = connection.getresponse()
        got = answer.read(LEAVE) if LEAVE else answer.read()
        after(answer.status, len(got))
        if LEAVE:
            return connection.close()


def requests():
    import requests as library
    with library.Session() as session:
        for _ in range(CALLS):
            answer = session.post(URL, data=data(), headers=HEADERS, stream=True, timeout=60)
            n = 0
            for piece in answer.iter_content(64 if LEAVE else 8192):
                n += len(piece)
                if LEAVE and n >= LEAVE:
                    answer.close()
                    return after(answer.status_code, n)
            after(answer.status_code, n)


def httpx():
    import httpx as library
    with library.Client(timeout=60, http2=JOB.get("http2", False)) as client:
        for _ in range(CALLS):
            with client.stream("POST", URL, content=data(), headers=HEADERS) as answer:
                n = 0
                for piece in answer.iter_bytes():
                    n += len(piece)
                    if LEAVE and n >= LEAVE:
                        return after(answer.status_code, n)
            after(answer.status_code, n)


def httpx_async():
    import httpx as library

    async def work():
        async with library.AsyncClient(timeout=60, http2=JOB.get("http2", False)) as client:
            for _ in range(CALLS):
                async with client.stream("POST", URL, content=data(), headers=HEADERS) as answer:
                    n = 0
                    async for piece in answer.aiter_bytes():
                        n += len(piece)
                        if LEAVE and n >= LEAVE:
                            return after(answer.status_code, n)
                after(answer.status_code, n)
    asyncio.run(work())


def aiohttp():
    import aiohttp as library

    async def work():
        connector = library.TCPConnector(limit=0)
        async with library.ClientSession(connector=connector) as session:
            async def one():
                async with session.post(URL, data=data(), headers=HEADERS) as answer:
                    n = 0
                    async for piece in answer.content.iter_any():
                        n += len(piece)
                        if LEAVE and n >= LEAVE:
                            return answer.status, n
                    return answer.status, n
            if JOB.get("at_once"):
                for status, n in await asyncio.gather(*[one() for _ in range(CALLS)]):
                    after(status, n)
                return
            for _ in range(CALLS):
                after(*await one())
                if LEAVE:
                    return
    asyncio.run(work())


if JOB.get("expand"):
    BODY["messages"][0]["content"] *= JOB["expand"]
{"http.client": http_client, "requests": requests, "httpx": httpx, "httpx-async": httpx_async,
 "aiohttp": aiohttp}[sys.argv[1]]()
