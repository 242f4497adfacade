// SPDX-License-Identifier: Apache-2.0
// websocket.mjs KIND JOB: as websocket.py; KIND: "ws" (npm's), "WebSocket" (Node's own), "http2" (RFC 8441).
import http2 from "node:http2";

const [kind, text] = process.argv.slice(2);
const job = JSON.parse(text);
const url = `wss://${job.host}${job.path}`;

// The next message goes out when the last one's answer has come.
async function talk(say, close) {
    let wake;
    const heard = async (data) => {
        if (String(data).includes(job.until)) wake();
    };
    const run = async () => {
        for (const says of job.says) {
            const done = new Promise((resolve) => { wake = resolve; });
            say(JSON.stringify(says));
            await done;
        }
        close();
        console.log("done");
    };
    return { heard, run };
}

async function ws() {
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(url, { headers: job.headers, perMessageDeflate: Boolean(job.compress) });
    const { heard, run } = await talk((says) => socket.send(says), () => socket.close());
    socket.on("message", heard);
    socket.on("open", run);
}

async function own() {
    const socket = new WebSocket(url, { headers: job.headers });
    const { heard, run } = await talk((says) => socket.send(says), () => socket.close());
    socket.onmessage = async ({ data }) => heard(data.text ? await data.text() : data);
    socket.onopen = run;
}

function frame(says) {
    const payload = Buffer.from(says);
    const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length])
        : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]);
    const mask = Buffer.from([7, 77, 177, 27]);
    return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4])]);
}

// No client of today speaks WebSocket over HTTP/2 but browsers and proxies: Node's http2 carries it.
function overHttp2() {
    // The fake API does not wait for room.
    const session = http2.connect(`https://${job.host}`, { settings: { initialWindowSize: 1 << 24 } });
    session.on("connect", () => session.setLocalWindowSize(1 << 24));
    session.on("remoteSettings", async (settings) => {
        if (!settings.enableConnectProtocol) return;
        const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket",
            ":path": job.path, "sec-websocket-version": "13", ...job.headers });
        const { heard, run } = await talk((says) => stream.write(frame(says)), () => session.close());
        stream.on("data", heard);
        stream.on("response", () => run().then(() => stream.end()));
    });
}

await { ws, WebSocket: own, http2: overHttp2 }[kind]();
