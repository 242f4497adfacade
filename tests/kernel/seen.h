/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the probes: what came up the ring, and where a function lies in its file. */
#ifndef SEEN_H
#define SEEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tap/tap.h"

#define SEEN_MAX   4096
#define SEEN_BYTES (4u << 20)

struct seen {
	uint32_t tgid; /* only this process; 0: all */
	size_t n;
	size_t n_of[EV_FLOW_END + 1];
	struct ev_head heads[SEEN_MAX];
	struct ev_open open;   /* the last */
	struct ev_close close; /* the last */
	uint64_t first_offset[2], next_offset[2], gap_bytes[2];
	uint8_t *bytes[2]; /* the data, back to back */
	size_t n_bytes[2];
};

static inline void seen_event(void *arg, const struct ev_head *event, size_t size)
{
	struct seen *seen = arg;
	const struct ev_data *data = (const void *)event;

	if (event->type == EV_CGROUP || (seen->tgid && event->tgid != seen->tgid))
		return;
	assert_true(seen->n < SEEN_MAX);
	seen->heads[seen->n++] = *event;
	seen->n_of[event->type]++;
	if (event->type == EV_OPEN)
		memcpy(&seen->open, event, sizeof(seen->open));
	if (event->type == EV_CLOSE)
		memcpy(&seen->close, event, sizeof(seen->close));
	if (event->type != EV_DATA)
		return;
	assert_int_equal(size, sizeof(*data) + data->len);
	assert_true(data->dir <= EV_IN);
	assert_true(seen->n_bytes[data->dir] + data->len <= SEEN_BYTES);
	if (!seen->bytes[data->dir]) {
		seen->bytes[data->dir] = malloc(SEEN_BYTES);
		seen->first_offset[data->dir] = seen->next_offset[data->dir] = data->offset;
	}
	seen->gap_bytes[data->dir] += data->offset - seen->next_offset[data->dir];
	seen->next_offset[data->dir] = data->offset + data->len;
	memcpy(seen->bytes[data->dir] + seen->n_bytes[data->dir], data->bytes, data->len);
	seen->n_bytes[data->dir] += data->len;
}

/* What lies in the ring now, and nothing from before. */
static inline void seen_read(struct seen *seen, struct tap *tap)
{
	uint8_t *bytes[2] = { seen->bytes[0], seen->bytes[1] };
	uint32_t tgid = seen->tgid;

	free(bytes[0]);
	free(bytes[1]);
	memset(seen, 0, sizeof(*seen));
	seen->tgid = tgid;
	assert_int_equal(tap_drain(tap, seen_event, seen), 0);
}

struct site_search {
	uintptr_t address;
	char path[256];
	uint64_t offset;
};

static inline int site_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct site_search *search = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *head = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + head->p_vaddr;

		if (head->p_type != PT_LOAD || search->address < start ||
		    search->address >= start + head->p_filesz)
			continue;
		search->offset = search->address - start + head->p_offset;
		snprintf(search->path, sizeof(search->path), "%s",
			 *info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
		return 1;
	}
	return 0;
}

/* Where a function of this process lies in its file. */
static inline struct site_search site_find(const void *function)
{
	struct site_search search = { .address = (uintptr_t)function };

	assert_int_equal(dl_iterate_phdr(site_visit, &search), 1);
	return search;
}

#endif
