/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/machine.h"

#include "base/cleanup.h"

static const struct machine *const machines[] = { &machine_x86, &machine_arm64 };

#if defined(__x86_64__)
#define HERE machine_x86
#elif defined(__aarch64__)
#define HERE machine_arm64
#else
#error "no probes are known for this processor"
#endif

const struct machine *machine_of(uint16_t elf)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i]->elf == elf)
			return machines[i];
	return NULL;
}

bool machine_is_here(const struct machine *machine)
{
	return machine == &HERE;
}
