/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/picture.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

/* Of the head of a file: what 255 bytes of URL hold. */
#define HEAD_MAX 192

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

static size_t decode(const char *text, uint8_t head[HEAD_MAX])
{
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (; *text && n < HEAD_MAX && base64_value(*text) >= 0; text++) {
		bits = bits << 6 | (uint32_t)base64_value(*text);
		have += 6;
		if (have >= 8) {
			have -= 8;
			head[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t le16(const uint8_t *at)
{
	return (uint32_t)at[1] << 8 | at[0];
}

/* ITU T.81 B.1: segments of a marker and a length; the frame's head (SOF) has the size. */
static void read_jpeg(const uint8_t *head, size_t n, struct picture *picture)
{
	for (size_t at = 2; at + 9 <= n && head[at] == 0xff; at += 2 + be16(head + at + 2)) {
		uint8_t marker = head[at + 1];

		if (marker < 0xc0 || marker > 0xcf || marker == 0xc4 || marker == 0xc8 ||
		    marker == 0xcc)
			continue;
		picture->height = be16(head + at + 5);
		picture->width = be16(head + at + 7);
		return;
	}
}

static void read_webp(const uint8_t *head, size_t n, struct picture *picture)
{
	uint32_t bits;

	if (n < 30)
		return;
	if (!memcmp(head + 12, "VP8 ", 4)) {
		picture->width = le16(head + 26) & 0x3fff;
		picture->height = le16(head + 28) & 0x3fff;
	} else if (!memcmp(head + 12, "VP8L", 4)) {
		bits = le16(head + 21) | le16(head + 23) << 16;
		picture->width = (bits & 0x3fff) + 1;
		picture->height = (bits >> 14 & 0x3fff) + 1;
	} else if (!memcmp(head + 12, "VP8X", 4)) {
		picture->width = (le16(head + 24) | (uint32_t)head[26] << 16) + 1;
		picture->height = (le16(head + 27) | (uint32_t)head[29] << 16) + 1;
	}
}

void picture_read(struct picture *picture, const char *url)
{
	const char *data = strstr(url, ";base64,");
	uint8_t head[HEAD_MAX];
	size_t n;

	picture->is_set = true;
	picture->width = picture->height = 0;
	if (strncmp(url, "data:", 5) || !data)
		return;
	n = decode(data + 8, head);
	if (n >= 24 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8)) {
		picture->width = be16(head + 16) << 16 | be16(head + 18);
		picture->height = be16(head + 20) << 16 | be16(head + 22);
	} else if (n >= 10 && !memcmp(head, "GIF8", 4)) {
		picture->width = le16(head + 6);
		picture->height = le16(head + 8);
	} else if (n >= 4 && head[0] == 0xff && head[1] == 0xd8) {
		read_jpeg(head, n, picture);
	} else if (n >= 16 && !memcmp(head, "RIFF", 4)) {
		read_webp(head, n, picture);
	}
	/* No decoder takes more than 16,384 to a side; a head that says so is a trap. */
	if (picture->width > 65536 || picture->height > 65536)
		picture->width = picture->height = 0;
}

/*
 * platform.openai.com/docs/guides/images-vision, "Calculating costs": the first name that fits. Those of 1,200
 * are by measured sizes (docs/facts/wire.md, "Images"): 1,229 for 1,024 squared, 2,448 for 1920 x 1080.
 */
static const struct row {
	const char *name;
	uint16_t base, tile;       /* by tiles of 512 */
	uint16_t patch_thousandth; /* by patches of 32, so many of them at most, times this */
	uint16_t patches_max;
} rows[] = {
	{ "gpt-5-mini", 0, 0, 1620, 1536 },
	{ "gpt-5-nano", 0, 0, 2460, 1536 },
	{ "gpt-4.1-mini", 0, 0, 1620, 1536 },
	{ "gpt-4.1-nano", 0, 0, 2460, 1536 },
	{ "o4-mini", 0, 0, 1720, 1536 },
	{ "gpt-4o-mini", 2833, 5667, 0, 0 },
	{ "gpt-4o", 85, 170, 0, 0 },
	{ "gpt-4.1", 85, 170, 0, 0 },
	{ "gpt-4.5", 85, 170, 0, 0 },
	{ "gpt-4-", 85, 170, 0, 0 },
	{ "o1", 75, 150, 0, 0 },
	{ "o3", 75, 150, 0, 0 },
	{ "computer-use", 65, 129, 0, 0 },
	{ "gpt-5.", 0, 0, 1200, 2500 },
	{ "gpt-6", 0, 0, 1200, 2500 },
	{ "gpt-5", 70, 140, 0, 0 },
	{ "", 85, 170, 0, 0 },
};

static uint64_t up(uint64_t value, uint64_t by)
{
	return (value + by - 1) / by;
}

/* Fits the picture into a square of 2,048, then its shorter side to 768; neither enlarges. */
static uint64_t tiles(uint64_t width, uint64_t height)
{
	uint64_t longer = width > height ? width : height, shorter;

	if (longer > 2048) {
		width = width * 2048 / longer;
		height = height * 2048 / longer;
	}
	shorter = width < height ? width : height;
	if (shorter > 768) {
		width = width * 768 / shorter;
		height = height * 768 / shorter;
	}
	return up(width ? width : 1, 512) * up(height ? height : 1, 512);
}

static uint64_t patches(uint64_t width, uint64_t height, uint64_t most)
{
	uint64_t n = up(width, 32) * up(height, 32);

	return n > most ? most : n;
}

uint64_t picture_tokens(const struct picture *picture, const char *model)
{
	/* A picture of which nothing is known is taken for one of 1,024 on each side. */
	uint64_t width = picture->width ? picture->width : 1024;
	uint64_t height = picture->height ? picture->height : 1024;
	const struct row *row = rows;
	uint64_t n;

	if (strstr(model, "claude")) {
		n = width * height / 750;
		return n > 1600 ? 1600 : n + 1;
	}
	if (strstr(model, "gemini"))
		return 258 * (width <= 384 && height <= 384 ? 1 : up(width, 768) * up(height, 768));
	while (!strstr(model, row->name))
		row++;
	if (row->patch_thousandth)
		return (picture->is_low ? 64 : patches(width, height, row->patches_max)) *
		       row->patch_thousandth / 1000;
	if (picture->is_low)
		return row->base;
	return row->base + row->tile * tiles(width, height);
}
