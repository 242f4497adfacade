/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that list the keys of answers share; included by them only. */
#ifndef USAGE_USAGE_KEYS_H
#define USAGE_USAGE_KEYS_H

#include "usage/usage_slots.h"

extern const struct json_node usage_gemini_usage[], usage_gemini_candidate[], usage_gemini_answer[],
	usage_deepgram_answer[], usage_ollama_answer[], usage_sdk_answer[];

#endif
