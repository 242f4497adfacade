/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_processes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/table.h"
#include "find/inspector.h"

static void add_file(void *arg, const struct find_row *row)
{
	struct check_scan *scan = arg;

	if (row->reach == FIND_NO_TLS)
		return;
	json_array_append_new(scan->files, json_pack("{s:o, s:s, s:s, s:I, s:s}", "file",
						     text_json(row->file), "library", row->flavour,
						     "state", find_reach_name(row->reach), "probes",
						     (json_int_t)row->n_sites, "how", row->how));
}

static void read_comm(unsigned pid, char comm[WHO_COMM_LEN])
{
	char path[32];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(comm, WHO_COMM_LEN, file))
		comm[0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

static int add_process(struct check_scan *scan)
{
	if (scan->n == scan->room) {
		size_t room = scan->room ? scan->room * 2 : 64;
		struct check_process *rows = reallocarray(scan->rows, room, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		scan->rows = rows;
		scan->room = room;
	}
	scan->rows[scan->n] = (struct check_process){ .pid = scan->pid, .files = scan->files };
	read_comm(scan->pid, scan->rows[scan->n].comm);
	scan->n++;
	return 0;
}

/*
 * This program names the marks of TLS libraries, and would find itself by them. By its file, as anybody may have its
 * name: it is this command's, or the running daemon's, whose children have it as well.
 */
static bool is_aigress(const struct check_scan *scan, unsigned pid)
{
	const unsigned own[] = { (unsigned)getpid(), scan->daemon };
	char path[2][32];
	struct stat file, other;

	snprintf(path[0], sizeof(path[0]), "/proc/%u/exe", pid);
	if (stat(path[0], &file))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		snprintf(path[1], sizeof(path[1]), "/proc/%u/exe", own[i]);
		if (own[i] && !stat(path[1], &other) && file.st_dev == other.st_dev &&
		    file.st_ino == other.st_ino)
			return true;
	}
	return false;
}

/* Every process that holds TLS code. 0 or -errno. */
int check_processes(struct check_scan *scan)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int err = 0;

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc))) {
		scan->pid = (unsigned)strtoul(entry->d_name, NULL, 10);
		if (!scan->pid || is_aigress(scan, scan->pid))
			continue;
		scan->files = json_array();
		(void)find_explain(&scan->how, scan->pid, add_file, scan);
		if (json_array_size(scan->files))
			err = add_process(scan);
		else
			json_decref(scan->files);
	}
	closedir(proc);
	return err;
}

void check_processes_done(struct check_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++)
		json_decref(scan->rows[i].files);
	free(scan->rows);
	inspector_free(scan->how.inspector);
}

json_t *check_processes_json(const struct check_scan *scan)
{
	json_t *processes = json_array();

	for (size_t i = 0; i < scan->n; i++)
		json_array_append_new(processes, json_pack("{s:I, s:o, s:O}", "pid",
							   (json_int_t)scan->rows[i].pid, "command",
							   text_json(scan->rows[i].comm), "files",
							   scan->rows[i].files));
	return processes;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void check_processes_print(const struct check_scan *scan)
{
	static const struct table_column columns[] = {
		{ "PID", true },  { "COMMAND", false }, { "STATE", false }, { "LIBRARY", false },
		{ "HOW", false }, { "FILE", false },    { NULL, false },
	};
	struct table *table = table_new(columns);

	printf("\nProcesses with TLS code\n");
	if (!scan->n)
		printf(geteuid() ? "  none is seen: only root sees those of others\n" : "  none\n");
	if (!table || !scan->n) {
		table_free(table);
		return;
	}
	for (size_t i = 0; i < scan->n; i++) {
		const struct check_process *process = &scan->rows[i];
		size_t k;
		json_t *file;

		json_array_foreach(process->files, k, file) {
			table_format(table, "%u", process->pid);
			table_cell(table, process->comm);
			table_cell(table, string(file, "state"));
			table_cell(table, string(file, "library"));
			table_cell(table, string(file, "how"));
			table_cell(table, string(file, "file"));
		}
	}
	table_print(table, stdout, 0);
	table_free(table);
	printf("\nprobed: its calls are read. waiting: it will be probed when it greets an AI host.\n"
	       "Any other state: its calls are seen as flows and estimated by size.\n");
}

bool check_processes_name(void *arg, json_int_t pid, char *ret, size_t size)
{
	const struct check_scan *scan = arg;

	for (size_t i = 0; i < scan->n; i++) {
		const json_t *file = json_array_get(scan->rows[i].files, 0);

		if (scan->rows[i].pid != pid || !file)
			continue;
		snprintf(ret, size, "its TLS (%s) was not read: %s", string(file, "library"),
			 string(file, "state"));
		return true;
	}
	return false;
}
