/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each unit test includes first: cmocka with the headers that it needs before it, those of the C
 * library that nearly every test uses, and folders and files of a test's own.
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define UNIT_FOLDER_LEN 32

/* Makes an empty folder below /tmp and writes its path; 0, or -1 as a cmocka fixture returns it. */
static inline int unit_folder(char path[UNIT_FOLDER_LEN])
{
	strcpy(path, "/tmp/aigress-unit.XXXXXX");
	return mkdtemp(path) ? 0 : -1;
}

static inline int unit_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Removes a folder with all that is in it; does not follow links or enter other mounts. 0 or -1. */
static inline int unit_remove(const char *path)
{
	return strncmp(path, "/tmp/", 5) ?
		       -1 :
		       nftw(path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Writes a file, over what was there; the parent folder exists. */
static inline void unit_write(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

#endif
