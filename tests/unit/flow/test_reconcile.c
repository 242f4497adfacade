/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "flow/reconcile.h"

static struct ev_flow flow_of(uint32_t tgid, uint64_t cookie, uint64_t out, uint64_t in)
{
	struct ev_flow flow = { .head = { .tgid = tgid, .id = cookie, .cgroup = 7 },
				.bytes = { out, in },
				.comm = "agent" };

	strcpy(flow.host, "api.openai.com");
	return flow;
}

static void flow_whole(struct reconcile *reconcile, uint32_t tgid, uint64_t out, uint64_t in)
{
	struct ev_flow flow = flow_of(tgid, tgid, out, in);

	reconcile_flow(reconcile, &flow);
	reconcile_flow_end(reconcile, &flow);
}

static void an_unread_flow_is_charged_once_when_it_ends(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	flow_whole(reconcile, 1, 51000 + 4 * 22, 104500 + 7 * 22);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.tgid, 1);
	assert_int_equal(sum.cgroup, 7);
	assert_string_equal(sum.host, "api.openai.com");
	assert_string_equal(sum.comm, "agent");
	assert_int_equal(sum.bytes[EV_OUT], 50000);
	assert_int_equal(sum.bytes[EV_IN], 100000);
	assert_true(sum.is_unread);
	assert_false(reconcile_next(reconcile, false, &sum));
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

/* 20 kB and more come out within 2 % of what was said, whatever the certificates weigh. */
static void a_known_handshake_and_framing_are_not_charged(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 1581 + 20000 + 2 * 22, 9100 + 40000 + 3 * 22);
	struct reconcile_sum sum;

	flow.handshake[EV_OUT] = 1581;
	flow.handshake[EV_IN] = 9100;
	reconcile_flow(reconcile, &flow);
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.bytes[EV_OUT], 20000);
	assert_int_equal(sum.bytes[EV_IN], 40000);
	reconcile_free(reconcile);
}

static void a_call_smaller_than_a_handshake_is_not_lost_in_it(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 660 + 322, 2000 + 522);
	struct reconcile_sum sum;

	flow.handshake[EV_OUT] = 660;
	flow.handshake[EV_IN] = 2000;
	reconcile_flow(reconcile, &flow);
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.bytes[EV_OUT], 300);
	assert_int_equal(sum.bytes[EV_IN], 500);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void a_connection_that_asked_nothing_is_no_call(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 660, 4000);
	struct reconcile_sum sum;

	flow.handshake[EV_OUT] = 660;
	flow.handshake[EV_IN] = 4000;
	reconcile_flow(reconcile, &flow);
	reconcile_flow_end(reconcile, &flow);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void what_was_read_is_not_charged(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	reconcile_read(reconcile, 1, "api.openai.com", EV_OUT, 50000, 4);
	reconcile_read(reconcile, 1, "api.openai.com", EV_IN, 100000, 700);
	flow_whole(reconcile, 1, 51000 + 4 * 22, 104500 + 700 * 22);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void certificates_and_framing_are_no_difference(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	reconcile_read(reconcile, 1, "api.openai.com", EV_IN, 1000, 1);
	flow_whole(reconcile, 1, 2500, 10000);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void a_short_request_before_the_probes_is_seen(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 600 + 3 * (480 + 22), 2000 + 3 * (600 + 22));
	struct reconcile_sum sum;

	flow.handshake[EV_OUT] = 600;
	flow.handshake[EV_IN] = 2000;
	/* Three requests of 480 bytes, of which the last two were read. */
	reconcile_read(reconcile, 1, "api.openai.com", EV_OUT, 960, 2);
	reconcile_read(reconcile, 1, "api.openai.com", EV_IN, 1200, 2);
	reconcile_flow(reconcile, &flow);
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_in_range(sum.bytes[EV_OUT], 450, 510);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void a_process_read_late_pays_the_difference_only(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 9, 0, 0);
	struct ctl_flow live = { .bytes = { 11022, 24544 } };
	struct reconcile_sum sum;

	reconcile_flow(reconcile, &flow);
	reconcile_flow_count(reconcile, &flow, &live);
	assert_false(reconcile_next(reconcile, false, &sum)); /* it goes on */
	assert_true(reconcile_next(reconcile, true, &sum));   /* nothing of it is read: now */
	assert_int_equal(sum.bytes[EV_OUT], 10000);
	assert_int_equal(sum.bytes[EV_IN], 20000);

	/* Now its library is probed; the rest of the flow is read. */
	reconcile_read(reconcile, 1, "api.openai.com", EV_OUT, 90000, 0);
	reconcile_read(reconcile, 1, "api.openai.com", EV_IN, 300000, 0);
	flow.bytes[EV_OUT] = 101000;
	flow.bytes[EV_IN] = 324500;
	reconcile_flow_end(reconcile, &flow);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void a_flow_beside_a_read_one_is_seen(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	reconcile_read(reconcile, 1, "api.openai.com", EV_OUT, 5000, 0);
	reconcile_read(reconcile, 1, "api.openai.com", EV_IN, 5000, 0);
	flow_whole(reconcile, 1, 6000, 9500);
	assert_false(reconcile_next(reconcile, false, &sum));
	flow_whole(reconcile, 1, 201000, 304500); /* another library of the same process */
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.bytes[EV_OUT], 200000);
	assert_int_equal(sum.bytes[EV_IN], 300000);
	assert_false(sum.is_unread);
	reconcile_free(reconcile);
}

static void the_smallest_unread_flow_still_shows(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	flow_whole(reconcile, 1, 700, 3000);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_true(sum.bytes[EV_OUT] > 0 && sum.bytes[EV_IN] > 0);
	assert_int_equal(sum.flows, 1);
	assert_false(reconcile_next(reconcile, true, &sum));
	reconcile_free(reconcile);
}

static void sums_are_kept_whatever_the_order(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_stats stats;
	struct reconcile_sum sum;
	uint64_t charged = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		flow_whole(reconcile, i % 7, 1000 + i * 100, 4500 + i * 1000);
		if (i % 3)
			while (reconcile_next(reconcile, i % 2, &sum))
				charged += sum.bytes[EV_IN];
	}
	while (reconcile_next(reconcile, true, &sum))
		charged += sum.bytes[EV_IN];
	reconcile_stats(reconcile, &stats);
	/* i = 0 carried nothing beyond its handshake and shows as the least. */
	assert_int_equal(charged - stats.charged_bytes[UNMETERED_UNREAD][EV_IN], 64);
	assert_in_range(stats.charged_bytes[UNMETERED_UNREAD][EV_IN],
			1000ull * 999 * 1000 / 2 / 1000 * 998,
			1000ull * 999 * 1000 / 2); /* less framing */
	reconcile_free(reconcile);
}

