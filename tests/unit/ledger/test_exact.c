/* SPDX-License-Identifier: Apache-2.0 */
/* Reports and replays against naive sums of the calls that were added. */
#include "made_calls.h"

#include <time.h>

/* Naive sums of the calls of a seed range, by one key. */
struct expected {
	char key[64];
	struct ledger_row row;
	bool seen;
};
struct check {
	struct expected rows[2048];
	size_t n, seen;
	enum ledger_key key;
	int64_t last_cost;
};

static void key_text(const struct made *made, int64_t id, enum ledger_key key, char *buf,
		     size_t size)
{
	time_t start = made->call.start_us / 1000000;
	const char *text = "";
	struct tm tm;

	switch (key) {
	case LEDGER_BY_WHO:
		snprintf(buf, size, "%.20s/%.20s %.20s", made->group.namespace, made->group.pod,
			 made->group.container_name);
		return;
	case LEDGER_BY_NAMESPACE:
		text = made->group.namespace;
		break;
	case LEDGER_BY_WORKLOAD:
		text = made->group.workload;
		break;
	case LEDGER_BY_POD:
		text = made->group.pod;
		break;
	case LEDGER_BY_CONTAINER:
		text = made->group.container_name;
		break;
	case LEDGER_BY_IMAGE:
		text = made->group.image;
		break;
	case LEDGER_BY_CGROUP:
		text = made->group.path;
		break;
	case LEDGER_BY_UNIT:
		text = made->group.unit;
		break;
	case LEDGER_BY_USER:
		text = made->process.user;
		break;
	case LEDGER_BY_COMMAND:
		text = made->process.comm;
		break;
	case LEDGER_BY_EXE:
		text = made->process.exe;
		break;
	case LEDGER_BY_CLIENT:
		text = made->charge.client;
		break;
	case LEDGER_BY_DESTINATION:
		text = made->charge.destination;
		break;
	case LEDGER_BY_API_KEY:
		text = made->charge.api_key;
		break;
	case LEDGER_BY_VIA:
		text = made->charge.via;
		break;
	case LEDGER_BY_HOST:
		text = made->charge.host;
		break;
	case LEDGER_BY_PROVIDER:
		text = made->charge.provider;
		break;
	case LEDGER_BY_MODEL:
		text = made->charge.model;
		break;
	case LEDGER_BY_SOURCE:
		text = charge_source_name(made->charge.source);
		break;
	case LEDGER_BY_HOUR:
		gmtime_r(&start, &tm);
		strftime(buf, size, "%Y-%m-%dT%H:00Z", &tm);
		return;
	case LEDGER_BY_PID:
		snprintf(buf, size, "%u", made->process.tgid);
		return;
	case LEDGER_BY_CALL:
		snprintf(buf, size, "%lld", (long long)id);
		return;
	default:
		break;
	}
	snprintf(buf, size, "%.60s", text);
}

static void expect(struct check *check, const struct made *made, int64_t id)
{
	const struct charge *charge = &made->charge;
	uint32_t n = charge_count(charge);
	struct expected *row;
	uint64_t *sum, *part;
	char key[64];
	size_t i;

	key_text(made, id, check->key, key, sizeof(key));
	for (i = 0; i < check->n && strcmp(check->rows[i].key, key); i++)
		;
	row = &check->rows[i];
	if (i == check->n) {
		check->n++;
		snprintf(row->key, sizeof(row->key), "%s", key);
	}
	row->row.calls += n;
	row->row.free_calls += n * (charge->source == CHARGE_FREE);
	row->row.measured_calls += n * (charge->source != CHARGE_FREE &&
					charge_is_measured(charge->source));
	row->row.estimated_calls += n * (charge->source != CHARGE_FREE &&
					 !charge_is_measured(charge->source));
	row->row.unpriced_calls += n * (charge->source != CHARGE_FREE && !charge->is_priced);
	row->row.unconfirmed_calls += n * charge_is_unconfirmed(charge);
	row->row.asked_calls += n * !!*charge->destination;
	row->row.unconfirmed_nanos += charge_is_unconfirmed(charge) ? charge->budget_nanos : 0;
	sum = (uint64_t *)&row->row.tokens;
	part = (uint64_t *)&charge->usage;
	for (size_t at = 0; at < sizeof(struct usage) / sizeof(*sum); at++)
		sum[at] += part[at];
	row->row.request_bytes += charge->request_bytes;
	row->row.response_bytes += charge->response_bytes;
	row->row.cost_nanos += charge->cost_nanos;
}

