/* SPDX-License-Identifier: Apache-2.0 */
/* Names and verdicts on connections, handed down to the kernel. */
#include "tap/tap_internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* Of the pattern's end, what control.h's key wants; false: it is no pattern. */
static bool host_key(const char *pattern, struct ctl_host_key *ret, enum ctl_verdict *ret_verdict)
{
	const char *star = strchr(pattern, '*');
	const char *end = star ? star + 1 : pattern;
	size_t name = strlen(end);
	size_t len = star ? name : name + 1; /* the NUL makes an exact name match itself only */
	size_t n = len < CTL_HOST_KEY ? len : CTL_HOST_KEY;

	if (strlen(pattern) >= EV_HOST_LEN || !name)
		return false;
	/* "*.x", "a.*.x" and "*-x" (Vertex: "us-central1-aiplatform.googleapis.com") only: one star */
	if (star && ((*end != '.' && *end != '-') || name == 1 || strchr(end, '*')))
		return false;
	if (star && star != pattern && star[-1] != '.')
		return false;
	*ret = (struct ctl_host_key){ .prefix_bits = (uint32_t)n * 8 };
	for (size_t i = 0; i < n && i < name; i++)
		ret->reversed[i] = (uint8_t)tolower((unsigned char)end[name - 1 - i]);
	*ret_verdict = star && star != pattern ? CTL_ASK : CTL_AI;
	return true;
}

int tap_add_host(struct tap *tap, const char *pattern)
{
	int fd = bpf_map__fd(tap->skel->maps.hosts);
	struct ctl_host_key key;
	enum ctl_verdict verdict;
	uint32_t value;

	if (!host_key(pattern, &key, &verdict))
		return -EINVAL;
	value = verdict;
	/* A trie look-up finds shorter patterns too, so "*.x" is not asked about: it is written. */
	if (verdict == CTL_ASK) {
		int err = bpf_map_update_elem(fd, &key, &value, BPF_NOEXIST);

		return err == -EEXIST ? 0 : err;
	}
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY);
}

int tap_add_port(struct tap *tap, uint16_t port)
{
	uint32_t key = port;
	uint8_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(tap->skel->maps.plain_ports), &key, &yes, BPF_ANY);
}

int tap_decide(struct tap *tap, uint64_t connection, enum ctl_verdict verdict)
{
	uint32_t value = verdict;

	if (verdict != CTL_AI && verdict != CTL_IGNORE)
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(tap->skel->maps.verdicts), &connection, &value,
				   BPF_ANY);
}
