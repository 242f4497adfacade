/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to stderr, four levels. There is no hex dump and no "%.*s of what was seen" here, on
 * purpose: a payload byte has no way into a log line. Library folders (base, http, meter, who,
 * guard) do not log above debug: they return, and the edge that called them logs once.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Chooses what is printed from now on; `<n>` priorities are added when $JOURNAL_STREAM is set. */
void log_setup(enum log_level max, enum log_format format);
enum log_level log_max(void);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_writev(enum log_level level, const char *format, va_list args);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
