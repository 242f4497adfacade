/* SPDX-License-Identifier: Apache-2.0 */
/* The price files of data/, inside the binary; make runs in the root of the tree. */
#include "price/price_table.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	"price_builtin_start:\n"
	".incbin \"data/model_prices_and_context_window.json\"\n"
	"price_builtin_end:\n"
	".byte 0\n"
	"price_supplement_start:\n"
	".incbin \"data/supplement.json\"\n"
	"price_supplement_end:\n"
	".byte 0\n"
	".previous\n");

/*
 * Hidden, or arm64 finds them by way of the GOT, where the linker has one entry for all labels of a
 * section: both would be its first byte.
 */
extern __attribute__((visibility("hidden"))) const char price_builtin_start[], price_builtin_end[],
	price_supplement_start[], price_supplement_end[];

int prices_load_builtin(struct prices *prices, char **ret_error)
{
	/* The day of the copy, and that of the pages the supplement was written by: data/NOTICE.md. */
	int err = prices_load_text(prices, price_builtin_start,
				   (size_t)(price_builtin_end - price_builtin_start), "builtin",
				   "litellm 2026-08-01", ret_error);

	if (err)
		return err;
	return prices_load_text(prices, price_supplement_start,
				(size_t)(price_supplement_end - price_supplement_start),
				"supplement", "aigress 2026-11-30", ret_error);
}