static struct reconcile_row seen;

static void note_row(void *arg, const struct reconcile_row *row)
{
	seen = *row;
}

static const char *why(const struct reconcile *reconcile)
{
	reconcile_each(reconcile, note_row, NULL);
	return unmetered_why_name(seen.why);
}

static void it_says_why_something_was_not_read(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_sum sum;

	flow_whole(reconcile, 1, 51000, 104500);
	assert_string_equal(why(reconcile), ""); /* nothing was charged yet */
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_string_equal(why(reconcile), "unread");
	reconcile_left_out(reconcile, 1, "api.openai.com", UNMETERED_RETURNS);
	assert_string_equal(why(reconcile), "returns");
	reconcile_left_out(reconcile, 1, "api.openai.com", UNMETERED_NEVER);
	assert_string_equal(why(reconcile), "never");
	/* From here on it is read. */
	reconcile_read(reconcile, 1, "api.openai.com", EV_OUT, 1000, 1);
	assert_string_equal(why(reconcile), "late");
	reconcile_missed(reconcile, 1, "api.openai.com", UNMETERED_LOST, 60000);
	assert_string_equal(why(reconcile), "late"); /* most of it is older than the loss */
	reconcile_missed(reconcile, 1, "api.openai.com", UNMETERED_LOST, 60000);
	assert_string_equal(why(reconcile), "lost");
	assert_int_equal(seen.lost_bytes, 120000);
	reconcile_free(reconcile);
}

static void records_tell_a_stream_from_a_document(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 20000, 100000);
	struct reconcile_sum sum;

	reconcile_flow(reconcile, &flow);
	flow.framed[EV_IN] = 95000;
	flow.records[EV_IN] = 300;
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.form, ANSWER_SSE);

	flow = flow_of(2, 2, 20000, 16000);
	reconcile_flow(reconcile, &flow);
	flow.framed[EV_IN] = 14000;
	flow.records[EV_IN] = 2;
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.form, ANSWER_JSON);

	/* Several events in a record, or all that a proxy had: no cliff, but a range. */
	for (uint32_t i = 0; i < 2; i++) {
		flow = flow_of(4 + i, 4 + i, 20000, 100000);
		reconcile_flow(reconcile, &flow);
		flow.framed[EV_IN] = 95000;
		flow.records[EV_IN] = i ? 7 : 100;
		reconcile_flow_end(reconcile, &flow);
		assert_true(reconcile_next(reconcile, false, &sum));
		assert_int_equal(sum.form, ANSWER_UNKNOWN);
	}

	/* Twenty documents of 4 kB on one connection. */
	flow = flow_of(6, 6, 20000, 100000);
	reconcile_flow(reconcile, &flow);
	flow.framed[EV_IN] = 80000;
	flow.records[EV_IN] = 20;
	flow.requests = 20;
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.exchanges, 20);
	assert_int_equal(sum.flows, 1);

	flow_whole(reconcile, 3, 20000, 100000);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.form, ANSWER_UNKNOWN);
	reconcile_free(reconcile);
}

