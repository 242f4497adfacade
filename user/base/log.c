/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"

static enum log_level level_max = LOG_INFO;
static enum log_format log_as = LOG_TEXT;

void log_setup(enum log_level max, enum log_format format)
{
	level_max = max;
	log_as = format;
}

enum log_level log_max(void)
{
	return level_max;
}

static void print_text(enum log_level level, const char *line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "debug: " };
	/* syslog(3) priorities, as systemd reads them from a service's stderr: sd-daemon(3) */
	static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };

	fprintf(stderr, "%s%s%s\n", getenv("JOURNAL_STREAM") ? priorities[level] : "", words[level],
		line);
}

static void print_json(enum log_level level, const char *line)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char when[32];
	time_t now = time(NULL);
	struct tm tm;
	json_t *object;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	object = json_pack("{s:s, s:s, s:s}", "time", when, "level", names[level], "msg", line);
	if (!object)
		return;
	json_dumpf(object, stderr, JSON_COMPACT | JSON_PRESERVE_ORDER);
	fputc('\n', stderr);
	json_decref(object);
}

void log_writev(enum log_level level, const char *format, va_list args)
{
	char line[1024], plain[TEXT_LEN(sizeof(line))];

	if (level > level_max)
		return;
	vsnprintf(line, sizeof(line), format, args);
	/* A line may quote names that a tenant chose. */
	text_plain(line, plain, sizeof(plain));
	if (log_as == LOG_JSON)
		print_json(level, plain);
	else
		print_text(level, plain);
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_writev(level, format, args);
	va_end(args);
}
