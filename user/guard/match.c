/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/match.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_LEN (2 * WHO_NAME_LEN)

static bool fits(const char *pattern, const char *text)
{
	return !pattern || !*pattern || fnmatch(pattern, text, 0) == 0;
}

/* The next item of a comma-separated list; false at its end. An item too long for buf is cut. */
static bool next_item(const char **list, char buf[LABEL_LEN])
{
	size_t len;

	*list += strspn(*list, ", ");
	if (!**list)
		return false;
	len = strcspn(*list, ",");
	snprintf(buf, LABEL_LEN, "%.*s", (int)len, *list);
	*list += len;
	return true;
}

static bool labels_fit(const char *patterns, const char *labels)
{
	char pattern[LABEL_LEN], label[LABEL_LEN];

	while (patterns && next_item(&patterns, pattern)) {
		const char *rest = labels;
		bool found = false;

		while (!found && next_item(&rest, label))
			found = fnmatch(pattern, label, 0) == 0;
		if (!found)
			return false;
	}
	return true;
}

bool match_fits(const struct policy_match *match, const struct policy_subject *subject)
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;

	return fits(match->namespace, group->namespace) && fits(match->workload, group->workload) &&
	       fits(match->pod, group->pod) && fits(match->container, group->container_name) &&
	       fits(match->cgroup, group->path) && fits(match->unit, group->unit) &&
	       fits(match->user, process->user) && fits(match->command, process->comm) &&
	       fits(match->exe, process->exe) && fits(match->host, subject->host) &&
	       fits(match->model, subject->model) && labels_fit(match->label, group->labels);
}

void match_done(struct policy_match *match)
{
	free(match->namespace);
	free(match->workload);
	free(match->pod);
	free(match->container);
	free(match->cgroup);
	free(match->unit);
	free(match->user);
	free(match->command);
	free(match->exe);
	free(match->host);
	free(match->model);
	free(match->label);
	*match = (struct policy_match){ 0 };
}
