/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that list the keys of answers share; included by them only. */
#ifndef METER_USAGE_KEYS_H
#define METER_USAGE_KEYS_H

#include "meter/usage_slots.h"

extern const struct json_node usage_gemini_usage[], usage_gemini_candidate[], usage_gemini_answer[];

#endif
