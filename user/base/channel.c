/* SPDX-License-Identifier: Apache-2.0 */
#include "base/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch_internal.h"
#include "base/loop.h"

#define TURN_READS 16 /* of 16 KiB in one turn of the loop */

struct channel {
	struct channel_options options; /* strings are not kept */
	struct fetcher *fetcher;
	struct fetch *fetch;
	struct loop_source *source; /* NULL: not open */
	char *out;
	size_t len, size;
	bool is_broken; /* found while writing: told from the loop */
};

/* More to read or to send: room to write is there at once, which is what makes the loop come back. */
static void watch(struct channel *channel, bool more)
{
	(void)loop_watch(channel->source,
			 LOOP_READ | (more || channel->len || channel->is_broken ? LOOP_WRITE : 0));
}

static void end(struct channel *channel, const char *why)
{
	channel->source = loop_remove(channel->source);
	channel->fetch = fetch_cancel(channel->fetch);
	channel->options.closed(channel->options.arg, why);
}

static int send_some(struct channel *channel)
{
	while (channel->len) {
		ssize_t n = fetch_send(channel->fetch, channel->out, channel->len);

		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		memmove(channel->out, channel->out + n, channel->len - (size_t)n);
		channel->len -= (size_t)n;
		explicit_bzero(channel->out + channel->len, (size_t)n);
	}
	return 0;
}

static void on_ready(void *arg)
{
	struct channel *channel = arg;
	char bytes[16384];
	ssize_t n = -EAGAIN;
	int reads;

	if (channel->is_broken || send_some(channel) < 0) {
		end(channel, "the connection broke");
		return;
	}
	for (reads = 0; reads < TURN_READS; reads++) {
		n = fetch_recv(channel->fetch, bytes, sizeof(bytes));
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			end(channel, n ? "the connection broke" : "the server hung up");
			return;
		}
		if (!channel->options.bytes(channel->options.arg, bytes, (size_t)n)) {
			end(channel, "what came was not understood");
			return;
		}
	}
	watch(channel, n != -EAGAIN);
}

static void on_connected(void *arg, const struct fetch_answer *answer)
{
	struct channel *channel = arg;
	int err;

	if (answer->err) {
		channel->fetch = NULL;
		channel->options.closed(channel->options.arg, answer->error);
		return;
	}
	err = loop_add_fd(fetcher_loop(channel->fetcher), fetch_socket(channel->fetch), on_ready,
			  channel, &channel->source);
	if (err) {
		end(channel, strerror(-err));
		return;
	}
	channel->options.opened(channel->options.arg);
}

int channel_open(struct channel **ret, struct fetcher *fetcher,
		 const struct channel_options *options)
{
	struct fetch_request request = { .url = options->url,
					 .tls = options->tls,
					 .timeout_ms = options->timeout_ms,
					 .done = on_connected };
	struct channel *channel = calloc(1, sizeof(*channel));
	int err;

	if (!channel)
		return -ENOMEM;
	channel->options = *options;
	channel->options.url = NULL;
	channel->options.tls = (struct fetch_tls){ 0 };
	channel->fetcher = fetcher;
	request.arg = channel;
	err = fetch_connect(fetcher, &request, &channel->fetch);
	if (err) {
		free(channel);
		return err;
	}
	*ret = channel;
	return 0;
}

struct channel *channel_free(struct channel *channel)
{
	if (!channel)
		return NULL;
	loop_remove(channel->source);
	fetch_cancel(channel->fetch);
	if (channel->out)
		explicit_bzero(channel->out, channel->size);
	free(channel->out);
	free(channel);
	return NULL;
}

static int make_room(struct channel *channel, size_t len)
{
	size_t size = channel->size ? channel->size : 4096;
	char *out;

	while (size < channel->len + len)
		size *= 2;
	if (size == channel->size)
		return 0;
	/* Not realloc(), which would leave an old copy. */
	out = malloc(size);
	if (!out)
		return -ENOMEM;
	if (channel->out) {
		memcpy(out, channel->out, channel->len);
		explicit_bzero(channel->out, channel->size);
	}
	free(channel->out);
	channel->out = out;
	channel->size = size;
	return 0;
}

int channel_write(struct channel *channel, const void *bytes, size_t len)
{
	int err;

	if (!channel->source)
		return -ENOTCONN;
	if (len > CHANNEL_OUT_MAX - channel->len)
		return -ENOBUFS;
	err = make_room(channel, len);
	if (err)
		return err;
	memcpy(channel->out + channel->len, bytes, len);
	channel->len += len;
	channel->is_broken = send_some(channel) < 0;
	if (channel->len || channel->is_broken)
		watch(channel, false);
	return 0;
}
