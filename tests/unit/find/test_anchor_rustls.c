/* SPDX-License-Identifier: Apache-2.0 */
/* rustls without symbols, found by the places of its panics and its tables of methods. */
#include "find/compiled.h"

static const char *const ciphers[] = { "encrypt13", "encrypt12", "decrypt13", "decrypt12" };

static void finds_encrypters_and_decrypters(void **state)
{
	static const char *const more[] = { "", "-Wl,-z,pack-relative-relocs", "-fuse-ld=lld" };

	for (size_t i = 0; i < 2; i++) /* with an unwind table: without, nothing is proven */
		for (size_t k = 0; k < ARRAY_SIZE(more); k++) {
			struct anchors anchors;
			char flags[256];

			if (*more[k] && system("ld.lld --version >/dev/null 2>&1") && k == 2)
				continue;
			snprintf(flags, sizeof(flags), "%s %s -DSTACK_RUSTLS", kinds[i], more[k]);
			compile(flags);
			assert_int_equal(search(&anchors), 0);
			if (!anchors.stacks[ANCHOR_RUSTLS].is_proven)
				fail_msg("%s: %s", flags, anchors.stacks[ANCHOR_RUSTLS].why);
			expect_found(&anchors, ANCHOR_RUSTLS_OUTGOING, "encrypt_outgoing");
			assert_int_equal(anchors.n_ciphers, ARRAY_SIZE(ciphers));
			for (size_t c = 0; c < ARRAY_SIZE(ciphers); c++) {
				uint64_t addr = address_of(ciphers[c]);
				bool is_found = false;

				for (size_t n = 0; n < anchors.n_ciphers; n++)
					is_found |= anchors.ciphers[n].function.addr == addr &&
						    anchors.ciphers[n].is_encrypter == (c < 2);
				if (!is_found)
					fail_msg("%s: %s was not found", flags, ciphers[c]);
			}
		}
}

static void places_probes_on_each(void **state)
{
	size_t roles[TAP_ROLES] = {};
	struct anchors anchors;
	struct sites sites;
	_cleanup_close_ int fd = -1;

	compile("-O2 -fPIE -pie -DSTACK_RUSTLS");
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(anchors_find(fd, NULL, &anchors), 0);
	assert_int_equal(anchors_sites(&anchors, fd, false, &sites), 0);
	assert_string_equal(sites.flavour, "rustls-ring");
	for (size_t i = 0; i < sites.n; i++)
		roles[sites.at[i].role]++;
	assert_int_equal(roles[TAP_RUSTLS_OUTGOING], 1);
	assert_int_equal(roles[TAP_RUSTLS_ENCRYPT], 2);
	assert_int_equal(roles[TAP_RUSTLS_DECRYPT], 2);
	assert_int_equal(anchors_sites(&anchors, fd, true, &sites), 0);
	assert_int_equal(sites.at[sites.n - 1].role, TAP_RUSTLS_DECRYPT);
	assert_true(sites.n > 5);
}

static void takes_nothing_without_both_proofs(void **state)
{
	/* one decrypter has no encrypter */
	expect_refused("-O2 -fPIE -pie -DNO_PAIR -DSTACK_RUSTLS", ANCHOR_RUSTLS);
	/* two functions look like encrypt_outgoing */
	expect_refused("-O2 -fPIE -pie -DTWICE -DSTACK_RUSTLS", ANCHOR_RUSTLS);
	/* where functions start is not told */
	expect_refused("-O2 -fPIE -pie -fno-asynchronous-unwind-tables -DSTACK_RUSTLS",
		       ANCHOR_RUSTLS);
}

/* What is remembered holds places that were found by the locations, which are found anew. */
static void remembers_where_to_look(void **state)
{
	struct anchors fresh;
	char cache[300];

	snprintf(cache, sizeof(cache), "%s/searches", folder);
	compile("-O2 -fPIE -pie -DSTACK_RUSTLS");
	expect_remembered(cache, ANCHOR_RUSTLS, &fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_encrypters_and_decrypters),
		cmocka_unit_test(places_probes_on_each),
		cmocka_unit_test(takes_nothing_without_both_proofs),
		cmocka_unit_test(remembers_where_to_look),
	};

	return cmocka_run_group_tests(tests, compiled_make_folder, compiled_remove_folder);
}
