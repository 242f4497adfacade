/* SPDX-License-Identifier: Apache-2.0 */
/* Does a `match:` of the configuration name a subject? */
#ifndef GUARD_MATCH_H
#define GUARD_MATCH_H

#include "guard/policy.h"

/*
 * All patterns that are given must fit. Globs as in fnmatch(3), where "*" passes over "/" too. A
 * label pattern is a list, "team=search,env=prod-*", of which each must fit one label.
 */
bool match_fits(const struct policy_match *match, const struct policy_subject *subject);
void match_done(struct policy_match *match);

#endif
