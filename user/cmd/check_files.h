/* SPDX-License-Identifier: Apache-2.0 */
/* What `aigress check` says of the files that the daemon has read. */
#ifndef CMD_CHECK_FILES_H
#define CMD_CHECK_FILES_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* The ledger's fact "config"; a sentence only if the file is broken. NULL: nothing. */
void check_files_config(const json_t *config, FILE *out);
/* The ledger's fact "prices": the files with their ages, and what is wrong with the operator's. NULL: nothing. */
void check_files_prices(const json_t *prices, int64_t now_us, FILE *out);

#endif
