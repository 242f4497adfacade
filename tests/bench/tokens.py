# SPDX-License-Identifier: Apache-2.0
"""
A provider that streams, a token an event, each written by itself, as fast as providers do.
  tokens.py DIRECTORY ADDRESS TOKENS PERIOD_MS
Says "ready"; ends each answer after so many tokens. For each line on stdin it tells how many it has sent.
"""
import asyncio
import ssl
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
TOKEN = (b'data: {"id":"c1","object":"chat.completion.chunk","model":"gpt-4o-mini","choices":[{"index":0,'
         b'"delta":{"content":" word"},"finish_reason":null}]}\n\n')
LAST = b"data: [DONE]\n\n"
sent = 0


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


async def answer(reader, writer):
    global sent     # pylint: disable=global-statement
    tokens, period = int(sys.argv[3]), int(sys.argv[4]) / 1000
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.split("content-length:")[1].split()[0]))
        writer.write(HEAD)
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        for _ in range(tokens):
            writer.write(chunk(TOKEN))
            await writer.drain()
            sent += 1
            next_at += period
            await asyncio.sleep(max(0, next_at - loop.time()))
        writer.write(chunk(LAST) + b"0\r\n\r\n")
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{sys.argv[1]}/leaf.pem", f"{sys.argv[1]}/leaf.key")
    await asyncio.start_server(answer, sys.argv[2], 443, ssl=context, backlog=256)
    asyncio.get_running_loop().add_reader(
        sys.stdin, lambda: (sys.stdin.readline(), print(sent, flush=True)))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
