/* SPDX-License-Identifier: Apache-2.0 */
#include "config/last_good.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/cleanup.h"

#define FILE_MAX (1024 * 1024) /* as config.c reads */

/* Keys of the file whose values may be secrets: URLs with tokens, headers. */
static const char *const left_out[] = { "webhooks", "otlp" };

static bool is_left_out(const yaml_node_t *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (key->type == YAML_SCALAR_NODE &&
		    !strcmp((const char *)key->data.scalar.value, left_out[i]))
			return true;
	return false;
}

/* libyaml counts characters of UTF-8, not bytes. */
static size_t byte_of(const char *text, size_t len, size_t character)
{
	size_t at = 0;

	for (; at < len; at++)
		if (((unsigned char)text[at] & 0xc0) != 0x80 && !character--)
			break;
	return at;
}

/* Lines that are comments may contain anything, so they are blanked. */
static void blank_comments(char *text, size_t len)
{
	bool at_start = true, in_comment = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			at_start = true;
			in_comment = false;
			continue;
		}
		in_comment |= at_start && text[i] == '#';
		at_start &= text[i] == ' ' || text[i] == '\t';
		if (in_comment)
			text[i] = ' ';
	}
}

/* Where an alias after a key ends: its node is the anchored one, elsewhere in the file. */
static size_t alias_end(const char *text, size_t len, size_t from)
{
	while (from < len && text[from] != '*')
		from++;
	while (from < len && text[from] != ' ' && text[from] != '\n')
		from++;
	return from;
}

/* Copies what may be kept into a text of blanks, so that each key keeps its line. Returns 0 or -errno. */
static int cut(const char *text, size_t len, char *ret)
{
	yaml_document_t document;
	yaml_parser_t parser;
	yaml_node_t *root;
	int err = 0;

	for (size_t i = 0; i < len; i++)
		ret[i] = text[i] == '\n' ? '\n' : ' ';
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		yaml_parser_delete(&parser);
		return -EINVAL;
	}
	root = yaml_document_get_root_node(&document);
	if (root && (root->type != YAML_MAPPING_NODE ||
		     root->data.mapping.style == YAML_FLOW_MAPPING_STYLE))
		err = -EINVAL;
	for (yaml_node_pair_t *pair = root && !err ? root->data.mapping.pairs.start : NULL;
	     pair && pair < root->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(&document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(&document, pair->value);
		size_t from = byte_of(text, len, key->start_mark.index);
		size_t to = byte_of(text, len, value->end_mark.index);

		if (to <= from)
			to = alias_end(text, len, byte_of(text, len, key->end_mark.index));
		if (!is_left_out(key))
			memcpy(ret + from, text + from, to - from);
	}
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	blank_comments(ret, len);
	return err;
}

static int read_whole(const char *path, char **ret, size_t *ret_len)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = malloc(FILE_MAX + 1);

	if (!file)
		return -errno;
	if (!text)
		return -ENOMEM;
	*ret_len = fread(text, 1, FILE_MAX + 1, file);
	if (ferror(file))
		return -EIO;
	if (*ret_len > FILE_MAX)
		return -EFBIG;
	*ret = take(text);
	return 0;
}

/* Replaces the file by a rename, so that a full disk does not cost the previous one. */
static int replace(const char *path, const char *text, size_t len)
{
	_cleanup_free_ char *aside = NULL;
	_cleanup_close_ int fd = -1;
	int err = 0;

	if (asprintf(&aside, "%s.new", path) < 0)
		return -ENOMEM;
	(void)unlink(aside);
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		err = errno ? -errno : -EIO;
	if (!err && rename(aside, path) < 0)
		err = -errno;
	if (err)
		(void)unlink(aside);
	return err;
}

int last_good_save(const char *state, const char *path)
{
	_cleanup_free_ char *text = NULL, *kept = NULL, *to = NULL, *sentence = NULL;
	struct config config;
	size_t len = 0;
	int err = read_whole(path, &text, &len);

	if (!err)
		kept = malloc(len + 1);
	if (!err && (!kept || asprintf(&to, "%s/" LAST_GOOD_FILE, state) < 0))
		err = -ENOMEM;
	if (!err)
		err = cut(text, len, kept);
	/* For example, an anchor in a part that was left out makes the rest unreadable. */
	if (!err)
		err = config_parse(&config, path, kept, len, &sentence);
	if (err)
		return err;
	config_done(&config);
	return replace(to, kept, len);
}

int last_good_load(struct config *ret, const char *state)
{
	_cleanup_free_ char *path = NULL, *sentence = NULL, *text = NULL;
	size_t len = 0;
	int err = asprintf(&path, "%s/" LAST_GOOD_FILE, state) < 0 ? -ENOMEM : 0;

	if (!err)
		err = read_whole(path, &text, &len);
	if (!err)
		err = config_parse(ret, path, text, len, &sentence);
	if (!err)
		ret->rules.is_restored = true;
	return err;
}
