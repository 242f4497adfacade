/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/answer.h"

#include <string.h>
#include <sys/socket.h>

#define HEAD       12
#define TYPE_A     1
#define TYPE_AAAA  28
#define CLASS_IN   1
#define LABEL_MAX  63
#define IS_POINTER 0xc0 /* RFC 1035 4.1.4 */

struct message {
	const uint8_t *bytes;
	size_t len, at;
	bool is_over; /* what follows is not there, or makes no sense */
};

static uint16_t read_u16(struct message *message)
{
	const uint8_t *bytes = message->bytes + message->at;

	if (message->is_over || message->len - message->at < 2) {
		message->is_over = true;
		return 0;
	}
	message->at += 2;
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void skip(struct message *message, size_t n)
{
	if (message->is_over || message->len - message->at < n)
		message->is_over = true;
	else
		message->at += n;
}

/* The first byte of a label, which is its length, or of a pointer; 0: the end. */
static uint8_t read_u8(struct message *message)
{
	if (message->is_over || message->at >= message->len) {
		message->is_over = true;
		return 0;
	}
	return message->bytes[message->at++];
}

/* The question's name, which is written without pointers; a label with anything but a name's characters is none. */
static bool read_host(struct message *message, char host[ANSWER_HOST_LEN])
{
	size_t n = 0;
	uint8_t label;

	while ((label = read_u8(message))) {
		if (label > LABEL_MAX || message->len - message->at < label ||
		    n + label + 1 >= ANSWER_HOST_LEN)
			return false;
		if (n)
			host[n++] = '.';
		for (; label; label--) {
			char c = (char)message->bytes[message->at++];

			if (c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
			    c != '_')
				return false;
			host[n++] = c;
		}
	}
	host[n] = '\0';
	return n && !message->is_over;
}

/* Pointers are not followed: what a record is called says nothing that its question does not. */
static void skip_name(struct message *message)
{
	uint8_t label;

	while ((label = read_u8(message))) {
		if (label >= IS_POINTER) {
			skip(message, 1);
			return;
		}
		if (label > LABEL_MAX)
			message->is_over = true;
		skip(message, label);
	}
}

static void read_record(struct message *message, uint16_t wanted, struct answer *ret)
{
	struct answer_address *address = &ret->addresses[ret->n];
	size_t size = wanted == TYPE_A ? 4 : 16;
	uint16_t type, class, len;
	size_t at;

	skip_name(message);
	type = read_u16(message);
	class = read_u16(message);
	skip(message, 4); /* how long it may be kept */
	len = read_u16(message);
	at = message->at;
	skip(message, len);
	if (message->is_over || type != wanted || class != CLASS_IN || len != size ||
	    ret->n >= ANSWER_MAX)
		return;
	memset(address, 0, sizeof(*address));
	address->family = wanted == TYPE_A ? AF_INET : AF_INET6;
	memcpy(address->addr, message->bytes + at, size);
	ret->n++;
}

bool answer_read(const uint8_t *bytes, size_t len, struct answer *ret)
{
	struct message message = { .bytes = bytes, .len = len };
	uint16_t flags, questions, answers, type;

	ret->n = 0;
	(void)read_u16(&message);
	flags = read_u16(&message);
	questions = read_u16(&message);
	answers = read_u16(&message);
	skip(&message, HEAD - 8);
	/* a response without an error */
	if (message.is_over || !(flags & 0x8000) || flags & 15 || questions != 1 ||
	    !read_host(&message, ret->host))
		return false;
	type = read_u16(&message);
	if (read_u16(&message) != CLASS_IN || message.is_over ||
	    (type != TYPE_A && type != TYPE_AAAA))
		return false;
	for (; answers && !message.is_over; answers--)
		read_record(&message, type, ret);
	return true;
}
