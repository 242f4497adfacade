// SPDX-License-Identifier: Apache-2.0
// node.mjs KIND JOB: as python.py, with Node's own clients ("fetch", "https", "http2") and the official
// SDKs ("openai", "anthropic").
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import process from "node:process";
import readline from "node:readline";

const [kind, text] = process.argv.slice(2);
const job = JSON.parse(text);
const base = job.base ?? `https://${job.host}`;
const url = base + job.path;
const headers = { ...(job.headers ?? {}), "content-type": "application/json" };
const calls = job.calls ?? 1;
const leave = job.leave_after;
if (job.expand)
	job.body.messages[0].content = job.body.messages[0].content.repeat(job.expand);

let line = () => Promise.resolve();
if (job.step) {
	const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
	line = () => lines.next();
}

async function after(status, bytes) {
	console.log("done", status, bytes);
	await line();
}

async function one_fetch() {
	const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(job.body) });
	let bytes = 0;
	for await (const piece of answer.body) {
		bytes += piece.length;
		if (leave && bytes >= leave)
			break;
	}
	return [answer.status, bytes];
}

const library = base.startsWith("https:") ? https : http;
const agent = new library.Agent({ keepAlive: true });

function one_https() {
	return new Promise((resolve, reject) => {
		const options = { method: "POST", headers, agent };
		const request = library.request(url, options, (answer) => {
			let bytes = 0;
			answer.on("data", (piece) => {
				bytes += piece.length;
				if (leave && bytes >= leave) {
					resolve([answer.statusCode, bytes]);
					answer.destroy();
				}
			});
			answer.on("end", () => resolve([answer.statusCode, bytes]));
			answer.on("error", reject);
		});
		request.on("error", reject);
		request.end(JSON.stringify(job.body));
	});
}

let session;

function one_http2() {
	session ??= http2.connect(`https://${job.host}`);
	return new Promise((resolve, reject) => {
		const request = session.request({ ...headers, ":method": "POST", ":path": job.path });
		let bytes = 0, status = 0;
		request.on("response", (head) => { status = head[":status"]; });
		request.on("data", (piece) => { bytes += piece.length; });
		request.on("end", () => resolve([status, bytes]));
		request.on("error", reject);
		request.end(JSON.stringify(job.body));
	});
}

async function sdk(library, client, create) {
	try {
		const answer = await create(client);
		if (!job.body.stream)
			return [200, JSON.stringify(answer).length];
		let bytes = 0;
		for await (const event of answer) {
			bytes += JSON.stringify(event).length;
			if (leave && bytes >= leave)
				break;
		}
		return [200, bytes];
	} catch (error) {
		if (!error.status)
			throw error;
		return [error.status, 0];
	}
}

async function openai() {
	const { default: OpenAI } = await import("openai");
	const client = new OpenAI({ apiKey: job.run, maxRetries: job.retries ?? 0,
				    defaultHeaders: job.headers ?? {} });
	const create = {
		"/v1/chat/completions": (c) => c.chat.completions.create(job.body),
		"/v1/responses": (c) => c.responses.create(job.body),
		"/v1/embeddings": (c) => c.embeddings.create(job.body),
	}[job.path];
	return () => sdk(OpenAI, client, create);
}

async function anthropic() {
	const { default: Anthropic } = await import("@anthropic-ai/sdk");
	const client = new Anthropic({ apiKey: job.run, maxRetries: job.retries ?? 0,
				       defaultHeaders: job.headers ?? {} });
	return () => sdk(Anthropic, client, (c) => c.messages.create(job.body));
}

const kinds = { fetch: () => one_fetch, https: () => one_https, http2: () => one_http2, openai,
		anthropic };
const one = await kinds[kind]();
for (let i = 0; i < calls; i++) {
	await after(...await one());
	if (leave)
		break;
}
process.exit(0);
