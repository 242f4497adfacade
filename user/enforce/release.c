/* SPDX-License-Identifier: Apache-2.0 */
/* The end of what was applied: gates open, stopped processes resume, pending kills are cancelled. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"

/* Undoes what is held and no other step wants. */
static void release(struct enforcer *enforcer, struct applied *applied, const char *why,
		    int64_t now_us)
{
	bool is_gate = incident_holds_gate(applied->incident);
	int err;

	if (!applied->holds)
		return;
	if (!hold_drop(enforcer, applied)) {
		if (is_gate) /* what is left may want less */
			(void)gate_pull(enforcer, applied->target.id);
		return;
	}
	if (is_gate) {
		err = gate_pull(enforcer, applied->target.id);
		err = err == -ENOENT ? 0 : err;
	} else {
		if (applied->look_until_ns)
			effect_look(enforcer, applied, true);
		err = suspend_undo(enforcer, applied);
	}
	if (err)
		applied_write(enforcer, applied, now_us, ACTION_FAILED,
			      "failed: it is not let go: %s", strerror(-err));
	else if (applied->incident->bucket)
		applied_write(enforcer, applied, now_us, ACTION_ENDED,
			      "ended: %s (%llu requests let go, %llu made to wait)", why,
			      (unsigned long long)applied->incident->pace.take.admitted,
			      (unsigned long long)applied->incident->pace.take.held);
	else
		applied_write(enforcer, applied, now_us, ACTION_ENDED, "ended: %s", why);
}

void incident_end(struct enforcer *enforcer, struct incident *incident, const char *why,
		  int64_t now_us)
{
	struct applied *applied, *next;

	HASH_ITER(hh, incident->applied_list, applied, next)
		release(enforcer, applied, why, now_us);
}

static void cancel_kills(struct incident *incident, int64_t now_us, struct enforcer *enforcer)
{
	struct applied *applied, *next;

	HASH_ITER(hh, incident->applied_list, applied, next) {
		if (applied->look_until_ns)
			effect_look(enforcer, applied, true);
		if (!applied->due_ns)
			continue;
		due_drop(applied);
		applied_write(enforcer, applied, now_us, ACTION_ENDED,
			      "ended: no SIGKILL will follow");
	}
}

void incident_drop(struct enforcer *enforcer, struct incident *incident, const char *why,
		   int64_t now_us)
{
	cancel_kills(incident, now_us, enforcer);
	incident_end(enforcer, incident, why, now_us);
	incident_free(enforcer, incident);
}
