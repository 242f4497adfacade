// SPDX-License-Identifier: Apache-2.0
// loop.mjs KIND RUN: a program that runs away. Calls with an official SDK ("openai", "anthropic"),
// as fast as it is let, whatever comes back; it does not hear SIGTERM. A line an attempt: "done",
// or "error" and what the SDK called it.
const [kind, run] = process.argv.slice(2);
const messages = [{ role: "user", content: "Again." }];

process.on("SIGTERM", () => console.log("deaf"));

async function maker() {
	if (kind == "openai") {
		const { default: OpenAI } = await import("openai");
		const client = new OpenAI({ apiKey: run, maxRetries: 0 });
		return () => client.chat.completions.create({ model: "gpt-4o-mini", messages });
	}
	const { default: Anthropic } = await import("@anthropic-ai/sdk");
	const client = new Anthropic({ apiKey: run, maxRetries: 0 });
	return () => client.messages.create({ model: "claude-haiku-4-5", max_tokens: 99, messages });
}

const call = await maker();
for (;;) {
	try {
		await call();
		console.log("done");
	} catch (error) {
		console.log("error", error.constructor.name);
		await new Promise((later) => setTimeout(later, 100));
	}
}
