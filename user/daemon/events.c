/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/events.h"

#include "base/log.h"
#include "tap/record.h"

void daemon_event(void *arg, const struct ev_head *event, size_t size)
{
	struct daemon *daemon = arg;

	if (daemon->record && record_write(daemon->record, event, size) < 0) {
		log_warn("the recording cannot be written, stopping it");
		daemon->record = record_free(daemon->record);
	}
	pipeline_event(daemon->pipeline, event, size);
}
