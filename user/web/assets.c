/* SPDX-License-Identifier: Apache-2.0 */
/* As price_builtin.c does it; make runs in the root of the tree. */
#include "web/assets.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define EMBED(name, file)                         \
	__asm__(".section .rodata\n"              \
		"web_" name "_start:\n"           \
		".incbin \"user/web/" file "\"\n" \
		"web_" name "_end:\n"             \
		".previous\n")

EMBED("html", "status.html");
EMBED("css", "status.css");
EMBED("js", "status.js");
EMBED("caller", "caller.js");
EMBED("icon", "icon.svg");

extern const char web_html_start[], web_html_end[], web_css_start[], web_css_end[], web_js_start[],
	web_js_end[], web_caller_start[], web_caller_end[], web_icon_start[], web_icon_end[];

static const struct web_file files[] = {
	{ "/", "text/html; charset=utf-8", web_html_start, web_html_end },
	{ "/status.css", "text/css; charset=utf-8", web_css_start, web_css_end },
	{ "/status.js", "text/javascript; charset=utf-8", web_js_start, web_js_end },
	{ "/caller.js", "text/javascript; charset=utf-8", web_caller_start, web_caller_end },
	{ "/icon.svg", "image/svg+xml", web_icon_start, web_icon_end },
};

const struct web_file *web_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(path, files[i].path))
			return &files[i];
	return NULL;
}
