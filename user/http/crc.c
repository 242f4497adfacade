/* SPDX-License-Identifier: Apache-2.0 */
#include "http/crc.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

/* Sixteen bytes a step ("slicing", Kounavis and Berry, 2005): each table is one byte further from the end. */
#define SLICES     16
#define POLYNOMIAL 0xedb88320u

static uint32_t tables[SLICES][256];
static bool is_made;

static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		tables[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int slice = 1; slice < SLICES; slice++)
			tables[slice][i] = tables[slice - 1][i] >> 8 ^
					   tables[0][tables[slice - 1][i] & 255];
	is_made = true;
}

static uint32_t four(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, 4);
	return le32toh(word);
}

static uint32_t sliced(uint32_t word, int slice)
{
	return tables[slice + 3][word & 255] ^ tables[slice + 2][word >> 8 & 255] ^
	       tables[slice + 1][word >> 16 & 255] ^ tables[slice][word >> 24];
}

uint32_t crc_more(uint32_t crc, const uint8_t *bytes, size_t len)
{
	if (!is_made)
		make_tables();
	crc = ~crc;
	for (; len >= SLICES; len -= SLICES, bytes += SLICES)
		crc = sliced(four(bytes) ^ crc, 12) ^ sliced(four(bytes + 4), 8) ^
		      sliced(four(bytes + 8), 4) ^ sliced(four(bytes + 12), 0);
	while (len--)
		crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 255];
	return ~crc;
}
