/* SPDX-License-Identifier: Apache-2.0 */
#include "find/elf/gnutls.h"

#include <errno.h>

#include "base/cleanup.h"
#include "find/elf/site_add.h"

enum { RECV, SEND, SEND2, SERVER_NAME_SET, DEINIT, FUNCTIONS };

static const char *const names[FUNCTIONS] = {
	[RECV] = "gnutls_record_recv",
	[SEND] = "gnutls_record_send",
	[SEND2] = "gnutls_record_send2", /* since 3.6.?; gnutls_record_send only calls it */
	[SERVER_NAME_SET] = "gnutls_server_name_set",
	[DEINIT] = "gnutls_deinit",
};

int gnutls_find(int fd, bool by_instruction, struct sites *ret)
{
	struct elf_function fn[FUNCTIONS] = {};
	struct sites sites = { .flavour = "gnutls" };
	struct elf elf;
	int err;

	err = elf_open(&elf, fd);
	if (!err)
		err = elf_find_dynamic(&elf, names, FUNCTIONS, fn);
	if (err)
		return err;
	const struct {
		enum tap_role role;
		const struct elf_function *function;
	} wanted[] = {
		{ TAP_READ, &fn[RECV] },
		{ TAP_WRITE, fn[SEND2].addr ? &fn[SEND2] : &fn[SEND] },
		{ TAP_SET_HOST_LEN, &fn[SERVER_NAME_SET] },
		{ TAP_FREE, &fn[DEINIT] },
	};

	if (!wanted[1].function->addr)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(wanted) && !err; i++)
		if (wanted[i].function->addr)
			err = sites_add_function(&elf, &sites, wanted[i].role,
						 wanted[i].function->addr, wanted[i].function->size,
						 by_instruction);
	if (err)
		return err;
	*ret = sites;
	return 0;
}
