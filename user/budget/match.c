/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/match.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define VALUE_LEN 64 /* of a Kubernetes label: 63 characters */

static bool fits(const char *pattern, const char *text)
{
	return !pattern || !*pattern || fnmatch(pattern, text, 0) == 0;
}

/* "name=value,name=value" */
bool match_label(const char *labels, const char *name, char *ret, size_t size)
{
	size_t name_len = strlen(name);

	while (*labels) {
		size_t len = strcspn(labels, ",");

		if (len > name_len && labels[name_len] == '=' && !memcmp(labels, name, name_len)) {
			snprintf(ret, size, "%.*s", (int)(len - name_len - 1),
				 labels + name_len + 1);
			return true;
		}
		labels += len + (labels[len] == ',');
	}
	return false;
}

static bool has_label(const char *labels, const struct policy_label *wanted)
{
	char value[VALUE_LEN];

	return match_label(labels, wanted->name, value, sizeof(value)) && fits(wanted->value, value);
}

bool match_fits(const struct policy_match *match, const struct policy_subject *subject)
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;

	for (size_t i = 0; i < match->n_labels; i++)
		if (!has_label(group->labels, &match->labels[i]))
			return false;
	return fits(match->namespace, group->namespace) && fits(match->workload, group->workload) &&
	       fits(match->pod, group->pod) && fits(match->container, group->container_name) &&
	       fits(match->image, group->image) && fits(match->cgroup, group->path) &&
	       fits(match->unit, group->unit) && fits(match->user, process->user) &&
	       fits(match->command, process->comm) && fits(match->exe, process->exe) &&
	       (fits(match->host, subject->host) ||
		(subject->via && fits(match->host, subject->via))) &&
	       fits(match->model, subject->model) && fits(match->client, subject->client ?: "");
}

/* The patterns of a match, in some order. */
#define TEXTS(match)                                                                         \
	{                                                                                    \
		&(match)->namespace, &(match)->workload, &(match)->pod, &(match)->container, \
			&(match)->cgroup, &(match)->unit, &(match)->user, &(match)->command, \
			&(match)->exe, &(match)->host, &(match)->model, &(match)->client,    \
			&(match)->image                                                      \
	}

bool match_is_same(const struct policy_match *a, const struct policy_match *b)
{
	char *const *texts[] = TEXTS(a), *const * others[] = TEXTS(b);
	bool same = a->n_labels == b->n_labels;

	for (size_t i = 0; same && i < ARRAY_SIZE(texts); i++)
		same = !strcmp(*texts[i] ?: "", *others[i] ?: "");
	for (size_t i = 0; same && i < a->n_labels; i++)
		same = !strcmp(a->labels[i].name, b->labels[i].name) &&
		       !strcmp(a->labels[i].value, b->labels[i].value);
	return same;
}

void match_done(struct policy_match *match)
{
	char **texts[] = TEXTS(match);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*texts[i]);
	for (size_t i = 0; i < match->n_labels; i++) {
		free(match->labels[i].name);
		free(match->labels[i].value);
	}
	free(match->labels);
	*match = (struct policy_match){ 0 };
}
