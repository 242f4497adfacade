/* SPDX-License-Identifier: Apache-2.0 */
/* A node's part as it is written and read, the server's answers, and its address. */
#include "fleet.h"

#include "peer.h"

static struct policy_budget rolling = { .name = "rolling",
					.per = POLICY_PER_MATCH,
					.limit_nanos = 10 * USD,
					.window = POLICY_ROLLING,
					.window_us = 64 * US_PER_S,
					.is_shared = true,
					.steps = steps,
					.n_steps = 2 };

static void on_own(void *arg, const struct policy_own *own)
{
	struct own *told = arg;

	told->n++;
	told->last = *own;
}

static void changed_counters_are_told_once(void **state)
{
	struct policy *policy = policy_of(&budget);
	struct own own = { 0 };

	charge(policy, 1 * USD, T0);
	assert_true(policy_has_new(policy));
	assert_false(policy_has_new(policy));
	charge(policy, 2 * USD, T0);
	policy_changed(policy, T0, on_own, &own);
	assert_int_equal(own.n, 1);
	assert_int_equal(own.last.spent, 3 * USD);
	assert_int_equal(own.last.window_start_us, DAY0);
	policy_changed(policy, T0, on_own, &own);
	assert_int_equal(own.n, 1);
	charge(policy, 1, T0);
	assert_false(policy_has_new(policy));
	policy_changed(policy, T0, on_own, &own);
	assert_int_equal(own.n, 2);
	policy_free(policy);
}

static void parts_are_read_as_they_were_written(void **state)
{
	char text[SHARED_VALUE_MAX];
	struct shared_part part = { .seq = INT64_MAX, .n = POLICY_SLOTS }, read;

	for (int i = 0; i < POLICY_SLOTS; i++) {
		part.slots[i].slot = INT64_MAX - i;
		part.slots[i].sum = INT64_MAX;
	}
	assert_true(shared_part_write(&part, text) < SHARED_VALUE_MAX - 1);
	assert_true(shared_part_read(text, strlen(text), &read));
	assert_int_equal(read.n, POLICY_SLOTS);
	assert_memory_equal(&read, &part, sizeof(part));
}

static void what_is_no_part_is_refused(void **state)
{
	static const char *const wrongs[] = { "",
					      " ",
					      "x",
					      "-1",
					      "1 ",
					      "1 2",
					      "1 2:",
					      "1 2:x",
					      "1  2:3",
					      "1 2:3 ",
					      "1 -2:3",
					      "1 2:-3",
					      "9223372036854775808",
					      "1 2:9223372036854775808" };
	struct shared_part part;

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++)
		assert_false(shared_part_read(wrongs[i], strlen(wrongs[i]), &part));
	assert_true(shared_part_read("7", 1, &part));
	assert_int_equal(part.n, 0);
}

static struct shared_reply list(const struct shared_reply_item *items, size_t n)
{
	return (struct shared_reply){ .kind = SHARED_LIST, .items = items, .n = n, .text = "" };
}
#define ITEM(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static void the_others_parts_are_added_up(void **state)
{
	static const struct shared_reply_item items[] = {
		ITEM("me"),     ITEM("9 5:100"), ITEM("a"),       ITEM("1 5:7"), ITEM("b"),
		ITEM("2 5:30"), ITEM("c"),       ITEM("garbage"), ITEM("d"),     ITEM("3 4:1000")
	};
	struct shared_reply reply = list(items, 10);
	struct shared_entry entry = { .window_start_us = 5, .own_asked = 100, .until_us = T0 };
	unsigned bad = 0;

	assert_int_equal(shared_entry_parts(&entry, &reply, "me", T0, &bad), 9);
	assert_int_equal(shared_entry_remote(&entry, T0), 37);
	assert_int_equal(entry.own_known, 100);
	assert_int_equal(bad, 1);
}

static void slots_that_are_over_do_not_count(void **state)
{
	static const struct shared_reply_item items[] = { ITEM("a"), ITEM("1 1000:7 936:100 937:20"),
							  ITEM("b"), ITEM("2 1001:1 1002:5000") };
	struct shared_reply reply = list(items, 4);
	struct shared_entry entry = { .slot_us = US_PER_S, .until_us = 1000 * US_PER_S };
	unsigned bad = 0;

	shared_entry_parts(&entry, &reply, "me", 1000 * US_PER_S, &bad);
	assert_int_equal(shared_entry_remote(&entry, 1000 * US_PER_S), 28);
	assert_int_equal(shared_entry_remote(&entry, 1001 * US_PER_S), 8);
	assert_int_equal(shared_entry_remote(&entry, 1070 * US_PER_S), 0);
}

