/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/shortage.h"

#include "base/log.h"

#define NO_ROOM "found no place, as their tenant has its share of the table or it is full"

/* Values of the fact "health": a part and a number in it. */
static const struct {
	const char *part, *key, *what;
} rows[SHORTAGES] = {
	{ "kernel", "connections_refused",
	  "TLS connections " NO_ROOM ": their traffic is charged by its size" },
	{ "kernel", "connections_full",
	  "TLS connections found their table full: their traffic is charged by its size" },
	{ "parsers", "connections_dropped",
	  "connections, the oldest of whoever had most, gave way to others: what they still say is "
	  "charged by its size" },
	{ "search", "files_refused",
	  "times a TLS library " NO_ROOM ": the calls of those who use it are estimated" },
	{ "search", "files_set_aside",
	  "times a file was set aside, as the process that looked into it died of it: the calls of those "
	  "who use it are estimated" },
	{ "search", "processes_refused",
	  "processes that greeted an AI host " NO_ROOM ": their calls are estimated" },
	{ "parsers", "reader_refused",
	  "connections of which the parsers said what cannot be true: their calls are charged as far as "
	  "was known, and what they still say by its size" },
};

static uint64_t value(const json_t *health, size_t i)
{
	const json_t *part = json_object_get(health, rows[i].part);

	return (uint64_t)json_integer_value(json_object_get(part, rows[i].key));
}

void shortage_log(struct shortage_told *told, const json_t *health, uint64_t now_ns)
{
	for (size_t i = 0; i < SHORTAGES; i++) {
		uint64_t n = value(health, i);

		if (n <= told->n[i] ||
		    (told->at_ns[i] && now_ns - told->at_ns[i] < SHORTAGE_AGAIN_NS))
			continue;
		log_warn("%llu %s (`aigress check`)", (unsigned long long)(n - told->n[i]),
			 rows[i].what);
		told->n[i] = n;
		told->at_ns[i] = now_ns;
	}
}

void shortage_each(const json_t *health, void (*fn)(void *arg, uint64_t n, const char *what),
		   void *arg)
{
	for (size_t i = 0; i < SHORTAGES; i++)
		if (value(health, i))
			fn(arg, value(health, i), rows[i].what);
}
