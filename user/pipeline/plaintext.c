/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was read above TLS explains what flowed below: on the sockets that are known to carry the
 * connection, else in the sums of its process and host.
 */
#include "pipeline/pipeline_internal.h"

#include <string.h>

/* So much of it was seen above TLS. False: the sockets that carry the connection are not known. */
static bool explain(struct pipeline *pipeline, uint64_t connection, enum ev_dir dir, uint64_t bytes)
{
	const struct pairs_sockets *sockets = pairs_get(pipeline->pairs, connection);

	for (size_t i = 0; sockets && i < sockets->n; i++)
		flow_table_explain(pipeline->flows, sockets->cookies[i], dir, bytes);
	return sockets;
}

void pipeline_read(struct pipeline *pipeline, uint64_t connection, uint32_t tgid, const char *host,
		   enum ev_dir dir, uint64_t bytes, uint64_t records)
{
	if (explain(pipeline, connection, dir, bytes))
		reconcile_paired_read(pipeline->reconcile, tgid, host, dir, bytes);
	else
		reconcile_read(pipeline->reconcile, tgid, host, dir, bytes, records);
}

/* Calls were lost of it, which become an estimate by size. */
static void lose_paired(struct pipeline *pipeline, uint64_t connection, uint32_t tgid,
			const char *host, uint64_t bytes)
{
	const struct pairs_sockets *sockets = pairs_get(pipeline->pairs, connection);

	if (!strcmp(pipeline_destination(pipeline, sockets, host), CHARGE_UNCONFIRMED))
		reconcile_unconfirmed(pipeline->reconcile, tgid, host);
	reconcile_paired_lost(pipeline->reconcile, tgid, host, bytes);
}

void pipeline_missed(struct pipeline *pipeline, uint64_t connection, uint32_t tgid,
		     const char *host, enum unmetered_why why, const uint64_t bytes[2])
{
	uint64_t sum = bytes[EV_OUT] + bytes[EV_IN];

	/* What no parser made sense of was seen all the same. */
	if (!explain(pipeline, connection, EV_OUT, bytes[EV_OUT]))
		reconcile_missed(pipeline->reconcile, tgid, host, why, sum);
	else if (why == UNMETERED_LOST)
		lose_paired(pipeline, connection, tgid, host, sum);
	(void)explain(pipeline, connection, EV_IN, bytes[EV_IN]);
}
