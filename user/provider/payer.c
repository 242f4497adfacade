/* SPDX-License-Identifier: Apache-2.0 */
/* The words are the providers' own, or of who quotes them: docs/facts/wire.md, "What is billed when a call fails". */
#include "provider/payer.h"

#include <string.h>

#include "base/cleanup.h"

/* Those of one provider before those of all. */
static const struct payer_rule rules[] = {
	{ "azure.ai.openai", MOMENT_FILTERED, true,
	  "Azure OpenAI FAQ, 2026-09-11: the prompt was processed" },
	{ "azure.ai.openai", MOMENT_TIMED_OUT, true,
	  "Azure OpenAI FAQ, 2026-09-11: the prompt was processed" },
	{ "anthropic", MOMENT_REFUSED_FIRST, false, "Anthropic, refusals and fallback, 2026-08" },
	{ "gcp.vertex_ai", MOMENT_REJECTED, false,
	  "Vertex AI pricing: only requests that return 200 are charged" },
	{ NULL, MOMENT_EMPTY, false, "an answer without content: no model has answered" },
	{ NULL, MOMENT_REDIRECTED, false, "no model was asked" },
	{ NULL, MOMENT_REJECTED, false,
	  "no error body of 70 recorded tells usage; all that say so say no charge" },
	{ NULL, MOMENT_FILTERED, false, "Gemini, Vertex and OpenRouter say so; OpenAI does not say" },
	{ NULL, MOMENT_TIMED_OUT, false, "as any other error status" },
	{ NULL, MOMENT_BROKE_FIRST, false,
	  "as an error status: Anthropic's help centre on failed requests" },
	{ NULL, MOMENT_BROKE_LATER, true, "what was told or delivered so far" },
	{ NULL, MOMENT_REFUSED_FIRST, false, "Anthropic's dialect elsewhere, taken as at Anthropic" },
	{ NULL, MOMENT_REFUSED_LATER, true,
	  "Anthropic, refusals and fallback, 2026-08: input and what was streamed" },
	{ NULL, MOMENT_HUNG_UP, true,
	  "Anthropic's help centre; OpenRouter's list of who stops; others do not say" },
	{ NULL, MOMENT_NOT_SENT, false, "the provider has no request" },
};

const struct payer_rule *payer_rule(const char *provider, enum moment moment)
{
	size_t i = 0;

	while (rules[i].moment != moment ||
	       (rules[i].provider && strcmp(rules[i].provider, provider)))
		i++;
	return &rules[i];
}

const struct payer_rule *payer_each(size_t index)
{
	return index < ARRAY_SIZE(rules) ? &rules[index] : NULL;
}

const char *payer_moment_name(enum moment moment)
{
	static const char *const names[MOMENTS] = {
		[MOMENT_EMPTY] = "204",
		[MOMENT_REDIRECTED] = "redirect (3xx)",
		[MOMENT_REJECTED] = "error status (4xx, 5xx)",
		[MOMENT_FILTERED] = "400 by a content filter",
		[MOMENT_TIMED_OUT] = "408",
		[MOMENT_BROKE_FIRST] = "200, error before content",
		[MOMENT_BROKE_LATER] = "200, error after content",
		[MOMENT_REFUSED_FIRST] = "refusal before output",
		[MOMENT_REFUSED_LATER] = "refusal after output",
		[MOMENT_HUNG_UP] = "client hung up",
		[MOMENT_NOT_SENT] = "request not whole, no answer",
	};

	return names[moment];
}
