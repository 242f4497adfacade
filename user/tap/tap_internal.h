/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it. */
#ifndef TAP_TAP_INTERNAL_H
#define TAP_TAP_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>

#include "tap/pin.h"
#include "tap/tap.h"
#include "tap.skel.h"

/* Who held the sockets of AI flows when they were last asked about. */
#define TAP_OWNERS_MAX 65536 /* as many as flows; 1 MiB */
struct tap_owners {
	struct ev_owner *rows;
	size_t n, room;
	uint64_t since_ns; /* the second in which `walks` are counted */
	unsigned walks;
	uint64_t peers_since_ns; /* the same of tap_peers(), which another thread calls */
	unsigned peer_walks;
};
void tap_owners_free(struct tap_owners *owners);

#define ON_ROOT_MAX 16

struct tap {
	struct tap_owners owners;
	struct tap_bpf *skel;
	struct ring_buffer *ring;
	struct tap_features features;
	struct tap_config config;
	tap_event_fn fn; /* of the tap_drain() in progress */
	size_t left;     /* events that it may still hand over */
	struct {
		pthread_mutex_t lock; /* of the map's entries, and of these */
		pthread_cond_t some;
		uint32_t n;
		bool is_interrupted;
	} gates;
	void *arg;
	/* pin.c */
	char pin[PIN_PATH_LEN]; /* empty: nothing is pinned */
	int pin_fd;             /* the directory, locked; -1: there is none, or another daemon's */
	struct {
		struct bpf_program *program;
		struct bpf_link *link; /* the skeleton's */
	} on_root[ON_ROOT_MAX];
	size_t n_on_root;
};

/* mappings.c: an open reading of one process (6.1 and later), or of all (0). The fd, or -errno. */
int tap_iterate(const struct bpf_program *program, uint32_t tgid);

/* flows.c: puts the flow and gate programs on the root of the v2 hierarchy. 0 or -errno. */
int tap_flows_attach(struct tap *tap, char **ret_error);

/* pin.c: before loading, takes over the maps that an earlier daemon left; it is none else. */
void tap_pins_reuse(struct tap *tap);
/* Puts a program on the root of the hierarchy, in the place of an earlier daemon's. 0 or -errno. */
int tap_attach_root(struct tap *tap, struct bpf_program *program, struct bpf_link **link, int root);
/* gate.c: of the maps that were taken over. */
void tap_gates_take_over(struct tap *tap);

/* fail.c: writes a sentence for ret_error (which may be NULL) and gives `err` back. */
int tap_fail(char **ret_error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
