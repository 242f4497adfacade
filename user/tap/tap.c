/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the programs, hands events up. Sites of probes: attach.c; gates and flows: their files. */
#include "tap/tap_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tap/multi.h"

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];
	size_t n;

	if (log_max() < LOG_DEBUG)
		return 0;
	n = (size_t)vsnprintf(line, sizeof(line), format, args);
	if (n > 0 && n < sizeof(line) && line[n - 1] == '\n')
		line[n - 1] = 0;
	log_debug("libbpf: %s", line);
	return 0;
}

/*
 * The smallest size that an event of this type may have, and for EV_DATA and EV_SEGMENT the exact size: a piece
 * is reserved in size classes, and what lies behind its bytes is old ring memory.
 */
static size_t event_size(const struct ev_head *event, size_t reserved)
{
	static const size_t sizes[] = {
		[EV_DATA] = sizeof(struct ev_data),     [EV_OPEN] = sizeof(struct ev_open),
		[EV_CLOSE] = sizeof(struct ev_close),   [EV_EXEC] = sizeof(struct ev_head),
		[EV_EXIT] = sizeof(struct ev_head),     [EV_CGROUP] = sizeof(struct ev_cgroup),
		[EV_FLOW] = sizeof(struct ev_flow),     [EV_FLOW_END] = sizeof(struct ev_flow),
		[EV_QUIC] = sizeof(struct ev_quic),     [EV_PAIR] = sizeof(struct ev_pair),
		[EV_PLAIN] = sizeof(struct ev_flow),    [EV_SEGMENT] = sizeof(struct ev_segment),
		[EV_ANSWER] = sizeof(struct ev_answer),
	};
	size_t size;

	if (reserved < sizeof(*event) || event->type >= ARRAY_SIZE(sizes) || !sizes[event->type])
		return 0;
	size = sizes[event->type];
	if (size <= reserved && event->type == EV_DATA)
		size += ((const struct ev_data *)event)->len;
	if (size <= reserved && event->type == EV_SEGMENT)
		size += ((const struct ev_segment *)event)->len;
	return size <= reserved ? size : 0;
}

static int hand_over(void *arg, void *data, size_t reserved)
{
	struct tap *tap = arg;
	const struct ev_head *event = data;
	size_t size = event_size(event, reserved);

	if (size)
		tap->fn(tap->arg, event, size);
	/* What libbpf returns; the event is consumed all the same. */
	return --tap->left ? 0 : -EAGAIN;
}

static int set_sizes(struct tap *tap)
{
	size_t ring = tap->config.ring_bytes ? tap->config.ring_bytes : TAP_RING_BYTES;
	uint32_t conns = tap->config.conns_max ? tap->config.conns_max : TAP_CONNS_MAX;
	int err;

	if (ring > UINT32_MAX)
		return -EINVAL;
	err = bpf_map__set_max_entries(tap->skel->maps.events, (uint32_t)ring);
	tap->skel->rodata->conns_rows = conns;
	return err ? err : bpf_map__set_max_entries(tap->skel->maps.conns, conns);
}

static int explain_load(char **ret_error, int err)
{
	if (err == -EPERM || err == -EACCES)
		return tap_fail(
			ret_error, err,
			"the kernel refused the BPF programs (%s): run aigress as root, or with "
			"CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; a kernel in lockdown mode "
			"\"confidentiality\" cannot run it",
			strerror(-err));
	if (err == -ENOMEM)
		return tap_fail(ret_error, err,
				"no memory for the BPF maps: lower conns or ring size, or on kernels "
				"before 5.11 raise the memlock limit (LimitMEMLOCK=infinity)");
	return tap_fail(ret_error, err,
			"the BPF programs did not load (%s): aigress needs Linux 5.10 or newer; "
			"`aigress check` shows what this kernel lacks, `--log-level debug` what the "
			"verifier said",
			strerror(-err));
}

/* A program that this kernel does not know must not fail the object. */
static void choose_programs(struct tap *tap)
{
	struct tap_bpf *skel = tap->skel;
	struct bpf_program *program;

	bpf_program__set_autoload(skel->progs.list_vmas, tap->features.has_task_vma);
	if (!tap->features.has_uprobe_multi)
		return;
	bpf_object__for_each_program(program, skel->obj)
		if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(program, MULTI_ATTACH_TYPE);
}

