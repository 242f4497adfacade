/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/explain/explain_exe.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "find/inspector.h"

/* NULL: this one. */
static const char *machine_name(const struct stack_explanation *found)
{
	return found->machine ? machine_of(found->machine)->name : NULL;
}

static void print_json(const char *path, const struct stack_explanation *found, uint64_t us)
{
	json_t *sites = json_array(), *root;

	for (size_t i = 0; i < found->sites.n; i++)
		json_array_append_new(sites, json_integer((json_int_t)found->sites.at[i].offset));
	root = json_pack("{s:o, s:s, s:s, s:s, s:s?, s:o, s:I}", "file", text_json(path), "library",
			 found->sites.flavour, "how", found->how, "brief", found->brief,
			 "other_machine", machine_name(found), "offsets", sites, "microseconds",
			 (json_int_t)us);
	if (!root)
		return;
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(root);
}

/* The description has a line for each stack, and its functions behind semicolons. */
static void print_how(char *how)
{
	char *line, *part;

	while ((line = strsep(&how, "\n")))
		for (bool is_first = true; (part = strsep(&line, ";")); is_first = false)
			printf("  %s%s\n", is_first ? "" : "  ", part + strspn(part, " "));
}

static void print_text(const char *path, const struct stack_explanation *found, uint64_t us)
{
	char shown[SHOW_TEXT_LEN(512)], how[sizeof(found->how)];

	printf("%s\n", show_text(path, shown, sizeof(shown)));
	memcpy(how, found->how, sizeof(how));
	print_how(how);
	if (found->machine) {
		printf("  %zu places for probes, found in %.1f ms; it is %s code, which this host cannot run, and is "
		       "not probed\n",
		       found->sites.n, (double)us / 1000, machine_name(found));
		return;
	}
	printf("  %zu probes, %zu of them single-stepped; found in %.1f ms\n", found->sites.n,
	       found->sites.n_stepped, (double)us / 1000);
	if (!found->sites.n)
		printf("  its calls are seen as flows and estimated by size\n");
}

int explain_exe(const char *path, bool json)
{
	struct stack_explanation found = { 0 };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct inspector_job job = { .fd = fd };
	struct inspector *inspector;
	uint64_t begin, us;
	int err;

	if (fd < 0) {
		fprintf(stderr, "aigress explain: %s: %s\n", path, strerror(errno));
		return CMD_FAILED;
	}
	err = inspector_new(&inspector);
	if (err) {
		fprintf(stderr, "aigress explain: files cannot be looked into: %s\n",
			strerror(-err));
		return CMD_FAILED;
	}
	begin = clock_mono_ns();
	err = inspector_explain(inspector, &job, &found);
	us = (clock_mono_ns() - begin) / 1000;
	inspector_free(inspector);
	if (err == -EOWNERDEAD) {
		fprintf(stderr,
			"aigress explain: %s: set aside: the process that looked into it %s; its calls are "
			"seen as flows and estimated by size\n",
			path, job.why);
		return CMD_FAILED;
	}
	if (err) {
		fprintf(stderr, "aigress explain: %s: %s\n", path,
			err == -ENOENT || err == -ENOEXEC ? "no TLS code that is known" :
							    strerror(-err));
		return CMD_FAILED;
	}
	if (json)
		print_json(path, &found, us);
	else
		print_text(path, &found, us);
	return CMD_OK;
}
