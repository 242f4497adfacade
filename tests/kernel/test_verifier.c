/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each program costs the verifier of the running kernel. Its limit is a million instructions;
 * ours is lower, because the next kernel's verifier may need more for the same program, and because
 * a verifier before 5.15 walks some loops longer than it walks here. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "tap/tap.h"
#include "tap.skel.h"

#define BUDGET   250000
#define PROGRAMS 64
#define STATS    4 /* BPF_LOG_STATS: only the last line of the verifier's log */

static void stays_within_its_budget(void **state)
{
	static char logs[PROGRAMS][16384];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_level = STATS);
	struct tap_bpf *skel = tap_bpf__open_opts(&opts);
	struct bpf_program *program;
	struct tap_features features;
	size_t n = 0;
	int err;

	assert_non_null(skel);
	tap_probe_features(&features);
	bpf_program__set_autoload(skel->progs.list_vmas, features.has_task_vma);
	bpf_object__for_each_program(program, skel->obj) {
		assert_true(n < PROGRAMS);
		bpf_program__set_log_buf(program, logs[n], sizeof(logs[n]));
		n++;
	}
	err = tap_bpf__load(skel);
	n = 0;
	bpf_object__for_each_program(program, skel->obj) {
		const char *told = strstr(logs[n++], "processed ");
		unsigned long insns = told ? strtoul(told + strlen("processed "), NULL, 10) : 0;

		if (!bpf_program__autoload(program))
			continue;
		fprintf(stderr, "note: %-17s %6lu instructions\n", bpf_program__name(program),
			insns);
		if (!err)
			assert_true(insns > 0 && insns <= BUDGET);
	}
	tap_bpf__destroy(skel);
	assert_int_equal(err, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_within_its_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
