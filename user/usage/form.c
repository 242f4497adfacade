/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum part { PART_BOUNDARY, PART_HEAD, PART_VALUE, PART_NONE };

/* The first line is the boundary, so it need not be taken from the content type. */
static void take_boundary(struct form *form, uint8_t byte)
{
	if (!form->boundary_len) {
		form->boundary[0] = '\r';
		form->boundary[1] = '\n';
		form->boundary_len = 2;
	}
	if (byte == '\r')
		return;
	if (byte == '\n') {
		/* A blank first line is allowed; a boundary is "--" and a character at least. */
		if (form->boundary_len == 2)
			return;
		form->part = form->boundary_len > 4 && !memcmp(form->boundary + 2, "--", 2) ?
				     PART_HEAD :
				     PART_NONE;
		return;
	}
	if (form->boundary_len == FORM_BOUNDARY_LEN)
		form->part = PART_NONE;
	else
		form->boundary[form->boundary_len++] = (char)byte;
}

/* The value of an attribute: name="model". */
static void attribute(const char *line, const char *name, char *ret, size_t size)
{
	const char *at = strcasestr(line, name), *end;

	ret[0] = '\0';
	if (!at)
		return;
	at += strlen(name);
	end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, "; ");
	if (end)
		snprintf(ret, size, "%.*s", (int)(end - at), at);
}

static void end_line(struct form *form)
{
	form->line[form->line_len] = '\0';
	if (!form->line_len) {
		form->part = PART_VALUE;
		form->value_len = form->matched = 0;
	} else if (!strncasecmp(form->line, "content-disposition:", 20)) {
		/* Not the name in filename=. */
		attribute(form->line, " name=", form->name, sizeof(form->name));
		if (!*form->name)
			attribute(form->line, ";name=", form->name, sizeof(form->name));
		form->is_file = strcasestr(form->line, "filename");
	}
	form->line_len = 0;
}

static void take_head(struct form *form, uint8_t byte)
{
	if (byte == '\n')
		end_line(form);
	else if (byte != '\r' && form->line_len < sizeof(form->line) - 1)
		form->line[form->line_len++] = (char)byte;
}

static void keep(struct form *form, const char *bytes, size_t len)
{
	if (form->is_file) {
		form->file_bytes += len;
		return;
	}
	for (size_t i = 0; i < len && form->value_len < FORM_VALUE_LEN - 1; i++)
		form->value[form->value_len++] = bytes[i];
}

/* True: the boundary behind the value was passed. */
static bool take_value(struct form *form, uint8_t byte)
{
	/* The boundary begins with CR and contains no other, so after a mismatch it can only begin at this byte. */
	if (byte != (uint8_t)form->boundary[form->matched] && form->matched) {
		keep(form, form->boundary, form->matched);
		form->matched = 0;
	}
	if (byte != (uint8_t)form->boundary[form->matched])
		keep(form, (const char *)&byte, 1);
	else if (++form->matched == form->boundary_len)
		return true;
	return false;
}

static size_t skip_file(struct form *form, const uint8_t *bytes, size_t len)
{
	const uint8_t *at = memchr(bytes, '\r', len);
	size_t n = at ? (size_t)(at - bytes) : len;

	form->file_bytes += n;
	return n;
}

void form_feed(struct form *form, const uint8_t *bytes, size_t len,
	       void (*field)(void *arg, const char *name, const char *value), void *arg)
{
	for (size_t i = 0; i < len && form->part != PART_NONE; i++) {
		switch (form->part) {
		case PART_BOUNDARY:
			take_boundary(form, bytes[i]);
			break;
		case PART_HEAD:
			take_head(form, bytes[i]);
			break;
		case PART_VALUE:
			if (form->is_file && !form->matched) {
				i += skip_file(form, bytes + i, len - i);
				if (i == len)
					return;
			}
			if (!take_value(form, bytes[i]))
				break;
			form->value[form->value_len] = '\0';
			if (!form->is_file && *form->name)
				field(arg, form->name, form->value);
			/* What follows on the line is nothing, or the "--" of the last. */
			form->part = PART_HEAD;
			form->name[0] = '\0';
			form->is_file = false;
			form->line_len = 0;
			snprintf(form->line, sizeof(form->line), "-");
			form->line_len = 1;
			break;
		}
	}
}
