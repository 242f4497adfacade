/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/text_meter.h"

void text_meter_take(struct text_meter *meter, enum json_text what, const uint8_t *bytes, size_t len)
{
	static const uint8_t space = ' ';

	switch (what) {
	case JSON_TEXT_BEGIN:
		meter->before = meter->count;
		break;
	case JSON_TEXT_SPAN:
		text_count_feed(&meter->count, bytes, len);
		break;
	case JSON_TEXT_END:
		/* Strings do not run together. */
		text_count_feed(&meter->count, &space, 1);
		break;
	case JSON_TEXT_DROP:
		meter->count = meter->before;
		meter->dropped++;
		break;
	}
}
