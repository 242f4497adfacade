/* SPDX-License-Identifier: Apache-2.0 */
#include "names/source.h"

#include <stdio.h>

bool source_path(const struct names_config *config, const char *path, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s%s", config->root ? config->root : "", path) < PATH_MAX;
}

void source_state(const struct source_env *env, const struct source *source, const char *why)
{
	env->hooks->state(env->names, source, why);
}

uint64_t source_retry_ns(unsigned failures)
{
	uint64_t ns = SOURCE_RETRY_NS;

	while (failures-- > 1 && ns < SOURCE_RETRY_MAX_NS)
		ns *= 2;
	return ns < SOURCE_RETRY_MAX_NS ? ns : SOURCE_RETRY_MAX_NS;
}

void source_why(const struct fetch_answer *answer, const char *right, char *ret, size_t size)
{
	if (answer->err)
		snprintf(ret, size, "%s", answer->error);
	else if (answer->status == 401)
		snprintf(ret, size, "401: its token is not taken");
	else if (answer->status == 403)
		snprintf(ret, size, "403: it may not %s", right);
	else
		snprintf(ret, size, "it answers %d", answer->status);
}

void source_learn(const struct source_env *env, const struct who_pod *pod,
		  const struct who_container *containers, size_t n_containers)
{
	if (!pod->namespace[0])
		return;
	pods_learn(env->pods, pod, PODS_OBJECT);
	for (size_t i = 0; i < n_containers; i++)
		pods_learn_container(env->pods, &containers[i], PODS_OBJECT);
}
