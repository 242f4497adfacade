/* SPDX-License-Identifier: Apache-2.0 */
/* Anybody may name a cgroup below one that he owns. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "who/cgroup.h"
#include "who/who.h"

static void check_field(const char *field, size_t size, const char *path)
{
	assert(strnlen(field, size) < size);
	assert(!strchr(field, '/') && strlen(field) <= strlen(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = malloc(size + 1), mount[64];
	struct who_group group, again;
	FILE *file;

	memcpy(path, data, size);
	path[size] = '\0';
	memset(&group, 0, sizeof(group));
	memset(&again, 'x', sizeof(again));
	who_parse_path(path, &group);
	check_field(group.container, sizeof(group.container), path);
	check_field(group.unit, sizeof(group.unit), path);
	check_field(group.pod_uid, sizeof(group.pod_uid), path);
	/* What was there before has no say. */
	who_parse_path(path, &again);
	assert(!strcmp(group.container, again.container) && !strcmp(group.unit, again.unit) &&
	       !strcmp(group.pod_uid, again.pod_uid));
	file = size ? fmemopen(path, size, "r") : NULL;
	if (file) {
		(void)cgroups_find_mount(file, mount, sizeof(mount));
		fclose(file);
	}
	free(path);
	return 0;
}
