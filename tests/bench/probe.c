/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probed call costs: our programs at entry and return against empty ones at the same
 * instruction, in turns. Prints "state empty_ns ours_ns" a round. A TLS call's own work, 1 to 3 us,
 * would be on both sides; here it is nothing, so the ratio is the worst that can be.
 */
#include "../kernel/toy.h"

#include "base/clock.h"
#include "tap/multi.h"
#include "who/who.h"

#define CALLS       5000 /* of 312 bytes in the ring: 1.6 MB of its 4 */
#define BYTES       200
#define SSL_IGNORED 0x1000ul
#define SSL_AI      0x2000ul

/* toy_write() once more, for the empty programs. */
TOY int bare_write(uint64_t ssl, const void *buf, int num)
{
	toy_body();
	return toy_result;
}

static int empty_program(void)
{
	/* r0 = 0; exit */
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = MULTI_ATTACH_TYPE);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", insns, 2, &opts);

	assert_true(fd >= 0);
	return fd;
}

static void probe_bare(void)
{
	struct site_search at = site_find(bare_write);
	int program = empty_program();

	assert_true(multi_link(program, at.path, getpid(), &at.offset, 1, false) >= 0);
	assert_true(multi_link(program, at.path, getpid(), &at.offset, 1, true) >= 0);
}

static double time_calls(int (*call)(uint64_t, const void *, int), uint64_t ssl)
{
	static const char buf[BYTES];
	uint64_t begun_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	toy_result = BYTES;
	for (int i = 0; i < CALLS; i++)
		call(ssl, buf, BYTES);
	return (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns) / CALLS;
}

static void pass_over(void *arg, const struct ev_head *event, size_t size)
{
}

static void round_of(struct tap *tap, const char *state, uint64_t ssl)
{
	double empty_ns = time_calls(bare_write, ssl);

	printf("%s %.1f %.1f\n", state, empty_ns, time_calls(toy_write, ssl));
	assert_int_equal(tap_drain(tap, pass_over, NULL), 0);
}

int main(int argc, char **argv)
{
	char root[WHO_PATH_LEN];
	struct tap_config config = { .ring_bytes = 4u << 20, .cgroup_root = root };
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	uint64_t counters[CTL_COUNTERS];
	struct tap_probes *probes;
	char *error = NULL;
	struct tap *tap;

	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	if (tap_new(&tap, &config, &error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	probes = toy_attach(tap, getpid());
	probe_bare();
	toy_name(SSL_IGNORED, "example.com");
	toy_name(SSL_AI, "api.openai.com");
	for (int i = 0; i <= rounds; i++) {
		if (i == 1)
			printf("-\n"); /* what came before warmed up */
		round_of(tap, "other", SSL_IGNORED);
		round_of(tap, "ai", SSL_AI);
	}
	/* what did not fit the ring was not copied, and would make it look cheap */
	assert_int_equal(tap_counters(tap, counters), 0);
	assert_int_equal(counters[CTL_RING_FULL_EVENTS], 0);
	tap_detach(probes);
	tap_free(tap);
	return 0;
}
