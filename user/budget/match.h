/* SPDX-License-Identifier: Apache-2.0 */
/* Does a `match:` of the configuration name a subject? */
#ifndef BUDGET_MATCH_H
#define BUDGET_MATCH_H

#include "budget/policy.h"

/*
 * All patterns that are given must fit. Globs as in fnmatch(3), where "*" passes over "/" too. Of
 * each label that is given the subject must have one by that name, whose value fits.
 */
bool match_fits(const struct policy_match *match, const struct policy_subject *subject);
/* The value of a label; false: there is none by that name, and nothing is set. */
bool match_label(const char *labels, const char *name, char *ret, size_t size);
bool match_is_same(const struct policy_match *a, const struct policy_match *b);
void match_done(struct policy_match *match);

#endif