static int load(struct tap *tap, char **ret_error)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	/* Maps are charged to the memlock limit before 5.11; without the right to raise it, try. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(print_libbpf);
	tap->skel = tap_bpf__open();
	if (!tap->skel)
		return tap_fail(ret_error, -errno,
				"the built-in BPF object could not be opened: %s", strerror(errno));
	tap_probe_features(&tap->features);
	if (!tap->features.has_btf)
		return tap_fail(
			ret_error, -EOPNOTSUPP,
			"/sys/kernel/btf/vmlinux cannot be read: aigress needs a kernel built with "
			"CONFIG_DEBUG_INFO_BTF, and /sys mounted (in a container, from the host)");
	if (tap->config.perf_uprobes)
		tap->features.has_uprobe_multi = false;
	choose_programs(tap);
	err = set_sizes(tap);
	if (err)
		return tap_fail(ret_error, err, "ring_bytes or conns_max has no sound value");
	tap_pins_reuse(tap);
	err = tap_bpf__load(tap->skel);
	if (err)
		return explain_load(ret_error, err);
	tap_gates_take_over(tap);
	return 0;
}

static int add_hosts(struct tap *tap, char **ret_error)
{
	const char *pattern;
	uint16_t port;
	int err = 0;

	for (size_t i = 0; !err && tap->config.pattern && (pattern = tap->config.pattern(i)); i++)
		err = tap_add_host(tap, pattern);
	for (size_t i = 0; !err && tap->config.port && (port = tap->config.port(i)); i++)
		err = tap_add_port(tap, port);
	return err ? tap_fail(ret_error, err,
			      "the host patterns could not be passed to the kernel: %s",
			      strerror(-err)) :
		     0;
}

static int attach_host(struct tap *tap, char **ret_error)
{
	struct tap_bpf *skel = tap->skel;

	skel->links.process_exit = bpf_program__attach(skel->progs.process_exit);
	skel->links.process_exec = bpf_program__attach(skel->progs.process_exec);
	skel->links.cgroup_made = bpf_program__attach(skel->progs.cgroup_made);
	if (!skel->links.process_exit || !skel->links.process_exec || !skel->links.cgroup_made)
		return tap_fail(
			ret_error, -errno,
			"a kernel tracepoint could not be attached (%s): aigress needs CAP_BPF "
			"and CAP_PERFMON",
			strerror(errno));
	return 0;
}

int tap_new(struct tap **ret, const struct tap_config *config, char **ret_error)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return tap_fail(ret_error, -ENOMEM, "no memory");
	tap->config = *config;
	tap->pin_fd = -1;
	pthread_mutex_init(&tap->gates.lock, NULL);
	pthread_cond_init(&tap->gates.some, NULL);
	snprintf(tap->pin, sizeof(tap->pin), "%s", config->pin ?: "");
	err = load(tap, ret_error);
	if (!err)
		err = add_hosts(tap, ret_error);
	if (!err)
		err = attach_host(tap, ret_error);
	if (!err) {
		tap->ring = ring_buffer__new(bpf_map__fd(tap->skel->maps.events), hand_over, tap,
					     NULL);
		if (!tap->ring)
			err = tap_fail(ret_error, -errno, "the event ring could not be mapped: %s",
				       strerror(errno));
	}
	if (!err)
		err = tap_flows_attach(tap, ret_error);
	if (err) {
		tap_free(tap);
		return err;
	}
	*ret = tap;
	return 0;
}

struct tap *tap_free(struct tap *tap)
{
	if (!tap)
		return NULL;
	tap_detach_wait();
	ring_buffer__free(tap->ring);
	tap_bpf__destroy(tap->skel);
	tap_owners_free(&tap->owners);
	if (tap->pin_fd >= 0)
		close(tap->pin_fd);
	pthread_cond_destroy(&tap->gates.some);
	pthread_mutex_destroy(&tap->gates.lock);
	free(tap);
	return NULL;
}

int tap_fd(const struct tap *tap)
{
	return ring_buffer__epoll_fd(tap->ring);
}

int tap_drain_some(struct tap *tap, size_t most, tap_event_fn fn, void *arg)
{
	int n;

	tap->fn = fn;
	tap->arg = arg;
	tap->left = most;
	n = ring_buffer__consume(tap->ring);
	tap->fn = NULL;
	return n < 0 && n != -EAGAIN ? n : 0;
}

int tap_drain(struct tap *tap, tap_event_fn fn, void *arg)
{
	return tap_drain_some(tap, SIZE_MAX, fn, arg);
}

int tap_counters(const struct tap *tap, uint64_t counters[CTL_COUNTERS])
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = NULL;

	if (n_cpus < 0)
		return n_cpus;
	values = calloc((size_t)n_cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t which = 0; which < CTL_COUNTERS; which++) {
		int err = bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.counters), &which, values);

		if (err)
			return err;
		counters[which] = 0;
		for (int cpu = 0; cpu < n_cpus; cpu++)
			counters[which] += values[cpu];
	}
	return 0;
}
