// SPDX-License-Identifier: Apache-2.0
// parallel.mjs JOB: `lanes` connections at once, each with `rounds` calls; for Node, Bun and Deno. Each call has
// an x-api-key of its own (`run`, lane, round), by which the server and the plaintext tell it from all others.
const job = JSON.parse(process.argv[2]);
// Deno speaks HTTP/2 unless it is told not to, and then all calls are on one connection.
const client = globalThis.Deno?.createHttpClient({ http2: false });

async function lane(i) {
	for (let round = 0; round < job.rounds; round++) {
		const body = { ...job.body, user: "x".repeat(job.sizes[i * job.rounds + round]) };
		const answer = await fetch(`https://${job.host}${job.path}`, {
			method: "POST",
			headers: { "content-type": "application/json", "x-api-key": `${job.run}-${i}-${round}.` },
			body: JSON.stringify(body),
			client,
		});
		await answer.arrayBuffer();
		if (answer.status !== 200)
			throw new Error(`status ${answer.status}`);
	}
}

await Promise.all(Array.from({ length: job.lanes }, (_, i) => lane(i)));
