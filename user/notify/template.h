/* SPDX-License-Identifier: Apache-2.0 */
/* JSON with {{names}} of a notice's values in it, each within a string: "text": "{{who}} {{done}}". */
#ifndef NOTIFY_TEMPLATE_H
#define NOTIFY_TEMPLATE_H

#include <jansson.h>

/* NULL: every name is one of notice_keys, and with any values it is JSON. Else what is wrong, to be freed. */
char *template_check(const char *text);
/* With the values of a notice, escaped; to be freed. NULL: no memory, or template_check() would refuse it. */
char *template_fill(const char *text, const json_t *notice);

#endif
