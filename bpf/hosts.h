/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks up a name in the host table. */
#ifndef HOSTS_H
#define HOSTS_H

#include "maps.h"

/*
 * Enum ctl_verdict of a lower-case name of `len` bytes, without its NUL, at `name` (map or ring memory of
 * EV_HOST_LEN bytes: the stack may not be read at a variable offset before 5.12). The look-up always uses the
 * full prefix, because exact patterns end with the zero that follows a shorter name. A trailing dot is ignored
 * (RFC 1034 3.1).
 */
static __always_inline __u32 hosts_ask(const char *name, __u32 len)
{
	struct ctl_host_key key = { .prefix_bits = CTL_HOST_KEY * 8 };
	__u32 *verdict, last = len - 1;

	if (last < EV_HOST_LEN && name[last] == '.')
		len = last;
	for (__u32 i = 0; i < CTL_HOST_KEY; i++) {
		__u32 at = len - 1 - i;

		if (i >= len || at >= EV_HOST_LEN)
			break;
		key.reversed[i] = name[at];
	}
	verdict = bpf_map_lookup_elem(&hosts, &key);
	return verdict ? *verdict : CTL_IGNORE;
}

#endif
