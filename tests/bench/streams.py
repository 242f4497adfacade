# SPDX-License-Identifier: Apache-2.0
"""
Connections with a stream in flight on each, read as it comes.   streams.py HOST CONNECTIONS
Says "open" when every one has sent its first bytes, then reads on until it is ended.
"""
import asyncio
import json
import ssl
import sys

BODY = json.dumps({"model": "gpt-4o-mini", "stream": True, "stream_options": {"include_usage": True},
                   "messages": [{"role": "user", "content": "Go on and on."}]})


async def stream(host, context, opened):
    reader, writer = await asyncio.open_connection(host, 443, ssl=context)
    writer.write((f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
                  f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}")
                 .encode())
    if not (await reader.read(200)).startswith(b"HTTP/1.1 200"):
        sys.exit("no stream")
    opened.release()
    while await reader.read(65536):
        pass
    sys.exit("a stream ended")


async def main():
    host, n_streams = sys.argv[1], int(sys.argv[2])
    context = ssl.create_default_context()
    opened = asyncio.Semaphore(0)
    streams = []
    for number in range(n_streams):
        streams.append(asyncio.create_task(stream(host, context, opened)))
        if number % 50 == 49:       # a listener's queue is not what is tried here
            for _ in range(50):
                await opened.acquire()
    print("open", flush=True)
    await asyncio.gather(*streams)


asyncio.run(main())
