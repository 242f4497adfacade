// SPDX-License-Identifier: Apache-2.0
// Draws /api/status.json. Names come from pods, programs and models that anybody may have made:
// they reach the page as textContent only, never as markup, attributes or URLs.
"use strict";

const POLL_MS = 2000, STALE_MS = 8000, SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "", lastAnswer = 0, timer = 0, latest = null;

function make(tag, className, ...content) {
	const element = document.createElement(tag);
	if (className)
		element.className = className;
	element.append(...content.filter((each) => each !== null && each !== ""));
	return element;
}

function svg(tag, attributes) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes))
		element.setAttribute(name, value);
	return element;
}

function usd(text) {
	const n = Number(text);
	if (n >= 1000)
		return n.toLocaleString("en", { maximumFractionDigits: 0 });
	return n >= 0.01 || n === 0 ? n.toFixed(2) : n.toPrecision(1);
}

function count(n) {
	const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]];
	for (const [size, letter] of steps)
		if (n >= size)
			return (n / (size === 1e4 ? 1e3 : size)).toFixed(1) + " " + letter;
	return n.toLocaleString("en");
}

const bytes = (n) => count(n) + (n < 1e4 ? " B" : "B");
const several = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const percent = (share) => (share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0) + " %";
const clock = (us) => new Date(us / 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

// With seconds where the minutes are the same.
const span = (from, until) => clock(from) === clock(until) ?
	[from, until].map((us) => new Date(us / 1000).toLocaleTimeString("en-GB")).join(" to ") : `${clock(from)} to ${clock(until)}`;

const moment = (us) => new Date(us / 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

function ahead(us, now) {
	const s = Math.round((us - now) / 1e6);
	if (!(s > 0) || s > 400 * 86400)
		return "";
	if (s < 120)
		return s + " s";
	if (s < 7200)
		return Math.round(s / 60) + " min";
	return s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " d";
}

function spark(points) {
	const top = Math.max(...points, 1), n = points.length - 1;
	const line = points.map((y, x) => `${(x / n * 120).toFixed(1)} ${(24 - y / top * 22).toFixed(1)}`).join("L");
	const image = svg("svg", { class: "spark", viewBox: "0 0 120 26", preserveAspectRatio: "none", "aria-hidden": "true" });
	image.append(svg("path", { class: "area", d: `M0 25L${line}L120 25Z` }), svg("path", { d: "M" + line }));
	return image;
}

function drawMinutes(points) {
	const image = $("minutes"), top = Math.max(...points), n = points.length;
	image.setAttribute("viewBox", `0 0 ${n * 10} 54`);
	image.setAttribute("preserveAspectRatio", "none");
	image.replaceChildren(...points.map((y, x) => {
		const height = top ? Math.max(y / top * 52, y ? 1.5 : 0.6) : 0.6;
		return svg("rect", { x: x * 10 + 1, y: 54 - height, width: 8, height, class: x === n - 1 ? "now" : "" });
	}));
	$("peak").textContent = top ? `highest minute ${usd(top / 1e6)} USD` : "nothing was spent";
}

// Twice what the hour had, and more than small change: somebody should look.
const isHot = (rate, row) => rate > 1 && rate > 2 * Number(row.hour);

// What has no price did not cost 0.00: its cost is not known.
const cost = (sum, row) => row.unpriced && !Number(sum) ? "?" : usd(sum);

// What budgets count, where that is more than what has a price.
const besides = (row) => row.unpriced && Number(row.day_in_budgets) > Number(row.day) ?
	make("div", "detail", `${usd(row.day_in_budgets)} in budgets`) : "";

// What a person looks at: which column, which way, which words. It outlives each answer.
const SHOWN = 200;      // rows of the table; the others are reached by the filter
const WORDS = ["name", "model", "program"];     // columns that are not figures
const view = { sort: "five_minutes", up: false, words: "" };

function spendersOf(rows) {
	const words = view.words.toLowerCase().split(/\s+/).filter(Boolean);
	const found = rows.filter((row) => {
		const text = `${row.name} ${row.detail} ${row.model} ${row.program}`.toLowerCase();
		return words.every((word) => text.includes(word));
	});
	const value = WORDS.includes(view.sort) ? (row) => row[view.sort].toLowerCase() : (row) => Number(row[view.sort]);
	const order = view.up ? 1 : -1;
	// The answer's own order, by what was spent last, decides between equals.
	return found.map((row, i) => [value(row), i, row])
		.sort(([a, i], [b, j]) => a < b ? -order : a > b ? order : i - j).map(([, , row]) => row);
}

function drawSpenders(status) {
	const rows = spendersOf(status.spenders), hidden = Math.max(rows.length - SHOWN, 0);
	const none = status.spenders.length ? "No caller has these words." : "Nobody has called an AI host.";
	$("spenders").replaceChildren(...(rows.length ? rows.slice(0, SHOWN).map(drawSpender) :
		[make("tr", "", make("td", "none", none))]));
	$("more-spenders").textContent = [view.words && `${count(rows.length)} of ${count(status.spenders.length)}`,
		hidden && `and ${count(hidden)} more`, status.more_spenders && `${count(status.more_spenders)} callers are not shown`]
		.filter(Boolean).join(", ");
	for (const button of $("sorts").querySelectorAll("button")) {
		const is = button.dataset.sort === view.sort;
		button.parentElement.setAttribute("aria-sort", is ? view.up ? "ascending" : "descending" : "none");
	}
}

// What was done to it: what is in force, else the last kill of the day.
function deedOf(who) {
	const gate = who && latest.gates.find((row) => row.who === who);
	const kill = who && latest.actions.find((row) => row.who === who && row.action === "kill" && !row.rehearsed && row.result.startsWith("done"));
	return gate ? gate.action : kill ? `kill ${clock(kill.time_us)}` : "";
}

function drawSpender(row) {
	const known = make("div", "detail", row.detail);
	const open = make("button", "link", shortly(row.name || "host"));
	open.type = "button";
	open.addEventListener("click", () => { location.hash = "who=" + encodeURIComponent(row.who); });
	const name = make("div", "name", row.who ? open : row.name);
	const deed = deedOf(row.who);
	if (deed)
		name.append(" ", make("span", "tag alarm", deed));
	if (row.unpriced)
		name.append(" ", make("span", "tag warn", count(row.unpriced) + " unpriced"));
	if (row.unconfirmed)
		name.append(" ", make("span", "tag", count(row.unconfirmed) + " unconfirmed"));
	if (row.estimated)
		name.append(" ", make("span", "tag", count(row.estimated) + " estimated"));
	const rate = Number(row.five_minutes) * 12;
	const hot = isHot(rate, row);
	const sparkCell = make("td", "spark-cell", row.spark ? spark(row.spark) : "");
	return make("tr", "", make("td", "", name, known), make("td", "detail-cell", row.model || "?"),
		make("td", "detail-cell", row.program), sparkCell,
		make("td", "n" + (hot ? " hot" : ""), cost(rate, row)), make("td", "n", cost(row.hour, row)),
		make("td", "n", cost(row.day, row), besides(row)), make("td", "n", count(row.calls)));
}

// A container's id: as much of it as tells it from others.
const shortly = (name) => name.replace(/[0-9a-f]{64}/g, (id) => id.slice(0, 12) + "…");

const amount = (n, unit) => unit === "USD" ? usd(n) : count(Number(n));
const level = (share) => share >= 1 ? "alarm" : share >= 0.8 ? "warn" : "calm";

// A budget over all that it matches has one counter, which is called as the budget.
const counterOf = (row) => row.counter === row.budget ? "" : row.counter;

function drawBudget(row, now) {
	const fill = make("i", level(row.share));
	fill.style.width = Math.min(row.share * 100, 100) + "%";
	const head = make("div", "row", make("span", "grow name", row.budget),
		row.reached ? make("span", "tag " + level(row.share), row.reached) : "",
		make("b", "end", Number(row.limit) ? percent(row.share) : ""));
	const ends = ["rolling", "spike"].includes(row.window) ? row.window : ahead(row.end_us, now);
	const limit = Number(row.limit) ? ` of ${amount(row.limit, row.unit)}` : "";
	const full = row.full_us > now && row.share < 1 ? make("b", "warn-text", `full in ${ahead(row.full_us, now)} at this rate`) : "";
	const foot = make("div", "row", make("span", "grow detail", counterOf(row)), full,
		make("small", "end", `${amount(row.used, row.unit)}${limit} ${row.unit}` + (ends ? ` · ${ends}` : "")));
	// Where it will be when its window ends, if it goes on like this: behind what is spent.
	const left = ["rolling", "spike"].includes(row.window) ? 0 : Math.max(row.end_us - now, 0) / 3.6e9;
	const there = row.share + (Number(row.limit) ? Number(row.per_hour || 0) * left / Number(row.limit) : 0);
	const then = make("i", "ahead " + level(there));
	then.style.width = Math.min(there * 100, 100) + "%";
	const bar = make("div", "bar", then, fill);
	bar.setAttribute("role", "img");
	bar.setAttribute("aria-label", `${percent(row.share)} used` +
		(there > row.share ? `, ${percent(there)} when its window ends` : ""));
	return make("li", "", head, Number(row.limit) ? bar : "", foot);
}

// Whose it is, and of a process which one.
const whom = (row) => shortly(row.who || row.target || row.counter);
const processOf = (row) => row.who && row.target.startsWith("process ") ? row.target : "";

function drawGate(row, now) {
	const left = ahead(row.until_us, now);
	return make("li", "", make("div", "row", make("span", "tag alarm", row.action),
		make("span", "grow name", whom(row)), make("small", "end", left ? `${left} more` : "")),
	make("div", "detail", [`since ${clock(row.decided_us)}`, row.budget, counterOf(row), processOf(row)].filter(Boolean).join("  ·  ")),
	make("div", "detail", "Release: ", make("code", "", row.release)));
}

function drawAction(row) {
	const kind = row.rehearsed ? "" : row.action === "note" ? "warn" : row.result.startsWith("ended") ? "calm" : "alarm";
	const sums = Number(row.limit) ? `${amount(row.spent, row.unit)} of ${amount(row.limit, row.unit)} ${row.unit}` : "";
	const time = make("small", "", clock(row.time_us) + (row.ended_us ? `–${clock(row.ended_us)}` : ""));
	if (row.decided_us)
		time.title = `decided ${moment(row.decided_us)}, in force ${moment(row.time_us)}` +
			(row.ended_us ? `, ended ${moment(row.ended_us)}` : "");
	return make("li", "", make("div", "row", time,
		make("span", "tag " + kind, row.action), make("span", "grow name", whom(row)),
		make("small", "end", sums)),
	make("div", "detail", [row.budget, processOf(row), row.rehearsed ? "rehearsed: nothing was done" : row.result]
		.filter(Boolean).join("  ·  ")));
}

function drawCoverage(coverage, losses) {
	const whole = Math.max(coverage.traffic, coverage.measured + coverage.estimated, 1);
	const rest = Math.max(whole - coverage.measured - coverage.estimated, 0);
	const parts = [["measured", coverage.measured], ["estimated", coverage.estimated]];
	const bar = $("coverage-bar");
	bar.replaceChildren(...parts.map(([name, n]) => {
		const part = make("i", name);
		part.style.width = n / whole * 100 + "%";
		return part;
	}));
	const text = coverage.traffic ? `${percent(coverage.measured / whole)} of ${bytes(coverage.traffic)} was read, ` +
		`${percent(coverage.estimated / whole)} is charged by size, ${percent(rest / whole)} is framing or not settled yet.` :
		"No AI traffic since the start.";
	bar.setAttribute("aria-label", text);
	$("coverage-text").textContent = text;
	const worst = coverage.processes.sort((a, b) => (b.traffic - b.measured) - (a.traffic - a.measured)).slice(0, 8);
	$("processes-table").hidden = !worst.length;
	$("processes").replaceChildren(...worst.map((row) => make("tr", "",
		make("td", "", make("span", "name", row.command), " ", make("small", "", String(row.pid))),
		make("td", "detail", row.host), make("td", "n", bytes(row.traffic)),
		make("td", "n", row.traffic ? percent(Math.min(row.measured / row.traffic, 1)) : ""))));
	const lost = Object.entries(losses).filter(([name]) => !/refused|hello_ech/.test(name));
	$("losses").textContent = lost.map(([name, n]) => `${name.replaceAll("_", " ")}: ${count(n)}`).join(", ");
}

function headline(status) {
	const over = status.budgets.filter((row) => row.share >= 1);
	const near = status.budgets.filter((row) => row.share >= 0.8 && row.share < 1);
	const say = (rows, what) => `${rows[0].budget} is ${what} (${[percent(rows[0].share), counterOf(rows[0])].filter(Boolean).join(", ")})` +
		(rows.length > 1 ? ` and ${rows.length - 1} more` : "");
	if (status.trouble)
		return ["alarm", "Not ready: " + status.trouble];
	if (status.config_error)
		return ["alarm", "The configuration is broken, an earlier one is in force: " + status.config_error];
	if (status.prices_error)
		return ["alarm", "The prices file is broken, the built-in prices count: " + status.prices_error];
	if (status.gates.length)
		return ["alarm", (over.length ? `${say(over, "over its limit")}. ` : "") +
			`In force: ${status.gates.slice(0, 2).map((row) => `${row.action} ${whom(row)}`).join(", ")}` +
			(status.gates.length > 2 ? ` and ${status.gates.length - 2} more.` : ".")];
	if (over.length)
		return ["alarm", say(over, "over its limit")];
	if (near.length)
		return ["warn", say(near, "near its limit")];
	if (status.total.unpriced)
		return ["warn", `Within budget; ${several(status.total.unpriced, "call")} without a price: budgets count a stand-in's.`];
	return ["calm", status.budgets.length ? "All budgets hold." : "No budget is in use yet."];
}

function range(period) {
	return period.expected_usd === undefined ? "" :
		`about ${usd(period.expected_usd)} (${usd(period.low_usd)} to ${usd(period.high_usd)})`;
}

/* What has a price; what budgets count beside it is told where it is more. */
function drawForecast(priced, counted) {
	if (!priced)
		return;
	const end = range(priced.month), rest = Number(counted.month.spent_usd) - Number(priced.month.spent_usd);
	$("month").textContent = usd(priced.month.spent_usd);
	$("month-end").textContent = (end ? "at its end " + end : "its end is not known yet") +
		(rest > 0 ? `; with what has no price ${usd(counted.month.spent_usd)}` : "");
	$("day-end").textContent = `today ${usd(priced.day.spent_usd)}` +
		(end ? ", at its end " + range(priced.day) : "");
}

function draw(status) {
	const now = status.now_us, total = status.total, rate = Number(total.five_minutes) * 12;
	const [mood, text] = headline(status);
	$("node").textContent = status.node;
	$("stance").textContent = status.enforce ? "enforcing" : "rehearsing";
	$("stance").className = "pill " + (status.enforce ? "calm" : "");
	$("health").textContent = status.trouble ? "not ready" : "ready";
	$("health").className = "pill " + (status.trouble ? "alarm" : "calm");
	$("clock").textContent = new Date(now / 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
	$("headline").textContent = text;
	$("headline").className = mood;
	$("rate").textContent = usd(rate);
	$("rate").className = isHot(rate, total) ? "warn-text" : "";
	$("rate-note").textContent = "mean of 5 minutes" +
		(Number(total.hour) > 0 ? `, ${(rate / Number(total.hour)).toFixed(1)} times the hour's` : "");
	$("hour").textContent = usd(total.hour);
	$("flight").textContent = several(status.in_flight, "call") + " in flight";
	// Whole hours, so a report of the last 24 hours to the second may have a little more or less.
	$("day-from").textContent = `since ${clock(status.day_from_us)}`;
	$("day").textContent = usd(total.day);
	$("calls").textContent = `${several(total.calls, "call")}, ${several(total.tokens, "token")}`;
	$("gaps").textContent = status.gaps.length ? "Not measured: " + status.gaps.map((gap) =>
		span(gap.from_us, gap.until_us)).join(", ") : "";
	drawForecast(status.forecast, status.forecast_in_budgets);
	drawMinutes(total.spark);
	latest = status;
	drawSpenders(status);
	$("gates-card").hidden = !status.gates.length;
	$("gates").replaceChildren(...status.gates.map((row) => drawGate(row, now)));
	$("budgets").replaceChildren(...(status.budgets.length ? status.budgets.slice(0, 12).map((row) => drawBudget(row, now)) :
		[make("li", "none", "No budget has been charged.")]));
	const hidden = Math.max(status.budgets.length - 12, 0) + status.more_budgets;
	$("more-budgets").textContent = hidden ? `fullest first, ${count(hidden)} more` : "fullest first";
	$("actions").replaceChildren(...(status.actions.length ? status.actions.slice(0, 10).map(drawAction) :
		[make("li", "none", "None.")]));
	drawCoverage(status.coverage, status.losses);
	$("footer").textContent = `aigress ${status.version}, up since ${new Date(status.started_us / 1000).toLocaleString("en-GB")}. ` +
		"Prices and sums are USD. Metrics: /metrics";
	document.title = `${usd(rate)} USD/h · ${mood === "calm" ? "" : "! "}aigress`;
	showView();
	$("gate").hidden = true;
}

function stale() {
	const late = lastAnswer && Date.now() - lastAnswer > STALE_MS;
	document.body.classList.toggle("stale", Boolean(late));
	if (late) {
		$("health").textContent = `no answer for ${Math.round((Date.now() - lastAnswer) / 1000)} s`;
		$("health").className = "pill alarm";
		$("headline").textContent = "Nobody measures, or this host cannot be reached: what is below ended at " +
			new Date(lastAnswer).toLocaleTimeString("en-GB") + ".";
		$("headline").className = "alarm";
	}
}

const ask = (path) => fetch(path, {
	cache: "no-store", signal: AbortSignal.timeout(STALE_MS),
	headers: token ? { Authorization: "Bearer " + token } : {},
});

async function poll() {
	clearTimeout(timer);
	if (!document.hidden) {
		try {
			const answer = await ask("/api/status.json");
			if (answer.status === 401) {
				$("wrong").hidden = !token;
				$("gate").hidden = false;
				$("main").hidden = $("caller").hidden = true;
				return;
			}
			if (answer.ok) {
				draw(await answer.json());
				lastAnswer = Date.now();
			} else if (!lastAnswer) {
				$("health").textContent = await answer.text();
				$("health").className = "pill alarm";
			}
		} catch (error) {
			console.warn(error.name);
		}
		stale();
	}
	timer = setTimeout(poll, POLL_MS);
}

$("gate").addEventListener("submit", (event) => {
	event.preventDefault();
	token = $("token").value.trim();
	sessionStorage.setItem("token", token);
	poll();
});
$("filter").addEventListener("input", () => {
	view.words = $("filter").value;
	if (latest)
		drawSpenders(latest);
});
$("sorts").addEventListener("click", (event) => {
	const sort = event.target.dataset.sort;
	if (!sort)
		return;
	view.up = view.sort === sort ? !view.up : WORDS.includes(sort);
	view.sort = sort;
	if (latest)
		drawSpenders(latest);
});
document.addEventListener("keydown", (event) => {
	const typing = document.activeElement instanceof HTMLInputElement;
	if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !$("main").hidden) {
		event.preventDefault();
		$("filter").focus();
	} else if (event.key === "Escape" && document.activeElement === $("filter")) {
		$("filter").value = "";
		$("filter").dispatchEvent(new Event("input"));
		$("filter").blur();
	}
});
document.addEventListener("visibilitychange", poll);
