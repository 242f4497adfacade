/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded before libfaketime: the time since boot goes on with the wall clock, as on a host where so much time has
 * passed, while without this only somebody has set the wall clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ret)
{
	static int (*next)(clockid_t id, struct timespec * ret);
	struct timespec shown, real;

	if (!next)
		next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (id != CLOCK_BOOTTIME)
		return next(id, ret);
	if (next(CLOCK_REALTIME, &shown) || syscall(SYS_clock_gettime, CLOCK_REALTIME, &real) ||
	    syscall(SYS_clock_gettime, id, ret))
		return -1;
	ret->tv_sec += shown.tv_sec - real.tv_sec;
	ret->tv_nsec += shown.tv_nsec - real.tv_nsec;
	if (ret->tv_nsec < 0) {
		ret->tv_nsec += 1000000000;
		ret->tv_sec--;
	} else if (ret->tv_nsec >= 1000000000) {
		ret->tv_nsec -= 1000000000;
		ret->tv_sec++;
	}
	return 0;
}
