/* SPDX-License-Identifier: Apache-2.0 */
/* The flow look: attaches it, reads its counts, answers its questions. */
#include "tap/tap_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

int tap_flows_attach(struct tap *tap, char **ret_error)
{
	const char *path = tap->config.cgroup_root ? tap->config.cgroup_root : "/sys/fs/cgroup";
	struct tap_bpf *skel = tap->skel;
	_cleanup_close_ int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (root < 0)
		return tap_fail(ret_error, -errno, "the cgroup v2 mount %s could not be opened: %s",
				path, strerror(errno));
	/* sockops first: otherwise a socket that connects in between is reported without its owner */
	err = tap_attach_root(tap, skel->progs.flow_sockops, &skel->links.flow_sockops, root);
	if (!err)
		err = tap_attach_root(tap, skel->progs.socket_released,
				      &skel->links.socket_released, root);
	if (!err)
		err = tap_attach_root(tap, skel->progs.flow_ingress, &skel->links.flow_ingress,
				      root);
	if (!err)
		err = tap_attach_root(tap, skel->progs.flow_egress, &skel->links.flow_egress, root);
	if (err)
		return tap_fail(ret_error, err,
				"the flow programs could not be attached to %s (%s): "
				"it must be a cgroup v2 mount, and aigress needs CAP_NET_ADMIN",
				path, strerror(-err));
	/*
	 * Without these a gate still drops hellos. Cilium clears foreign programs from these two
	 * hooks when its socket load balancer is off (cilium#43877).
	 */
	tap->features.has_connect_gate =
		!tap_attach_root(tap, skel->progs.gate_connect4, &skel->links.gate_connect4, root) &&
		!tap_attach_root(tap, skel->progs.gate_connect6, &skel->links.gate_connect6, root);
	if (!tap->features.has_connect_gate)
		log_warn("connects cannot be refused on this kernel; hellos to AI hosts still are");
	return 0;
}

int tap_flow_get(const struct tap *tap, uint64_t cookie, struct ctl_flow *ret)
{
	struct ctl_quic quic;
	int err = bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.flow_counts), &cookie, ret);

	if (err != -ENOENT)
		return err;
	err = bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.quics), &cookie, &quic);
	if (!err)
		*ret = quic.counts;
	return err;
}

static void map_ip4(struct ctl_addr *addr, const void *ip4)
{
	memset(addr->addr, 0, 10);
	memset(addr->addr + 10, 0xff, 2);
	memcpy(addr->addr + 12, ip4, 4);
}

static int add(const struct bpf_map *map, const struct ctl_addr *addr)
{
	uint8_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(map), addr, &yes, BPF_ANY);
}

/* Connections that are older than this process are asked about once more. */
static int add_ai(struct tap *tap, const struct ctl_addr *addr)
{
	int err = add(tap->skel->maps.ai_addrs, addr);

	if (!err)
		__atomic_fetch_add(&tap->skel->bss->addrs_generation, 1, __ATOMIC_RELEASE);
	return err;
}

static struct ctl_addr peer_of(const struct ev_flow *flow)
{
	struct ctl_addr addr = { .port = flow->remote_port, .netns = flow->netns };

	if (flow->family == AF_INET6)
		memcpy(addr.addr, flow->remote_addr, sizeof(addr.addr));
	else
		map_ip4(&addr, flow->remote_addr);
	return addr;
}

bool tap_flow_is_shared(const struct tap *tap, const struct ev_flow *flow)
{
	struct ctl_addr addr = peer_of(flow);
	uint8_t yes;

	if (!bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.other_addrs), &addr, &yes))
		return true;
	addr.netns = 0;
	return !bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.other_addrs), &addr, &yes);
}

int tap_flow_decide(struct tap *tap, const struct ev_flow *flow, enum ctl_verdict verdict)
{
	struct ctl_addr addr = peer_of(flow);
	int err = 0;

	if (verdict != CTL_AI) {
		err = bpf_map_delete_elem(bpf_map__fd(tap->skel->maps.flow_counts), &flow->head.id);
		if (err == -ENOENT)
			err = 0;
	}
	if (!err && !flow->is_tunnelled && verdict != CTL_AI)
		err = add(tap->skel->maps.other_addrs, &addr);
	return err;
}

/* 0 or -EAFNOSUPPORT. */
static int addr_of(const struct sockaddr *address, struct ctl_addr *ret)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	*ret = (struct ctl_addr){ .port = 0 };
	if (address->sa_family == AF_INET) {
		map_ip4(ret, &in->sin_addr);
		ret->port = ntohs(in->sin_port);
	} else if (address->sa_family == AF_INET6) {
		memcpy(ret->addr, &in6->sin6_addr, sizeof(ret->addr));
		ret->port = ntohs(in6->sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	return 0;
}

#define PORT_NAMES 53

int tap_add_name_server(struct tap *tap, const struct sockaddr *address)
{
	struct ctl_addr addr;
	struct stat own;
	int err = addr_of(address, &addr);

	if (err)
		return err;
	if (stat("/proc/self/ns/net", &own))
		return -errno;
	addr.port = PORT_NAMES;
	err = add(tap->skel->maps.name_servers, &addr);
	if (err)
		return err;
	tap->skel->bss->own_netns = (uint32_t)own.st_ino;
	__atomic_store_n(&tap->skel->bss->name_servers_live, 1, __ATOMIC_RELEASE);
	return 0;
}

int tap_add_address(struct tap *tap, const struct sockaddr *address, enum ctl_verdict whose)
{
	struct ctl_addr addr;
	int err = addr_of(address, &addr);

	if (err)
		return err;
	return whose == CTL_AI ? add_ai(tap, &addr) : add(tap->skel->maps.other_addrs, &addr);
}

void tap_defer(struct tap *tap, bool is_on)
{
	__atomic_store_n(&tap->skel->bss->defer_is_on, is_on, __ATOMIC_RELEASE);
}

static int set_probed(struct tap *tap, uint32_t tgid, uint8_t state)
{
	return bpf_map_update_elem(bpf_map__fd(tap->skel->maps.probed), &tgid, &state, BPF_ANY);
}

int tap_defer_begin(struct tap *tap, uint32_t tgid)
{
	__atomic_store_n(&tap->skel->bss->defer_answered_ns, clock_mono_ns(), __ATOMIC_RELEASE);
	return set_probed(tap, tgid, CTL_PROBING);
}

int tap_defer_end(struct tap *tap, uint32_t tgid)
{
	return set_probed(tap, tgid, CTL_PROBED);
}

int tap_defer_relay(struct tap *tap, uint32_t tgid)
{
	return set_probed(tap, tgid, CTL_RELAYS);
}

int tap_defer_wake(struct tap *tap, uint64_t cookie)
{
	int fd = bpf_map__fd(tap->skel->maps.deferrals);
	struct ctl_deferral deferral;

	if (bpf_map_lookup_elem(fd, &cookie, &deferral))
		return -ENOENT;
	return tap_wake(cookie,
			&(struct ctl_hold){ .tgid = deferral.tgid, .inode = deferral.inode });
}