static void a_rolling_windows_slots_are_put(void **state)
{
	struct policy *policy = policy_of(&rolling);
	struct shared_entry entry = { 0 };
	struct own own = { 0 };
	int64_t slot = T0 / US_PER_S;

	charge(policy, 1 * USD, T0);
	charge(policy, 2 * USD, T0 + 3 * US_PER_S);
	policy_changed(policy, T0 + 3 * US_PER_S, on_own, &own);
	shared_entry_own(&entry, &own.last, 4);
	assert_int_equal(entry.own, 3 * USD);
	assert_int_equal(entry.part.n, 2);
	assert_int_equal(entry.part.slots[0].slot, slot + 3);
	assert_int_equal(entry.part.slots[0].sum, 2 * USD);
	assert_int_equal(entry.part.slots[1].slot, slot);
	assert_int_equal(entry.part.slots[1].sum, 1 * USD);
	policy_free(policy);
}

static void keys_cannot_be_confused(void **state)
{
	struct shared_table table = { .prefix = "p" };
	struct policy_budget odd = budget;
	struct policy_own own = { .budget = &odd, .window_start_us = DAY0 };
	struct shared_entry *one, *other;

	TAILQ_INIT(&table.queue);
	odd.name = "a:b";
	own.key = "c";
	one = shared_entry_get(&table, &own, T0);
	odd.name = "a";
	own.key = "b:c";
	other = shared_entry_get(&table, &own, T0);
	assert_string_equal(one->key, "p:a%3Ab:c:nanousd:day:1789948800");
	assert_string_equal(other->key, "p:a:b%3Ac:nanousd:day:1789948800");
	shared_table_sweep(&table, one->until_us + 1);
	assert_null(table.entries);
	for (int i = 0; i < SHARED_COUNTERS + 3; i++) {
		char key[32];

		snprintf(key, sizeof(key), "k%d", i);
		own.key = key;
		shared_entry_get(&table, &own, T0);
	}
	assert_int_equal(HASH_COUNT(table.entries), SHARED_COUNTERS);
	assert_int_equal(table.dropped, 3);
	shared_table_done(&table);
}

static bool count(void *arg, const struct shared_reply *reply)
{
	++*(int *)arg;
	return true;
}

static int answers_in(const char *text, bool *ret_good)
{
	struct shared_reader *reader = shared_reader_new();
	size_t len = strlen(text);
	int n = 0;

	*ret_good = true;
	for (size_t i = 0; i < len && *ret_good; i++)
		*ret_good = shared_reader_feed(reader, text + i, 1, count, &n);
	shared_reader_free(reader);
	return n;
}

static void answers_are_bounded(void **state)
{
	static const char *const wrongs[] = { "*2147483647\r\n", "$2147483647\r\n",
					      "*2049\r\n",       "*1\r\n*1\r\n",
					      "!x\r\n",          "HTTP/1.1 400 Bad\r\n" };
	char *long_text = malloc(SHARED_REPLY_MAX + 64);
	bool is_good;

	assert_int_equal(answers_in("+OK\r\n:1\r\n$2\r\nab\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n",
				    &is_good),
			 5);
	assert_true(is_good);
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		int n = answers_in(wrongs[i], &is_good);

		/* A length alone allocates nothing yet: it is the content that is refused. */
		if (is_good && n == 0)
			assert_non_null(strchr(wrongs[i], '$'));
	}
	memset(long_text, 'x', SHARED_REPLY_MAX + 63);
	memcpy(long_text, "$2000000\r\n", 10);
	long_text[SHARED_REPLY_MAX + 63] = '\0';
	struct shared_reader *reader = shared_reader_new();
	int n = 0;

	assert_false(shared_reader_feed(reader, long_text, SHARED_REPLY_MAX + 63, count, &n));
	shared_reader_free(reader);
	free(long_text);
}

