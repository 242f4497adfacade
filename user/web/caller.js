// SPDX-License-Identifier: Apache-2.0
// The timeline of 30 days, and one caller's page: #who=NAME. As in status.js, names reach the page as text only.
"use strict";

const TIMELINE_MS = 60000, CALLER_MS = 15000, HOUR_US = 3.6e9;
let timelineTimer = 0, callerTimer = 0;

const chosen = () => location.hash.startsWith("#who=") ? decodeURIComponent(location.hash.slice(5)) : "";
const at = (text) => Date.parse(text) * 1000;

function showView() {
	$("caller").hidden = !chosen();
	$("main").hidden = Boolean(chosen());
}

function drawTimeline(data) {
	const { priced, counted } = data.hours, n = priced.length, top = Math.max(...counted, 1), image = $("timeline");
	const x = (us) => Math.min(Math.max((us - data.from_us) / HOUR_US, 0), n);
	const steps = (hours, name) => svg("path", { class: name,
		d: "M0 90" + hours.map((micros, hour) => `V${(90 - micros / top * 88).toFixed(1)}H${hour + 1}`).join("") + "V90Z" });
	const parts = data.gaps.map((gap) => svg("rect", { x: x(gap.from_us), y: 0, width: Math.max(x(gap.until_us) - x(gap.from_us), 0.5), height: 90, class: "gap" }));
	parts.push(steps(counted, "counted"), steps(priced, "priced"));
	for (const row of data.actions) {
		const mark = svg("path", { d: `M${x(at(row.time))} 0V96`, class: "mark" + (row.action === "note" || row.rehearsed ? " note" : "") });
		mark.append(svg("title", {}));
		mark.firstChild.textContent = `${moment(at(row.time))}: ${row.action} ${whom(row)}`;
		parts.push(mark);
	}
	image.setAttribute("viewBox", `0 0 ${n} 96`);
	image.setAttribute("preserveAspectRatio", "none");
	image.replaceChildren(...parts);
	const deeds = data.actions.filter((row) => row.action !== "note").length;
	const text = `${several(deeds, "action")} and ${several(data.actions.length - deeds, "note")}; ${several(data.gaps.length, "gap")} in which nobody measured`;
	image.setAttribute("aria-label", `Spend of 30 days by the hour: ${text}`);
	$("timeline-text").textContent = `since ${moment(data.from_us)}, highest hour ${usd(top / 1e6)} USD`;
	$("timeline-legend").textContent = `${text}. Blue: what has a price. Amber: what budgets count beside it. Grey: nobody measured.`;
}

async function pollTimeline() {
	clearTimeout(timelineTimer);
	try {
		const answer = document.hidden ? null : await ask("/api/timeline.json");
		if (answer && answer.ok)
			drawTimeline(await answer.json());
	} catch (error) {
		console.warn(error.name);
	}
	timelineTimer = setTimeout(pollTimeline, TIMELINE_MS);
}

const price = (row) => row.cost_usd === null ? "?" : usd(row.cost_usd);

function spendOf(sums) {
	if (!sums.calls)
		return "no call";
	const range = sums.low_usd === sums.high_usd ? "" : ` (${usd(sums.low_usd)} to ${usd(sums.high_usd)})`;
	return (sums.cost_usd === null ? "cost not known" : `${usd(sums.cost_usd)} USD`) + `, ${several(sums.calls, "call")}` +
		(sums.unpriced_calls ? `, ${count(sums.unpriced_calls)} without a price` : "") +
		(sums.unconfirmed_calls ? `, ${count(sums.unconfirmed_calls)} unconfirmed` : "") +
		(sums.unpriced_calls || range ? `; budgets count ${usd(sums.in_budgets_usd)} USD${range}` : "");
}

function drawDeed(row) {
	// Its cgroup is its own, and the page is called by it; a process is one of several.
	const process = row.target.startsWith("process ") ? row.target : "";
	const times = [row.decided && `decided ${moment(at(row.decided))}`, `in force ${moment(at(row.time))}`,
		row.ended ? `ended ${moment(at(row.ended))}, because ${row.because}` : row.release && row.until && `until ${moment(at(row.until))}`];
	return make("li", "", make("div", "row", make("span", "tag " + (row.action === "note" || row.rehearsed ? "warn" : "alarm"), row.action),
		make("span", "grow name", process || row.budget), make("small", "end", process && row.budget)),
	make("div", "detail", row.rehearsed ? "rehearsed: nothing was done" : row.result),
	make("div", "detail", times.filter(Boolean).join("  ·  ")),
	row.release ? make("div", "detail", "Release: ", make("code", "", row.release)) : "");
}

function drawCaller(data) {
	const forecast = data.forecast_in_budgets;
	$("caller-name").textContent = data.who;
	$("caller-spend").textContent = `24 hours: ${spendOf(data.day)}. Last hour: ${spendOf(data.hour)}.`;
	$("caller-forecast").textContent = `As budgets count: ${usd(forecast.usd_per_hour)} USD/h in the last 60 minutes; today ` +
		`${usd(forecast.day.spent_usd)} USD, at its end ${range(forecast.day) || "not known yet"}; this month ` +
		`${usd(forecast.month.spent_usd)} USD, at its end ${range(forecast.month) || "not known yet"}.`;
	$("caller-actions").replaceChildren(...(data.actions.length ? data.actions.map(drawDeed) : [make("li", "none", "Nothing.")]));
	$("caller-rows").replaceChildren(...data.rows.map((row) => make("tr", "", make("td", "", row.model || "?"), make("td", "", row.host),
		make("td", "", row.client || row.command), make("td", "n", count(row.calls)), make("td", "n", count(row.estimated_calls)),
		make("td", "n", price(row)), make("td", "n", usd(row.in_budgets_usd)))));
	$("caller-calls").replaceChildren(...data.calls.map((row) => make("tr", "", make("td", "n", String(row.call)),
		make("td", "", moment(at(row.time))), make("td", "", row.model || "?"), make("td", "", `${row.command} ${row.pid}`),
		make("td", "n", row.status ? String(row.status) : ""), make("td", "n", count(row.tokens)), make("td", "n", price(row)),
		make("td", "n", usd(row.in_budgets_usd)), make("td", "", row.count > 1 ? `${row.source}, ${count(row.count)} calls` : row.source))));
}

async function pollCaller() {
	const who = chosen();
	clearTimeout(callerTimer);
	if (!who)
		return;
	try {
		const answer = document.hidden ? null : await ask("/api/caller.json?who=" + encodeURIComponent(who));
		if (answer && answer.ok && who === chosen())
			drawCaller(await answer.json());
		else if (answer && answer.status === 404)
			$("caller-spend").textContent = "Nobody of that name has called in 30 days.";
	} catch (error) {
		console.warn(error.name);
	}
	callerTimer = setTimeout(pollCaller, CALLER_MS);
}

window.addEventListener("hashchange", () => {
	if (!latest)
		return;
	showView();
	if (chosen()) {
		$("caller-name").textContent = chosen();
		for (const id of ["caller-spend", "caller-forecast", "caller-actions", "caller-rows", "caller-calls"])
			$(id).replaceChildren();
		$("caller-name").focus();
	}
	pollCaller();
});
document.addEventListener("visibilitychange", pollCaller);
poll().then(pollTimeline).then(pollCaller);
