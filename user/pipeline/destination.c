/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who vouches for where a call goes (docs/design/050). A name in a hello is its sender's word; an address that a name
 * service gave for the provider, or that is a proxy of the operator's, is not. Inside a network namespace that anybody
 * may have made, no address says anything.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "meter/api.h"
#include "pipeline/pipeline_internal.h"

/* Through a tunnel the address is the proxy's. */
static bool is_confirmed(const struct pipeline *pipeline, const struct pairs_peer *peer,
			 const char *host)
{
	const struct api_provider *provider = api_find(host);
	uint64_t now_ns = pipeline->last_ns;

	if (peer->is_tenants || !provider)
		return false;
	return (!peer->is_tunnelled && resolved_knows(pipeline->resolved, peer->netns, peer->family,
						      peer->addr, api_name(provider), now_ns)) ||
	       resolved_knows(pipeline->resolved, peer->netns, peer->family, peer->addr, "", now_ns);
}

struct pairs_peer pipeline_peer(const struct pipeline *pipeline, const struct ev_flow *flow,
				const char *host)
{
	struct pairs_peer peer = { .netns = flow->netns,
				   .family = flow->family,
				   .is_tunnelled = flow->is_tunnelled,
				   .is_tenants = flow->is_tenants };

	memcpy(peer.addr, flow->remote_addr, sizeof(peer.addr));
	peer.was_confirmed = is_confirmed(pipeline, &peer, host);
	return peer;
}

void pipeline_ask_name(struct pipeline *pipeline, const struct ev_flow *flow)
{
	const struct pipeline_names_ops *names = &pipeline->config.hooks.names;

	if (names->ask && !pipeline_peer(pipeline, flow, flow->host).was_confirmed)
		names->ask(names->arg, flow->head.cgroup, flow->host);
}

/* All of them: what goes to a provider as well may have been answered by the other. */
const char *pipeline_destination(const struct pipeline *pipeline,
				 const struct pairs_sockets *sockets, const char *host)
{
	if (!pipeline->config.hooks.names.ask)
		return "";
	for (size_t i = 0; sockets && i < sockets->n; i++)
		if (!sockets->peers[i].was_confirmed &&
		    !is_confirmed(pipeline, &sockets->peers[i], host))
			return CHARGE_UNCONFIRMED;
	return sockets && sockets->n ? CHARGE_CONFIRMED : CHARGE_UNCONFIRMED;
}

void pipeline_note_destination(struct pipeline *pipeline, const struct ev_flow *flow)
{
	if (!pipeline_peer(pipeline, flow, flow->host).was_confirmed)
		reconcile_unconfirmed(pipeline->reconcile, flow->head.tgid, flow->host);
}

void pipeline_address(struct pipeline *pipeline, const struct sockaddr *address, const char *host,
		      uint64_t now_ns)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct api_provider *provider = api_find(host);
	uint8_t addr[16] = { 0 };
	uint16_t port;

	if (!provider)
		return;
	if (address->sa_family == AF_INET6) {
		memcpy(addr, &in6->sin6_addr, sizeof(in6->sin6_addr));
		port = ntohs(in6->sin6_port);
	} else if (address->sa_family == AF_INET) {
		memcpy(addr, &in->sin_addr, sizeof(in->sin_addr));
		port = ntohs(in->sin_port);
	} else {
		return;
	}
	addresses_learn(pipeline->addresses, 0, (uint8_t)address->sa_family, addr, port, host);
	resolved_learn(pipeline->resolved, 0, (uint8_t)address->sa_family, addr, api_name(provider),
		       now_ns);
}
