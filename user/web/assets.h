/* SPDX-License-Identifier: Apache-2.0 */
/* The status page's files, linked into the binary from user/web/ at build time. */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

struct web_file {
	const char *path, *type;
	const char *start, *end;
};

/* The file that is served at a path; NULL: none. */
const struct web_file *web_find(const char *path);

#endif
