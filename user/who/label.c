/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "who/who.h"

char *who_label(const struct who_group *group, char ret[WHO_LABEL_LEN])
{
	const char *container = group->container_name;
	/* Of LXC and Incus the id is the name, which says more than a unit of the container's own systemd. */
	bool is_named = strlen(group->container) != WHO_ID_LEN - 1;
	bool has_name = *container && (is_named || strcmp(container, group->container));

	if (*group->pod)
		snprintf(ret, WHO_LABEL_LEN, "%s/%s%s%s", group->namespace, group->pod,
			 *container ? " " : "", container);
	else if (has_name)
		snprintf(ret, WHO_LABEL_LEN, "%s%s%s", group->namespace,
			 *group->namespace ? "/" : "", container);
	else
		snprintf(ret, WHO_LABEL_LEN, "%s",
			 *group->unit      ? group->unit :
			 *group->container ? group->container :
					     group->path);
	return ret;
}