/* Of a flow that goes on as well, each once; none where a part of the process is read. */
static void requests_are_told_once(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 20000, 100000);
	struct ctl_flow row = { .bytes = { 20000, 100000 }, .requests = 3 };
	struct reconcile_sum sum;

	reconcile_flow(reconcile, &flow);
	reconcile_flow_count(reconcile, &flow, &row);
	assert_true(reconcile_next(reconcile, true, &sum));
	assert_int_equal(sum.exchanges, 3);
	row.bytes[EV_OUT] = 40000;
	row.requests = 5;
	reconcile_flow_count(reconcile, &flow, &row);
	assert_true(reconcile_next(reconcile, true, &sum));
	assert_int_equal(sum.exchanges, 2);
	flow.bytes[EV_OUT] = 60000;
	flow.requests = 9;
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.exchanges, 4);

	flow = flow_of(2, 2, 200000, 100000);
	flow.requests = 9;
	reconcile_flow(reconcile, &flow);
	reconcile_read(reconcile, 2, flow.host, EV_OUT, 1000, 1);
	reconcile_flow_end(reconcile, &flow);
	assert_true(reconcile_next(reconcile, false, &sum));
	assert_int_equal(sum.exchanges, 1);
	reconcile_free(reconcile);
}

/* An old connection was taken for an AI host's by its address, and the address proves to be others' too. */
static void a_doubtful_flow_is_shown_and_not_charged(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct ev_flow flow = flow_of(1, 1, 0, 0);
	struct ctl_flow live = { .bytes = { 11022, 24544 } };
	struct reconcile_sum sum;

	flow.is_adopted = 1;
	reconcile_flow(reconcile, &flow);
	reconcile_flow_count(reconcile, &flow, &live);
	flow.bytes[EV_OUT] = 12000;
	flow.bytes[EV_IN] = 34000;
	reconcile_flow_doubt(reconcile, &flow);
	assert_false(reconcile_next(reconcile, true, &sum));
	assert_string_equal(why(reconcile), "shared");
	assert_int_equal(seen.doubtful_bytes[EV_OUT], 12000);
	assert_int_equal(seen.doubtful_bytes[EV_IN], 34000);
	assert_int_equal(seen.flows + seen.adopted + seen.flow_bytes[EV_IN], 0);
	reconcile_free(reconcile);
}

static void accounts_are_bounded(void **state)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_stats stats;

	for (uint32_t i = 1; i <= UNMETERED_MAX + 10; i++)
		flow_whole(reconcile, i, 5000, 5000);
	reconcile_stats(reconcile, &stats);
	assert_int_equal(stats.accounts, UNMETERED_MAX);
	assert_int_equal(stats.accounts_dropped, 10);
	reconcile_free(reconcile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unread_flow_is_charged_once_when_it_ends),
		cmocka_unit_test(a_known_handshake_and_framing_are_not_charged),
		cmocka_unit_test(a_call_smaller_than_a_handshake_is_not_lost_in_it),
		cmocka_unit_test(a_connection_that_asked_nothing_is_no_call),
		cmocka_unit_test(what_was_read_is_not_charged),
		cmocka_unit_test(certificates_and_framing_are_no_difference),
		cmocka_unit_test(a_short_request_before_the_probes_is_seen),
		cmocka_unit_test(a_process_read_late_pays_the_difference_only),
		cmocka_unit_test(a_flow_beside_a_read_one_is_seen),
		cmocka_unit_test(the_smallest_unread_flow_still_shows),
		cmocka_unit_test(sums_are_kept_whatever_the_order),
		cmocka_unit_test(it_says_why_something_was_not_read),
		cmocka_unit_test(records_tell_a_stream_from_a_document),
		cmocka_unit_test(requests_are_told_once),
		cmocka_unit_test(a_doubtful_flow_is_shown_and_not_charged),
		cmocka_unit_test(accounts_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
