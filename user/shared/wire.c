/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hiredis 0.14 believes the lengths that a server announces: a list of 2^31 items is allocated when
 * its first line is read. So its two constructors that take lengths are wrapped here, lists inside
 * lists are refused (no answer of ours has one), and the reader's buffer is bounded.
 */
#include "shared/wire.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char shared_sync_script[] =
	"local key, node, seq, value = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]\n"
	"local old = redis.call('HGET', key, node)\n"
	"if not old or (old ~= value and (tonumber(string.match(old, '^%d+')) or -1) <= seq) then\n"
	"  redis.call('HSET', key, node, value)\n"
	"  redis.call('PEXPIRE', key, ARGV[4])\n"
	"end\n"
	"return redis.call('HGETALL', key)\n";

const char shared_beat_script[] = "local now = redis.call('TIME')\n"
				  "now = now[1] * 1000 + math.floor(now[2] / 1000)\n"
				  "redis.call('ZADD', KEYS[1], now, ARGV[1])\n"
				  "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])\n"
				  "redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
				  "return redis.call('ZCARD', KEYS[1])\n";

/* ---- parts ---- */

size_t shared_part_write(const struct shared_part *part, char *text)
{
	size_t len = (size_t)snprintf(text, SHARED_VALUE_MAX, "%lld", (long long)part->seq);

	for (size_t i = 0; i < part->n; i++)
		len += (size_t)snprintf(text + len, SHARED_VALUE_MAX - len, " %lld:%llu",
					(long long)part->slots[i].slot,
					(unsigned long long)part->slots[i].sum);
	return len;
}

/* Digits up to INT64_MAX; returns what follows, NULL: no number. */
static const char *read_number(const char *at, const char *end, int64_t *ret)
{
	int64_t value = 0;

	if (at == end || *at < '0' || *at > '9')
		return NULL;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *at - '0', &value))
			return NULL;
	*ret = value;
	return at;
}

bool shared_part_read(const char *text, size_t len, struct shared_part *ret)
{
	const char *end = text + len;
	struct shared_part part = { 0 };
	const char *at = read_number(text, end, &part.seq);

	while (at && at < end) {
		int64_t slot, sum;

		if (*at != ' ' || part.n == POLICY_SLOTS)
			return false;
		at = read_number(at + 1, end, &slot);
		if (!at || at == end || *at != ':')
			return false;
		at = read_number(at + 1, end, &sum);
		if (!at)
			return false;
		part.slots[part.n].slot = slot;
		part.slots[part.n++].sum = (uint64_t)sum;
	}
	if (!at)
		return false;
	*ret = part;
	return true;
}

/* ---- answers ---- */

struct shared_reader {
	redisReader *reader;
	redisReplyObjectFunctions bounded;
	struct shared_reply_item items[2 * SHARED_NODES];
};

/* The wrapped ones; they are the same in every reader. */
static redisReplyObjectFunctions plain;

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
	return len > SHARED_VALUE_MAX ? NULL : plain.createString(task, text, len);
}

static void *create_array(const redisReadTask *task, int elements)
{
	return task->parent || elements < 0 || elements > 2 * SHARED_NODES ?
		       NULL :
		       plain.createArray(task, elements);
}

struct shared_reader *shared_reader_new(void)
{
	struct shared_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->reader = redisReaderCreate();
	if (!reader->reader)
		return shared_reader_free(reader);
	plain = *reader->reader->fn;
	reader->bounded = plain;
	reader->bounded.createString = create_string;
	reader->bounded.createArray = create_array;
	reader->reader->fn = &reader->bounded;
	return reader;
}

struct shared_reader *shared_reader_free(struct shared_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->reader)
		redisReaderFree(reader->reader);
	free(reader);
	return NULL;
}

static bool translate_list(struct shared_reader *reader, const redisReply *from,
			   struct shared_reply *ret)
{
	ret->kind = SHARED_LIST;
	ret->items = reader->items;
	for (size_t i = 0; i < from->elements; i++) {
		const redisReply *item = from->element[i];

		if (!item || item->type != REDIS_REPLY_STRING)
			return false;
		reader->items[ret->n++] = (struct shared_reply_item){ item->str, (size_t)item->len };
	}
	return true;
}

static bool translate(struct shared_reader *reader, const redisReply *from, struct shared_reply *ret)
{
	*ret = (struct shared_reply){ .text = "", .kind = SHARED_NOTHING };
	switch (from->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		ret->kind = from->type == REDIS_REPLY_ERROR ? SHARED_ERROR : SHARED_TEXT;
		ret->text = from->str;
		ret->len = (size_t)from->len;
		return true;
	case REDIS_REPLY_INTEGER:
		ret->kind = SHARED_NUMBER;
		ret->number = from->integer;
		return true;
	case REDIS_REPLY_ARRAY:
		return translate_list(reader, from, ret);
	case REDIS_REPLY_NIL:
		return true;
	default:
		return false;
	}
}

static void reply_freep(redisReply **reply)
{
	if (*reply)
		freeReplyObject(*reply);
}

/* 1: an answer was handed over; 0: none is whole; -1: no more. */
static int next(struct shared_reader *reader,
		bool (*fn)(void *arg, const struct shared_reply *reply), void *arg)
{
	_cleanup_(reply_freep) redisReply *reply = NULL;
	struct shared_reply told;

	if (redisReaderGetReply(reader->reader, (void **)&reply) != REDIS_OK)
		return -1;
	if (!reply)
		return 0;
	return translate(reader, reply, &told) && fn(arg, &told) ? 1 : -1;
}

bool shared_reader_feed(struct shared_reader *reader, const char *bytes, size_t len,
			bool (*fn)(void *arg, const struct shared_reply *reply), void *arg)
{
	int more = 1;

	if (redisReaderFeed(reader->reader, bytes, len) != REDIS_OK)
		return false;
	while (more > 0)
		more = next(reader, fn, arg);
	return !more && reader->reader->len - reader->reader->pos <= SHARED_REPLY_MAX;
}
