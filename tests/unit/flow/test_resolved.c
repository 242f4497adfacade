/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are a provider's, for whom, and for how long. */
#include "unit.h"

#include <sys/socket.h>

#include "flow/resolved.h"

#define OWN   4026531840u
#define OTHER 4026532999u
#define T0    1000000000ULL

static const uint8_t far_away[16] = { 192, 0, 2, 7 }, near[16] = { 127, 0, 0, 11 };

static void what_the_node_is_told_counts_everywhere_but_loopback(void **state)
{
	struct resolved *resolved = resolved_new(OWN);
	static const uint8_t near6[16] = { [15] = 1 };

	assert_false(resolved_knows(resolved, OWN, AF_INET, far_away, "openai", T0));
	resolved_learn(resolved, 0, AF_INET, far_away, "openai", T0);
	resolved_learn(resolved, 0, AF_INET, near, "openai", T0);
	resolved_learn(resolved, 0, AF_INET6, near6, "openai", T0);
	assert_true(resolved_knows(resolved, OWN, AF_INET, far_away, "openai", T0));
	assert_true(resolved_knows(resolved, OTHER, AF_INET, far_away, "openai", T0));
	assert_true(resolved_knows(resolved, 0, AF_INET, far_away, "openai", T0));
	assert_false(resolved_knows(resolved, OWN, AF_INET, far_away, "anthropic", T0));
	assert_true(resolved_knows(resolved, OWN, AF_INET, near, "openai", T0));
	assert_false(resolved_knows(resolved, OTHER, AF_INET, near, "openai", T0));
	assert_true(resolved_knows(resolved, OWN, AF_INET6, near6, "openai", T0));
	assert_false(resolved_knows(resolved, OTHER, AF_INET6, near6, "openai", T0));
	/* the same bytes in the other family are another address */
	assert_false(resolved_knows(resolved, OWN, AF_INET6, far_away, "openai", T0));
	resolved_free(resolved);
}

static void what_others_are_told_counts_where_they_are(void **state)
{
	struct resolved *resolved = resolved_new(OWN);

	resolved_learn(resolved, OTHER, AF_INET, far_away, "openai", T0);
	assert_true(resolved_knows(resolved, OTHER, AF_INET, far_away, "openai", T0));
	assert_false(resolved_knows(resolved, OWN, AF_INET, far_away, "openai", T0));
	assert_false(resolved_knows(resolved, 0, AF_INET, far_away, "openai", T0));
	resolved_free(resolved);
}

static void an_address_is_kept_for_a_day_after_it_was_given_last(void **state)
{
	struct resolved *resolved = resolved_new(OWN);

	resolved_learn(resolved, 0, AF_INET, far_away, "openai", T0);
	assert_true(resolved_knows(resolved, 0, AF_INET, far_away, "openai",
				   T0 + RESOLVED_KEEP_NS - 1));
	assert_false(resolved_knows(resolved, 0, AF_INET, far_away, "openai", T0 + RESOLVED_KEEP_NS));
	resolved_learn(resolved, 0, AF_INET, far_away, "openai", T0 + RESOLVED_KEEP_NS);
	assert_true(resolved_knows(resolved, 0, AF_INET, far_away, "openai", T0 + RESOLVED_KEEP_NS));
	resolved_free(resolved);
}

/* A namespace with many answers pushes out its own, and nobody else's. */
static void rows_of_one_namespace_are_bounded(void **state)
{
	struct resolved *resolved = resolved_new(OWN);
	uint8_t addr[16] = { 198, 51 };

	resolved_learn(resolved, OTHER, AF_INET, far_away, "openai", T0);
	for (unsigned i = 0; i <= RESOLVED_PER_NAMESPACE; i++) {
		addr[2] = (uint8_t)(i >> 8);
		addr[3] = (uint8_t)i;
		resolved_learn(resolved, OTHER + 1, AF_INET, addr, "openai", T0);
	}
	assert_true(resolved_knows(resolved, OTHER, AF_INET, far_away, "openai", T0));
	assert_true(resolved_knows(resolved, OTHER + 1, AF_INET, addr, "openai", T0));
	addr[2] = addr[3] = 0;
	assert_false(resolved_knows(resolved, OTHER + 1, AF_INET, addr, "openai", T0));
	resolved_free(resolved);
}

/* By its port, and for any provider; on loopback for the daemon's own namespace. */
static void a_proxy_is_one_by_its_port(void **state)
{
	struct resolved *resolved = resolved_new(OWN);

	resolved_learn_proxy(resolved, AF_INET, far_away, 3128, T0);
	resolved_learn_proxy(resolved, AF_INET, near, 3128, T0);
	assert_true(resolved_knows_proxy(resolved, OTHER, AF_INET, far_away, 3128, T0));
	assert_false(resolved_knows_proxy(resolved, OTHER, AF_INET, far_away, 3129, T0));
	assert_false(resolved_knows(resolved, OTHER, AF_INET, far_away, "openai", T0));
	assert_true(resolved_knows_proxy(resolved, OWN, AF_INET, near, 3128, T0));
	assert_false(resolved_knows_proxy(resolved, OTHER, AF_INET, near, 3128, T0));
	resolved_free(resolved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_node_is_told_counts_everywhere_but_loopback),
		cmocka_unit_test(what_others_are_told_counts_where_they_are),
		cmocka_unit_test(an_address_is_kept_for_a_day_after_it_was_given_last),
		cmocka_unit_test(a_proxy_is_one_by_its_port),
		cmocka_unit_test(rows_of_one_namespace_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
