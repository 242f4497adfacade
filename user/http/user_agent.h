/* SPDX-License-Identifier: Apache-2.0 */
/* Which program sends a request, as it says itself. */
#ifndef HTTP_USER_AGENT_H
#define HTTP_USER_AGENT_H

#include <stddef.h>

/*
 * Writes the product and version that a User-Agent field names first (RFC 9110 10.1.5), as one word:
 * "claude-cli/2.1.332", "OpenAI/Python/1.109.1" (which is sent with a blank before the version). Comments, what follows
 * the version in the same word (gemini-cli names its model there) and what every browser claims to be are left out.
 * The word has letters, digits and "-._+@/" only and is cut to size - 1 characters; "": no product is named.
 */
void user_agent_product(const char *value, size_t len, char *ret, size_t size);
/* The same without the version, so that it stays the same over updates: "claude-cli". `ret` may not be `client`. */
void user_agent_name(const char *client, char *ret, size_t size);

#endif
