/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS programs on functions of this very program, which have the shape of a TLS library's and
 * do what the test says: counts, pieces, nesting, names, ends. All run over uprobe_multi, and some
 * over perf uprobes; on a kernel before 6.6 all over perf uprobes. Needs root.
 */
#ifndef KERNEL_SSL_CALLS_H
#define KERNEL_SSL_CALLS_H

#include "toy.h"

#include "who/who.h"

struct fixture {
	struct tap *tap;
	struct tap_probes *probes;
	struct seen seen;
	struct tap_config config;
	char cgroup_root[128];
};

static inline struct fixture *start(bool is_perf, size_t ring_bytes)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *error = NULL;

	assert_int_equal(who_cgroup_mount(f->cgroup_root, sizeof(f->cgroup_root)), 0);
	f->config = (struct tap_config){ .cgroup_root = f->cgroup_root,
					 .ring_bytes = ring_bytes,
					 .perf_uprobes = is_perf };
	if (tap_new(&f->tap, &f->config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(f->tap, "api.openai.com"), 0);
	assert_int_equal(tap_add_host(f->tap, "*.openai.azure.com"), 0);
	assert_int_equal(tap_add_host(f->tap, "bedrock-runtime.*.amazonaws.com"), 0);
	f->seen.tgid = (uint32_t)getpid();
	return f;
}

static inline void stop(struct fixture *f)
{
	tap_detach(f->probes);
	tap_free(f->tap);
	free(f->seen.bytes[0]);
	free(f->seen.bytes[1]);
	free(f);
}

static bool has_multi;

static inline int setup_best(void **state)
{
	struct fixture *f = start(!has_multi, 4u << 20);

	f->probes = toy_attach(f->tap, getpid());
	*state = f;
	return 0;
}

static inline int setup_perf(void **state)
{
	struct fixture *f = start(true, 4u << 20);

	f->probes = toy_attach(f->tap, getpid());
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	stop(*state);
	return 0;
}

/* Each test has SSL addresses of its own. */
static inline uint64_t new_ssl(void)
{
	static uint64_t last = 0x7000;

	return last += 0x100;
}

#define BEST(test) cmocka_unit_test_setup_teardown(test, setup_best, teardown)
#define PERF(test) cmocka_unit_test_setup_teardown(test, setup_perf, teardown)

/*
 * Runs a program's tests with the best way of attaching that this kernel has, and then again, of `perf`, what
 * the way of attaching could change: the programs are the same. Returns how many failed.
 */
static inline int run_both(const struct CMUnitTest *best, size_t n_best,
			   const struct CMUnitTest *perf, size_t n_perf)
{
	struct tap_features features;
	int failed;

	tap_probe_features(&features);
	has_multi = features.has_uprobe_multi;
	if (!has_multi) {
		fprintf(stderr, "note: no uprobe_multi here, everything over perf uprobes\n");
		return _cmocka_run_group_tests("perf uprobes", best, n_best, NULL, NULL);
	}
	failed = _cmocka_run_group_tests("uprobe_multi", best, n_best, NULL, NULL);
	return failed + _cmocka_run_group_tests("perf uprobes", perf, n_perf, NULL, NULL);
}

#endif
