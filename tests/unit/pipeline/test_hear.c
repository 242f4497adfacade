/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader that tenants have taken over: what it says that cannot be true is not used, its connection is read no further, and
 * the calls in progress are charged as far as they were known.
 */
#include "stage.h"

#include "pipeline/connections_internal.h"
#include "provider/provider.h"

#define CONNECTION 1

static struct connections *connections_of(struct stage *stage)
{
	return stage->pipeline->connections;
}

static struct connection *only(struct stage *stage)
{
	return connection_find(connections_of(stage), CONNECTION);
}

static uint64_t refused(struct stage *stage)
{
	struct connections_stats stats;

	connections_stats(connections_of(stage), &stats);
	return stats.refused;
}

/* As it would between an order and its answers. */
static void says(struct stage *stage, const struct message *message)
{
	struct ev_head event = head_of(stage, EV_DATA);

	connections_of(stage)->ordered = only(stage);
	connections_of(stage)->order = &event;
	connections_hear(connections_of(stage), message);
	connections_of(stage)->ordered = NULL;
}

/* A call is in progress of which this was said last. */
static struct stage *begins(struct message *ret)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	streams_chat(stage, 2);
	assert_int_equal(only(stage)->n_items, 1);
	*ret = (struct message){ .kind = MESSAGE_SO_FAR,
				 .connection = CONNECTION,
				 .call = 1,
				 .reading = only(stage)->items->reading };
	ret->reading.tenant = 0;
	return stage;
}

static void the_truth_is_taken(void **state)
{
	struct message message;
	struct stage *stage = begins(&message);

	message.reading.answer.content_events = 7;
	says(stage, &message);
	assert_int_equal(refused(stage), 0);
	assert_int_equal(only(stage)->items->reading.answer.content_events, 7);
	assert_int_equal(only(stage)->items->reading.tenant, stage->cgroup);
	stage_free(stage);
}

/* Each sets one thing that cannot be. */
#define LIE(name, ...)                            \
	static void lie_##name(struct message *m) \
	{                                         \
		__VA_ARGS__;                      \
	}
LIE(kind, m->kind = MESSAGE_KINDS)
LIE(no_kind, m->kind = 0)
LIE(other_connection, m->connection++)
LIE(other_call, m->call = 2)
LIE(no_call, m->call = 0)
LIE(provider, m->reading.provider = UINT32_MAX)
LIE(other_provider, m->reading.provider = (uint32_t)api_number(provider_by_name("anthropic")))
LIE(endpoint, m->reading.endpoint = 100000)
LIE(host, memset(m->reading.host, 'a', sizeof(m->reading.host)))
LIE(other_host, strcpy(m->reading.host, "api.anthropic.com"))
LIE(path, memset(m->reading.path, '/', sizeof(m->reading.path)))
LIE(model, memset(m->reading.model, 'a', sizeof(m->reading.model)))
LIE(tier, memset(m->reading.answer.tier, 'a', sizeof(m->reading.answer.tier)))
LIE(id, memset(m->reading.answer.id, 'a', sizeof(m->reading.answer.id)))
LIE(extra, memset(m->reading.answer.extras[3].model, 'a', CHARGE_MODEL_LEN))
LIE(extras, m->reading.answer.extras_count = EXTRAS + 1)
LIE(extra_tokens, m->reading.answer.extras[0].usage.millis = UINT64_MAX)
LIE(dialect, m->reading.answer.dialect = DIALECT_ANY + 1)
LIE(form, m->reading.answer.form = 77)
LIE(slots, m->reading.answer.told.slots[SLOT_OUTPUT] = UINT64_MAX / 2)
LIE(has, m->reading.header.has = UINT32_MAX)
LIE(text, m->reading.text.script_chars[SCRIPT_HAN] = UINT64_MAX)
LIE(script, m->reading.text.script = SCRIPTS)
LIE(cost, m->reading.answer.cost_nanos = UINT64_MAX)
LIE(status, m->reading.status = -1)
LIE(tenant, m->reading.tenant = 78)
LIE(unread, m->reading.unread_bytes = 1)
LIE(future, m->reading.end_ns += 3600 * 1000000000ULL)
LIE(first_token, m->reading.first_token_ns = UINT64_MAX)
LIE(bytes, m->reading.answer_ended = true; m->reading.answer_bytes = 100000)
LIE(many_bytes, m->reading.answer_bytes = 1ULL << 40)
LIE(images, m->reading.images_wanted = UINT64_MAX)
LIE(second_name, m->kind = MESSAGE_NAMED; strcpy(m->host, "api.openai.com"))
LIE(endless_name, m->kind = MESSAGE_NAMED; memset(m->host, 'a', sizeof(m->host)))
LIE(endless_request, m->kind = MESSAGE_PASSED; memset(&m->request, 'a', sizeof(m->request)))
LIE(begun_twice, m->kind = MESSAGE_BEGAN; memset(&m->begin, 0, sizeof(m->begin)))
LIE(unread_more, m->kind = MESSAGE_STANDING; memset(&m->standing, 0, sizeof(m->standing));
    m->standing.unread_bytes[1] = 1 << 30)
