/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers of given sizes on a flow to an AI host, and the buckets of its gate. */
#ifndef KERNEL_REQUESTS_H
#define KERNEL_REQUESTS_H

#include "world.h"

#define REQUEST 1005

#define RESERVE 100

static inline void grant(uint32_t bucket, uint64_t granted)
{
	struct ctl_allowance grant = { .granted_nanos = granted,
				       .reserve_nanos = RESERVE,
				       .cut_nanos = UINT64_MAX };

	assert_int_equal(tap_allowance_set(tap, bucket, &grant), 0);
}

/* What is left of a budget: a byte of an answer is one. */
static inline void grant_left(uint32_t bucket, uint64_t granted, uint64_t cut)
{
	struct ctl_allowance grant = { .granted_nanos = granted,
				       .reserve_nanos = RESERVE,
				       .per_kib_nanos = 1024,
				       .cut_nanos = cut };

	assert_int_equal(tap_allowance_set(tap, bucket, &grant), 0);
}

static inline struct ctl_consumed taken(uint32_t bucket)
{
	struct ctl_consumed take;

	assert_int_equal(tap_consumed_get(tap, bucket, &take), 0);
	return take;
}

static inline void pace(int cgroup, uint64_t lease_ns, uint32_t bucket, uint32_t more)
{
	struct ctl_gate gate = { .lease_ns = lease_ns,
				 .state = CTL_PACE,
				 .buckets = { bucket, more } };

	assert_int_equal(tap_gate_set(tap, ids[cgroup], &gate), 0);
}

/* A flow to an AI host whose handshake is over; the server's end of it. */
static inline int talk_begin(const struct child *child)
{
	int fd;

	assert_int_equal(tell(child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 5000), 517);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(tell(child, 'f'), 0);
	assert_int_equal(server_read(fd, 80, 5000), 80);
	return fd;
}

static inline void answer(int fd)
{
	char data[400] = { 0 };

	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	/* acknowledged: the client's kernel has counted it */
	for (int left = 1; left; usleep(1000))
		assert_int_equal(ioctl(fd, TIOCOUTQ, &left), 0);
}

static struct ctl_hold the_hold;
static uint64_t the_cookie;
static size_t n_holds;

static inline void see_hold(void *arg, uint64_t cookie, const struct ctl_hold *hold)
{
	the_cookie = cookie;
	the_hold = *hold;
	n_holds++;
}

static inline size_t holds(void)
{
	n_holds = 0;
	assert_int_equal(tap_holds(tap, see_hold, NULL), 0);
	return n_holds;
}

#endif
