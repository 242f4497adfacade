/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our programs on packets take for one of a connection to no AI host, by BPF_PROG_TEST_RUN, over an empty
 * program: no socket, no clock and no other packet is in the figure.
 *   packet_run OBJECT PAIRS
 * OBJECT has flow.bpf.c as packet.bpf.c makes it. Prints "egress|ingress empty-ns ns" for each pair.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS 1000000

struct packet {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	char payload[100]; /* neither TLS nor a proxy's dialogue */
} __attribute__((packed));

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* One that lets everything pass. */
static int empty_program(enum bpf_attach_type type)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "empty", "GPL", insns, 2, &opts);

	if (fd < 0)
		die("the empty program");
	return fd;
}

/* Nanoseconds of a run. Each series has a socket of its own, whose first packet is examined. */
static unsigned run(int fd)
{
	struct packet packet = {
		.eth.h_proto = htons(ETH_P_IP),
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(packet) - sizeof(packet.eth)),
			.protocol = IPPROTO_TCP,
			.saddr = htonl(0x0a000001),
			.daddr = htonl(0x0a000002) },
		.tcp = { .source = htons(40000), .dest = htons(5432), .doff = 5, .ack = 1 },
		.payload = "not TLS",
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet, .data_size_in = sizeof(packet),
		    .repeat = REPEATS);

	if (bpf_prog_test_run_opts(fd, &opts))
		die("BPF_PROG_TEST_RUN");
	if (opts.retval != 1) {
		fprintf(stderr, "the packet was dropped\n");
		exit(1);
	}
	return opts.duration;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "flow_egress", "flow_ingress" };
	int n_pairs = argc == 3 ? atoi(argv[2]) : 0, ours[2], empty[2];
	struct bpf_object *object;
	struct bpf_program *program;

	libbpf_set_print(quiet);
	object = n_pairs > 0 ? bpf_object__open_file(argv[1], NULL) : NULL;
	if (!object)
		return 2;
	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(program,
					  !strcmp(name, names[0]) || !strcmp(name, names[1]));
	}
	if (bpf_object__load(object))
		die(argv[1]);
	for (int i = 0; i < 2; i++) {
		program = bpf_object__find_program_by_name(object, names[i]);
		ours[i] = bpf_program__fd(program);
		empty[i] = empty_program(bpf_program__expected_attach_type(program));
	}
	for (int pair = 0; pair < n_pairs; pair++) {
		for (int i = 0; i < 2; i++) {
			/* every other one in reverse, so that neither is always the first */
			unsigned first = run(pair % 2 ? ours[i] : empty[i]);
			unsigned second = run(pair % 2 ? empty[i] : ours[i]);

			printf("%s %u %u\n", names[i] + strlen("flow_"), pair % 2 ? second : first,
			       pair % 2 ? first : second);
		}
	}
	bpf_object__close(object);
	return 0;
}
