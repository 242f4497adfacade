/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 as in zlib, for many short messages: of 190 bytes it does 2 to 3 times what zlib's does, which begins
 * to be fast where messages are long.
 */
#ifndef HTTP_CRC_H
#define HTTP_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc`, which begins as 0. Not for several threads before its first return. */
uint32_t crc_more(uint32_t crc, const uint8_t *bytes, size_t len);

#endif
