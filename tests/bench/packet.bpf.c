// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* flow.bpf.c for BPF_PROG_TEST_RUN, whose packets have a socket of no protocol: that stands for TCP here. */
#include "packet.h"

#undef PROTO_TCP
#define PROTO_TCP 0
#include "flow.bpf.c"