static void servers_are_named_by_their_url(void **state)
{
	static const struct {
		const char *text, *url;
		unsigned db;
	} cases[] = {
		{ "valkey://10.0.0.1", "http://10.0.0.1:6379", 0 },
		{ "redis://cache.example:7000/3", "http://cache.example:7000", 3 },
		{ "rediss://cache", "https://cache:6379", 0 },
		{ "valkeys://[::1]:6380/1", "https://[::1]:6380", 1 },
		{ "http://x", NULL, 0 },
		{ "redis://", NULL, 0 },
		{ "redis://a:b", NULL, 0 },
		{ "redis://a:0", NULL, 0 },
		{ "redis://a:70000", NULL, 0 },
		{ "redis://user:pw@a", NULL, 0 },
		{ "redis://a/x", NULL, 0 },
		{ "redis://a?b", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct shared_config config = { 0 };

		assert_int_equal(shared_config_server(&config, cases[i].text),
				 cases[i].url ? 0 : -EINVAL);
		if (cases[i].url)
			assert_string_equal(config.url, cases[i].url);
		assert_int_equal(config.db, cases[i].db);
		shared_config_done(&config);
	}
}

struct world {
	struct peer peer;
	const char *const *answers; /* one a connection; NULL: hang */
	size_t n_answers;
	struct loop *loop;
	struct shared *shared;
	int wanted;
	bool is_late;
	uint64_t begin_ns;
};

static void serve(struct peer *peer)
{
	struct world *world = peer->arg;
	size_t i = (size_t)(peer->n_accepted - 1) % world->n_answers;
	char bytes[4096];

	if (peer_read(peer, bytes, sizeof(bytes)) <= 0)
		return;
	if (world->answers[i])
		peer_say(peer, world->answers[i]);
	else
		close(dup(peer->conn));
}

static void on_look(void *arg)
{
	struct world *world = arg;

	world->is_late = clock_mono_ns() - world->begin_ns > 100 * NS_PER_S;
	if (world->peer.n_accepted >= world->wanted || world->is_late)
		loop_stop(world->loop);
}

static void ignore_verdict(void *arg, const struct policy_verdict *verdict)
{
}

static void ignore_review(void *arg)
{
}

static void ignore_said(void *arg, bool is_up, const char *text)
{
	assert_false(is_up);
}

static void garbage_ends_the_connection_and_nothing_else(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
					       "*2147483647\r\n", "-NOAUTH secret text\r\n",
					       "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n", NULL };
	struct world world = { .peer.serve = serve, .answers = answers, .n_answers = 5, .wanted = 6 };
	char dir[UNIT_FOLDER_LEN], url[64];
	struct shared_config config = { .url = url };
	struct shared_hooks hooks = { ignore_verdict, ignore_review, ignore_said, NULL };
	struct policy *policy = policy_of(&budget);
	struct fetcher *fetcher;
	struct ledger *ledger;
	struct shared_state told;

	world.peer.arg = &world;
	peer_start(&world.peer, NULL, 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", world.peer.port);
	assert_int_equal(unit_folder(dir), 0);
	assert_int_equal(loop_new(&world.loop), 0);
	assert_int_equal(loop_add_timer(world.loop, 20 * NS_PER_MS, on_look, &world, NULL), 0);
	assert_int_equal(fetcher_new(&fetcher, world.loop), 0);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	charge(policy, 1 * USD, clock_wall_us());
	assert_int_equal(
		shared_new(&world.shared, world.loop, fetcher, ledger, policy, &config, &hooks), 0);
	shared_commit(world.shared);
	world.begin_ns = clock_mono_ns();
	assert_int_equal(loop_run(world.loop), 0);
	assert_false(world.is_late);
	shared_state(world.shared, &told);
	assert_false(told.is_up);
	assert_int_equal(told.counters, 1);
	assert_null(strstr(told.error, "secret"));
	shared_free(world.shared);
	policy_free(policy);
	fetcher_free(fetcher);
	ledger_free(ledger);
	loop_free(world.loop);
	peer_stop(&world.peer);
	(void)unit_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_counters_are_told_once),
		cmocka_unit_test(parts_are_read_as_they_were_written),
		cmocka_unit_test(what_is_no_part_is_refused),
		cmocka_unit_test(the_others_parts_are_added_up),
		cmocka_unit_test(slots_that_are_over_do_not_count),
		cmocka_unit_test(a_rolling_windows_slots_are_put),
		cmocka_unit_test(keys_cannot_be_confused),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(servers_are_named_by_their_url),
		cmocka_unit_test(garbage_ends_the_connection_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
