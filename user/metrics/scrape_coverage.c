/* SPDX-License-Identifier: Apache-2.0 */
/* Families of coverage: what flowed, what was read, and which sockets carry which TLS connections. */
#include "metrics/scrape_internal.h"

static void write_directions(struct scrape *scrape, const uint64_t bytes[2])
{
	if (!scrape->sources.pipeline)
		return;
	exposition_count(&scrape->out, "", "direction", "out", bytes[EV_OUT]);
	exposition_count(&scrape->out, "", "direction", "in", bytes[EV_IN]);
}

void scrape_write_traffic(struct scrape *scrape)
{
	write_directions(scrape, scrape->pipeline.reconcile.flow_bytes);
}

void scrape_write_measured(struct scrape *scrape)
{
	write_directions(scrape, scrape->pipeline.reconcile.read_bytes);
}

void scrape_write_estimated(struct scrape *scrape)
{
	for (unsigned why = UNMETERED_QUIC; why < UNMETERED_WHYS; why++) {
		const uint64_t *bytes = scrape->pipeline.reconcile.charged_bytes[why];
		char labels[64] = "";

		metrics_label(labels, sizeof(labels), "why", unmetered_why_name(why));
		if (!scrape->sources.pipeline || why == UNMETERED_SHARED)
			continue; /* what is charged to no process */
		exposition_count(&scrape->out, labels, "direction", "out", bytes[EV_OUT]);
		exposition_count(&scrape->out, labels, "direction", "in", bytes[EV_IN]);
	}
}

/* What neither look explains yet: long connections until their next minute, and TLS's framing. */
void scrape_write_unmetered(struct scrape *scrape)
{
	const struct reconcile_stats *stats = &scrape->pipeline.reconcile;
	uint64_t left[2];

	for (int dir = 0; dir < 2; dir++) {
		uint64_t known = stats->read_bytes[dir];

		for (unsigned why = 0; why < UNMETERED_WHYS; why++)
			known += stats->charged_bytes[why][dir];
		left[dir] = stats->flow_bytes[dir] > known ? stats->flow_bytes[dir] - known : 0;
	}
	write_directions(scrape, left);
}

void scrape_write_connections(struct scrape *scrape)
{
	if (!scrape->sources.pipeline)
		return;
	exposition_count(&scrape->out, "", "look", "flow", scrape->pipeline.flows);
	exposition_count(&scrape->out, "", "look", "tls", scrape->pipeline.connections.connections);
}

void scrape_write_in_flight(struct scrape *scrape)
{
	if (scrape->sources.pipeline)
		exposition_count(&scrape->out, "", NULL, NULL, scrape->pipeline.connections.calls);
}

void scrape_write_paired(struct scrape *scrape)
{
	static const char *const hows[EV_PAIR_HOWS] = {
		[EV_PAIR_RECORD] = "record",
		[EV_PAIR_CALL] = "call",
		[EV_PAIR_LEN] = "length",
	};

	for (int how = 0; scrape->sources.pipeline && how < EV_PAIR_HOWS; how++)
		exposition_count(&scrape->out, "", "how", hows[how], scrape->pipeline.paired[how]);
}

void scrape_write_legs(struct scrape *scrape)
{
	if (!scrape->sources.pipeline)
		return;
	exposition_count(&scrape->out, "", "seen", "joined", scrape->pipeline.legs.joined);
	exposition_count(&scrape->out, "", "seen", "alone", scrape->pipeline.legs.alone);
}
