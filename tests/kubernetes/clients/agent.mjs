// SPDX-License-Identifier: Apache-2.0
// As agent.py, in Node: /healthz and /call?n=N.
import http from "node:http";
import https from "node:https";
import tls from "node:tls";

const body = JSON.stringify({
	model: "gpt-4o-mini",
	messages: [{ role: "user", content: "Say when." }],
});
const headers = {
	"content-type": "application/json",
	authorization: `Bearer ${process.env.POD_NAME}`,
};
tls.createSecureContext();

function call() {
	return new Promise((resolve) => {
		const request = https.request("https://api.openai.com/v1/chat/completions",
			{ method: "POST", headers, timeout: 20000 }, (answer) => {
				answer.resume();
				answer.on("end", () => resolve(answer.statusCode));
				answer.on("error", () => resolve(0));
			});
		request.on("error", () => resolve(0));
		request.end(body);
	});
}

http.createServer(async (request, answer) => {
	const url = new URL(request.url, "http://pod");
	const statuses = [];
	for (let n = Number(url.searchParams.get("n")); url.pathname === "/call" && n > 0; n--)
		statuses.push(await call());
	answer.end(JSON.stringify(url.pathname === "/call" ? statuses : "ok"));
}).listen(8080);