static void compare(void *arg, const struct ledger_row *row)
{
	struct check *check = arg;
	struct expected *want = NULL;

	assert_true(row->cost_nanos <= check->last_cost);
	check->last_cost = row->cost_nanos;
	for (size_t i = 0; i < check->n; i++)
		if (!strcmp(check->rows[i].key, row->keys[check->key]))
			want = &check->rows[i];
	assert_non_null(want);
	assert_false(want->seen);
	want->seen = true;
	check->seen++;
	assert_int_equal(row->calls, want->row.calls);
	assert_int_equal(row->measured_calls, want->row.measured_calls);
	assert_int_equal(row->estimated_calls, want->row.estimated_calls);
	assert_int_equal(row->unpriced_calls, want->row.unpriced_calls);
	assert_int_equal(row->unconfirmed_calls, want->row.unconfirmed_calls);
	assert_int_equal(row->asked_calls, want->row.asked_calls);
	assert_int_equal(row->unconfirmed_nanos, want->row.unconfirmed_nanos);
	assert_int_equal(row->free_calls, want->row.free_calls);
	assert_memory_equal(&row->tokens, &want->row.tokens, sizeof(row->tokens));
	assert_int_equal(row->request_bytes, want->row.request_bytes);
	assert_int_equal(row->response_bytes, want->row.response_bytes);
	assert_int_equal(row->cost_nanos, want->row.cost_nanos);
}

static void reports_are_exact_by_every_key_and_from_every_moment(void **state)
{
	static struct check check;
	struct ledger *ledger = open_writer();
	const int64_t moments[] = { INT64_MIN,
				    0,
				    T0,
				    T0 + 17 * 60000000LL,
				    T0 + 18 * 60000000LL,
				    T0 + HOUR_US - 1,
				    T0 + HOUR_US + 1,
				    T0 + 2 * HOUR_US + 7,
				    T0 + 100 * HOUR_US };
	struct made made;

	for (unsigned i = 0; i < 1500; i++) /* 2.9 hours */
		add(ledger, i);
	for (enum ledger_key key = LEDGER_BY_HOUR; key < LEDGER_KEYS; key++) {
		if (key == LEDGER_BY_TEAM) /* who asks says what it is */
			continue;
		for (size_t m = 0; m < ARRAY_SIZE(moments); m++) {
			for (size_t e = m; e <= ARRAY_SIZE(moments); e++) {
				int64_t end_us = e < ARRAY_SIZE(moments) ? moments[e] :
									   LEDGER_NO_END;

				memset(&check, 0, sizeof(check));
				check.key = key;
				check.last_cost = INT64_MAX;
				for (unsigned i = 0; i < 1500; i++) {
					make(&made, i);
					if (made.call.start_us >= moments[m] &&
					    made.call.start_us < end_us)
						expect(&check, &made, i + 1);
				}
				assert_int_equal(
					ledger_report(ledger,
						      &(struct ledger_query){ .since_us = moments[m],
									      .until_us = end_us,
									      .keys = 1u << key },
						      compare, &check),
					0);
				assert_int_equal(check.seen, check.n);
			}
		}
	}
	assert_int_equal(ledger_report(ledger,
				       &(struct ledger_query){ .since_us = 0,
							       .until_us = LEDGER_NO_END,
							       .keys = 1u << LEDGER_BY_TIME },
				       compare, &check),
			 -EINVAL);
	ledger_free(ledger);
}

