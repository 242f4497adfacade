// SPDX-License-Identifier: Apache-2.0
// The status page in Chromium: node page.mjs URL. Prints one JSON object of what was seen: violations of
// accessibility by axe-core in both colour schemes, and what sorting, filtering and keys do to the table.
import axe from "axe-core";
import { chromium } from "playwright-core";

const [url] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-quic"] });
const seen = { violations: {}, errors: [] };

async function open(colorScheme) {
	const page = await browser.newPage({ colorScheme, viewport: { width: 1400, height: 1000 } });
	page.on("pageerror", (error) => seen.errors.push(String(error)));
	page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
	await page.goto(url);
	await page.waitForSelector("#spenders tr .name");
	return page;
}

const names = (page) => page.$$eval("#spenders .name", (cells) => cells.map((cell) => cell.firstChild.textContent));

// The page's policy of content lets no script in, so this one comes by the debugger.
async function judge(page, name) {
	await page.evaluate(axe.source);
	const result = await page.evaluate(() => window.axe.run());
	seen.violations[name] = result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
	seen.rules = result.passes.length;
}

for (const scheme of ["dark", "light"]) {
	const page = await open(scheme);
	await page.waitForSelector("#timeline .mark", { state: "attached" });
	await judge(page, scheme);
	await page.click("#spenders .link");
	await page.waitForSelector("#caller-calls tr");
	await judge(page, `${scheme}, a caller`);
	await page.close();
}

const page = await open("dark");
seen.first = (await names(page)).slice(0, 3);
seen.shown = (await names(page)).length;
seen.more = await page.textContent("#more-spenders");
await page.keyboard.press("/");
seen.focus = await page.evaluate(() => document.activeElement.id);
const begin = performance.now();
await page.keyboard.type("pod-77 shop");
seen.filtered = await names(page);
seen.filter_ms = performance.now() - begin;
seen.count = await page.textContent("#more-spenders");
// The next answer of the server must not undo what a person looks at.
await page.waitForResponse((answer) => answer.url().endsWith("/api/status.json"));
await page.waitForTimeout(50);
seen.kept = await names(page);
await page.keyboard.press("Escape");
seen.cleared = (await names(page)).length;
await page.focus("[data-sort=name]");
await page.keyboard.press("Enter");
seen.by_name = (await names(page)).slice(0, 2);
seen.sort = await page.$$eval("#sorts th", (cells) => cells.map((cell) => cell.getAttribute("aria-sort")));
await page.keyboard.press("Enter");
seen.by_name_down = (await names(page)).slice(0, 2);
await page.click("[data-sort=calls]");
seen.by_calls = (await names(page)).slice(0, 1);
seen.budgets = await page.$$eval("#budgets .bar", (bars) => bars.map((bar) => bar.getAttribute("aria-label")));
seen.full = await page.textContent("#budgets");
seen.timeline = await page.evaluate(() => Object.fromEntries(["priced", "counted", "gap", "mark"].map((name) =>
	[name, document.querySelectorAll(`#timeline .${name}`).length])));
seen.timeline_steps = (await page.getAttribute("#timeline .priced", "d")).split("H").length - 1;
seen.timeline_label = await page.getAttribute("#timeline", "aria-label");
seen.draw_ms = await page.evaluate(() => { const begin = performance.now(); draw(latest); return performance.now() - begin; });
await page.click("[data-sort=five_minutes]");
await page.click("#spenders .link");
await page.waitForSelector("#caller-calls tr");
seen.caller = await page.evaluate(() => ({ focus: document.activeElement.id, rows: document.querySelectorAll("#caller-rows tr").length,
	calls: document.querySelectorAll("#caller-calls tr").length,
	...Object.fromEntries(["name", "spend", "forecast", "actions"].map((id) => [id, document.getElementById(`caller-${id}`).textContent])) }));
await page.click("#caller a");
await page.waitForSelector("#spenders");
seen.back = await page.isHidden("#caller");
await browser.close();
process.stdout.write(JSON.stringify(seen));
