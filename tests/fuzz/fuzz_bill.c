/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an invoice: refused with a sentence, or cells of the days that were asked for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bill/bill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bill_cell *cell;
	char path[64], *error = NULL;
	struct bill bill;
	int fd = memfd_create("bill", MFD_CLOEXEC), err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bill_init(&bill, (1u << BILL_FIELDS) - 1, 0, 4102444800);
	err = bill_read_csv(&bill, path, "anthropic", &error);
	if (err == -EBADMSG && !error)
		abort();
	bill_sort(&bill);
	for (cell = bill.cells; cell; cell = cell->hh.next)
		if (cell->key.day_s < 0 || cell->key.day_s >= 4102444800 || bill_seen(cell))
			abort();
	bill_done(&bill);
	free(error);
	close(fd);
	return 0;
}
