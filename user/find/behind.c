/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may be behind a relay. A program that only ever speaks to a Unix socket greets no AI host; the relay behind that
 * does, with the program's hello. Whether a process that greets is a relay is not known, so those who have connected to it
 * are probed for a short time, and keep their probes if they call (docs/design/075).
 */
#include "find/attach_internal.h"

#include "base/clock.h"
#include "find/procs.h"

/* Probes a process that may be whose hello the relay passes on; until it calls, or its time is over. */
static void guess(struct attach *attach, uint32_t tgid, uint32_t relay, uint64_t relay_place)
{
	struct process *process = attach_known(attach, tgid);
	bool is_known = process && process->start == procs_start(tgid);

	if (!is_known && sticky_is_wrong(&attach->sticky, sticky_place(attach->look, tgid)))
		return;
	process = attach_enlist(attach, tgid);
	if (!process)
		return;
	process->relay = relay;
	process->relay_place = relay_place;
	if (is_known)
		return;
	process->guessed_ns = clock_mono_ns();
	attach_meet(attach, tgid);
}

bool attach_behind(struct attach *attach, uint32_t relay)
{
	uint64_t place = sticky_place(attach->look, relay);
	uint32_t peers[PEERS_MAX];
	bool serves;
	ssize_t n = tap_peers(attach->tap, relay, peers, PEERS_MAX, &serves);

	for (ssize_t i = 0; i < n; i++)
		guess(attach, peers[i], relay, place);
	return n > 0;
}

bool attach_is_relay(struct attach *attach, uint32_t tgid)
{
	return sticky_is_relay(&attach->sticky, sticky_place(attach->look, tgid));
}

bool attach_keep(struct attach *attach, uint32_t tgid)
{
	struct process *process = attach_known(attach, tgid);

	if (!process || !process->relay_place)
		return false;
	process->has_called = true;
	return true;
}

void attach_speaks(struct attach *attach, uint32_t tgid)
{
	struct process *process = attach_known(attach, tgid);

	if (!process || !process->relay_place)
		return;
	sticky_set_relay(&attach->sticky, process->relay_place);
	process->relay_place = 0;
	if (attach_known(attach, process->relay))
		(void)tap_defer_relay(attach->tap, process->relay);
	if (process->guessed_ns)
		sticky_add(&attach->sticky, attach->look, tgid, procs_cgroup(tgid));
	process->guessed_ns = 0;
}