LIE(protocol, m->kind = MESSAGE_STANDING; memset(&m->standing, 0, sizeof(m->standing));
    m->standing.protocol = CONN_OTHER + 1)
LIE(gaps, m->kind = MESSAGE_STANDING; memset(&m->standing, 0, sizeof(m->standing));
    m->standing.gaps = UINT64_MAX)

static void no_lie_is_used(void **state)
{
	static void (*const lies[])(struct message *) = {
		lie_kind,
		lie_no_kind,
		lie_other_connection,
		lie_other_call,
		lie_no_call,
		lie_provider,
		lie_other_provider,
		lie_endpoint,
		lie_host,
		lie_other_host,
		lie_path,
		lie_model,
		lie_tier,
		lie_id,
		lie_extra,
		lie_extras,
		lie_extra_tokens,
		lie_dialect,
		lie_form,
		lie_slots,
		lie_has,
		lie_text,
		lie_script,
		lie_cost,
		lie_status,
		lie_tenant,
		lie_unread,
		lie_future,
		lie_first_token,
		lie_bytes,
		lie_many_bytes,
		lie_images,
		lie_second_name,
		lie_endless_name,
		lie_endless_request,
		lie_begun_twice,
		lie_unread_more,
		lie_protocol,
		lie_gaps,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct message message;
		struct stage *stage = begins(&message);

		lies[i](&message);
		says(stage, &message);
		if (refused(stage) != 1)
			fail_msg("lie %zu was taken", i);
		assert_string_equal(only(stage)->items->reading.host, "api.openai.com");
		stage_free(stage);
	}
}

static void what_was_known_is_charged(void **state)
{
	struct message message;
	struct stage *stage = begins(&message);

	message.kind = 0;
	says(stage, &message);
	assert_int_equal(stage->n_charges, 0);
	chunks_chat(stage, 1);
	/* the call, with what was seen of its answer since */
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->charges[0].operation, "chat");
	assert_string_equal(stage->charges[0].model, "gpt-4o"); /* of the request */
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_false(charge_is_measured(stage->charges[0].source));
	assert_true(stage->charges[0].budget_nanos > 0);
	assert_false(only(stage)->is_read);
	assert_int_equal(only(stage)->n_items, 0);
	/* and nothing more of it */
	chunks_chat(stage, 2);
	chunks_chat(stage, 3);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(refused(stage), 1);
	stage_free(stage);
}

static void out_of_turn_nothing_is_heard(void **state)
{
	struct message message;
	struct stage *stage = begins(&message);

	message.reading.answer.content_events = 7;
	connections_hear(connections_of(stage), &message);
	assert_int_not_equal(only(stage)->items->reading.answer.content_events, 7);
	assert_int_equal(refused(stage), 0);
	stage_free(stage);
}

/* A connection that is not known to be an AI host's: nobody copies its bytes from now on. */
static void an_undecided_connection_is_left(void **state)
{
	struct stage *stage = stage_new();
	struct message message = { .kind = 0 };

	opens(stage, "", CTL_UNKNOWN);
	says(stage, &message);
	sends(stage, EV_OUT, "POST / HTTP/1.1\r\n", 0);
	assert_int_equal(stage->decided, CTL_IGNORE);
	assert_false(only(stage)->is_read);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_truth_is_taken),
		cmocka_unit_test(no_lie_is_used),
		cmocka_unit_test(what_was_known_is_charged),
		cmocka_unit_test(out_of_turn_nothing_is_heard),
		cmocka_unit_test(an_undecided_connection_is_left),
	};

	return cmocka_run_group_tests_name("hear", tests, NULL, NULL);
}
