/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sniff.h"

#include <string.h>

size_t sniff_blank(enum http_side side, const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (side == HTTP_REQUEST && n < len && (bytes[n] == '\r' || bytes[n] == '\n'))
		n++;
	return n;
}

bool sniff_is_request(const uint8_t *bytes, size_t len)
{
	const uint8_t *end;
	size_t n = 0;

	while (n < len && n < HTTP_METHOD_LEN && bytes[n] >= 'A' && bytes[n] <= 'Z')
		n++;
	if (n < 3 || n + 1 >= len || bytes[n] != ' ')
		return false;
	/* origin, absolute, authority or asterisk form, RFC 9112 3.2 */
	if (bytes[n + 1] != '/' && memcmp(bytes, "CONNECT ", 8 < len ? 8 : len) &&
	    bytes[n + 1] != '*' && bytes[n + 1] != 'h' && bytes[n + 1] != 'H')
		return false;
	end = memchr(bytes, '\n', len);
	if (!end)
		return true;
	if (end > bytes && end[-1] == '\r')
		end--;
	return end - bytes >= 12 && !memcmp(end - 9, " HTTP/1.", 8);
}

bool sniff_is_response(const uint8_t *bytes, size_t len)
{
	return len >= 9 && !memcmp(bytes, "HTTP/1.", 7) && bytes[8] == ' ';
}

bool sniff_is_chunk(const uint8_t *bytes, size_t len)
{
	size_t size = 0, n = 0;

	for (; n < len && n < 8; n++) {
		if (bytes[n] >= '0' && bytes[n] <= '9')
			size = size << 4 | (bytes[n] - '0');
		else if ((bytes[n] | 32) >= 'a' && (bytes[n] | 32) <= 'f')
			size = size << 4 | ((bytes[n] | 32) - 'a' + 10);
		else
			break;
	}
	if (!n || len - n < 2 || memcmp(bytes + n, "\r\n", 2))
		return false;
	n += 2;
	return len - n >= size + 2 && !memcmp(bytes + n + size, "\r\n", 2);
}

/* The first bytes of a connection, of the side that wrote a request or should have. */
static enum sniff sniff_request_line(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && n < HTTP_METHOD_LEN && bytes[n] >= 'A' && bytes[n] <= 'Z')
		n++;
	if (n == len && n < HTTP_METHOD_LEN)
		return SNIFF_MORE;
	if (n < 3 || n == len || bytes[n] != ' ')
		return SNIFF_OTHER;
	/* the connection preface, RFC 9113 3.4 */
	return n == 3 && !memcmp(bytes, "PRI", 3) ? SNIFF_HTTP2 : SNIFF_HTTP1;
}

enum sniff sniff_start(enum http_side side, const uint8_t *bytes, size_t len)
{
	enum sniff sniff;

	if (!memcmp(bytes, "HTTP/", len < 5 ? len : 5)) {
		if (len < 5)
			return SNIFF_MORE;
		return side == HTTP_RESPONSE ? SNIFF_HTTP1 : SNIFF_SERVER;
	}
	/* a server may send its SETTINGS (type 4, stream 0) before it has seen the preface */
	if (side == HTTP_RESPONSE && bytes[0] == 0) {
		if (len < 9)
			return SNIFF_MORE;
		return bytes[3] == 4 && !memcmp(bytes + 5, "\0\0\0\0", 4) ? SNIFF_HTTP2 :
									    SNIFF_OTHER;
	}
	sniff = sniff_request_line(bytes, len);
	if (side == HTTP_RESPONSE && (sniff == SNIFF_HTTP1 || sniff == SNIFF_HTTP2))
		return SNIFF_SERVER;
	return sniff;
}

/* Frames that fill the piece to its last byte: HTTP/2 whose header compression was not followed. */
static bool is_frames(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	for (; len >= 9 && n < 64; n++) {
		size_t frame = 9 + ((size_t)bytes[0] << 16 | bytes[1] << 8 | bytes[2]);

		/* types end at CONTINUATION, 9; the stream's first bit is reserved: RFC 9113 4.1, 6 */
		if (bytes[3] > 9 || bytes[5] & 0x80 || frame > len)
			return false;
		bytes += frame;
		len -= frame;
	}
	return n && !len;
}

/* A piece from the middle of a connection. */
enum sniff sniff_middle(enum http_side side, const uint8_t *bytes, size_t len)
{
	if (len >= 4 && !memcmp(bytes, "PRI ", 4))
		return side == HTTP_REQUEST ? SNIFF_HTTP2 : SNIFF_SERVER;
	if (sniff_is_request(bytes, len))
		return side == HTTP_REQUEST ? SNIFF_HTTP1 : SNIFF_SERVER;
	if (sniff_is_response(bytes, len))
		return side == HTTP_RESPONSE ? SNIFF_HTTP1 : SNIFF_SERVER;
	return is_frames(bytes, len) ? SNIFF_OTHER : SNIFF_MORE;
}
