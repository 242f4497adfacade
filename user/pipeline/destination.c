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

#include "flow/answer.h"
#include "provider/api.h"
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
	       resolved_knows_proxy(pipeline->resolved, peer->netns, peer->family, peer->addr,
				    peer->port, now_ns);
}

struct pairs_peer pipeline_peer(const struct pipeline *pipeline, const struct ev_flow *flow,
				const char *host)
{
	struct pairs_peer peer = { .netns = flow->netns,
				   .port = flow->remote_port,
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

/* What is told in the daemon's own network namespace is as good as what the node's resolver tells it. */
void pipeline_answer(struct pipeline *pipeline, const struct ev_answer *event)
{
	uint32_t netns = event->netns == pipeline->config.netns ? 0 : event->netns;
	const struct api_provider *provider;
	struct answer answer;

	if (!event->netns || !answer_read(event->bytes, event->len, &answer))
		return;
	provider = api_find(answer.host);
	for (size_t i = 0; provider && i < answer.n; i++)
		resolved_learn(pipeline->resolved, netns, answer.addresses[i].family,
			       answer.addresses[i].addr, api_name(provider), event->head.time_ns);
}

/* False: its family is not known. */
static bool read_address(const struct sockaddr *address, uint8_t ret_addr[16], uint16_t *ret_port)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	memset(ret_addr, 0, 16);
	if (address->sa_family == AF_INET6) {
		memcpy(ret_addr, &in6->sin6_addr, sizeof(in6->sin6_addr));
		*ret_port = ntohs(in6->sin6_port);
	} else {
		memcpy(ret_addr, &in->sin_addr, sizeof(in->sin_addr));
		*ret_port = ntohs(in->sin_port);
	}
	return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

void pipeline_address(struct pipeline *pipeline, const struct sockaddr *address, const char *host,
		      uint64_t now_ns)
{
	const struct api_provider *provider = api_find(host);
	uint8_t family = (uint8_t)address->sa_family, addr[16];
	uint16_t port;

	if (!provider || !read_address(address, addr, &port))
		return;
	addresses_learn(pipeline->addresses, 0, family, addr, port, host);
	resolved_learn(pipeline->resolved, 0, family, addr, api_name(provider), now_ns);
}

void pipeline_proxy(struct pipeline *pipeline, const struct sockaddr *address, uint16_t port,
		    uint64_t now_ns)
{
	uint16_t unused;
	uint8_t addr[16];

	if (read_address(address, addr, &unused))
		resolved_learn_proxy(pipeline->resolved, (uint8_t)address->sa_family, addr, port,
				     now_ns);
}