static void remember_row(void *arg, const struct ledger_row *row)
{
	struct made made;

	make(&made, 77);
	if (row->call_id != 78)
		return;
	++*(int *)arg;
	assert_string_equal(row->keys[LEDGER_BY_CALL], "78");
	assert_string_equal(row->keys[LEDGER_BY_MODEL], made.charge.model);
	assert_string_equal(row->keys[LEDGER_BY_TIME], "2023-11-14T22:08:59.000Z");
	assert_null(row->keys[LEDGER_BY_HOST]);
	assert_int_equal(row->start_us, made.call.start_us);
	assert_string_equal(row->path, made.charge.path);
	assert_string_equal(row->operation, "chat");
	assert_string_equal(row->outcome, charge_outcome_name(made.charge.outcome));
	assert_string_equal(row->price_key, made.charge.price_key);
	assert_string_equal(row->price_origin, "test");
	assert_int_equal(row->status, 200);
	assert_int_equal(row->duration_us, 77 * 5);
	assert_int_equal(row->first_token_us, 77);
	assert_true(row->is_stream);
}

static void one_call_has_everything(void **state)
{
	struct ledger *ledger = open_writer();
	int seen = 0;

	for (unsigned i = 0; i < 100; i++)
		add(ledger, i);
	assert_int_equal(ledger_report(ledger,
				       &(struct ledger_query){ .since_us = 0,
							       .until_us = LEDGER_NO_END,
							       .keys = 1u << LEDGER_BY_CALL |
								       1u << LEDGER_BY_MODEL |
								       1u << LEDGER_BY_TIME },
				       remember_row, &seen),
			 0);
	assert_int_equal(seen, 1);
	ledger_free(ledger);
}

struct replayed {
	unsigned next;
	int64_t since_us;
};

static void compare_replayed(void *arg, const struct ledger_call *call)
{
	struct replayed *replayed = arg;
	struct made made;

	do
		make(&made, replayed->next++);
	while (made.call.start_us < replayed->since_us);
	assert_int_equal(call->id, replayed->next);
	assert_int_equal(call->start_us, made.call.start_us);
	assert_memory_equal(call->charge, &made.charge, sizeof(made.charge));
	assert_memory_equal(call->group, &made.group, sizeof(made.group));
	assert_memory_equal(call->process, &made.process, sizeof(made.process));
}

static void a_replay_gives_back_what_was_added(void **state)
{
	struct replayed all = { 0, INT64_MIN }, late = { 0, T0 + HOUR_US + 5 };
	struct ledger *ledger = open_writer(), *reader = NULL;
	struct made made;

	for (unsigned i = 0; i < 1500; i++)
		add(ledger, i);
	assert_int_equal(ledger_replay(ledger, INT64_MIN, compare_replayed, &all), 0);
	assert_int_equal(all.next, 1500);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&reader, dir, false, NULL), 0);
	assert_int_equal(ledger_replay(reader, late.since_us, compare_replayed, &late), 0);
	assert_int_equal(late.next, 1500);
	make(&made, 1);
	assert_int_equal(ledger_add(reader, &made.call, NULL), -EROFS);
	ledger_free(reader);
}

static void hostile_numbers_and_names_do_no_harm(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;
	int seen = 0;

	make(&made, 77);
	memset(&made.charge.usage, 0xff, sizeof(made.charge.usage));
	made.charge.cost_nanos = INT64_MAX;
	made.charge.request_bytes = UINT64_MAX;
	made.charge.duration_ns = UINT64_MAX;
	snprintf(made.charge.model, sizeof(made.charge.model), "'); DROP TABLE calls; --\xff\xc3");
	made.call.start_us = -1;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
	assert_int_equal(ledger_report(ledger,
				       &(struct ledger_query){ .since_us = INT64_MIN,
							       .until_us = LEDGER_NO_END,
							       .keys = 1u << LEDGER_BY_MODEL },
				       remember_row, &seen),
			 0);
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(*) FROM calls"), 3000);
	assert_int_equal(ask("SELECT sum(calls) FROM hours WHERE hour = -1"), 3000);
	assert_int_equal(ask("SELECT typeof(cost_nanos) = 'integer' FROM hours"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(reports_are_exact_by_every_key_and_from_every_moment),
		HELD(one_call_has_everything),
		HELD(a_replay_gives_back_what_was_added),
		HELD(hostile_numbers_and_names_do_no_harm),
	};

	is_of_several = true;
	return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
