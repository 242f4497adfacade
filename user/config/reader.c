/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "usage/charge.h"

#define ERRORS_MAX 50 /* that are reported for one file */
#define QUOTE_MAX  64 /* bytes of a value that an error repeats */

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A value as an error may quote it: short, and without control characters. */
static void quote(const char *text, char buf[QUOTE_MAX])
{
	size_t i;

	for (i = 0; text[i] && i < QUOTE_MAX - 1; i++)
		buf[i] = (unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f ? '?' :
											   text[i];
	buf[i] = '\0';
}

static void set_error(struct config_reader *reader, unsigned line, const char *format, va_list args)
{
	_cleanup_free_ char *what = NULL, *before = NULL;

	if (reader->error && (!reader->collects || reader->n_errors >= ERRORS_MAX))
		return;
	if (vasprintf(&what, format, args) < 0) {
		what = NULL;
		return;
	}
	/* "budgets[0].limit: ... is not", but "budgets[0] lacks": a sentence about the place itself */
	before = take(reader->error);
	reader->n_errors++;
	if (asprintf(&reader->error, "%s%s%s:%u: %s%s%s", before ? before : "", before ? "\n" : "",
		     reader->file, line, reader->path,
		     !reader->path[0] ? "" :
		     what[0] == '"'   ? ": " :
					" ",
		     what) < 0)
		reader->error = NULL;
}

int config_fail(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_error(reader, config_line(node), format, args);
	va_end(args);
	return -EINVAL;
}

int config_fail_line(struct config_reader *reader, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_error(reader, line, format, args);
	va_end(args);
	return -EINVAL;
}

int config_fail_value(struct config_reader *reader, const yaml_node_t *node, const char *text)
{
	char value[QUOTE_MAX];

	if (node->type != YAML_SCALAR_NODE)
		return config_fail(reader, node, "is a list or a mapping where one value belongs");
	quote(text_of(node), value);
	return config_fail(reader, node, "\"%s\" %s", value, text);
}

char *config_take_error(struct config_reader *reader)
{
	return take(reader->error);
}

unsigned config_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

/*
 * Whether a tab indents the line of a syntax error, which libyaml reports only as a character that cannot start
 * a token.
 */
static bool is_tab(const yaml_parser_t *parser, const char *text, size_t len)
{
	const char *end = text + len;

	for (size_t line = parser->problem_mark.line; line && text < end; line--) {
		const char *next = memchr(text, '\n', (size_t)(end - text));

		text = next ? next + 1 : end;
	}
	while (text < end && *text == ' ')
		text++;
	return text < end && *text == '\t';
}

static int fail_yaml(struct config_reader *reader, const yaml_parser_t *parser, const char *text,
		     size_t len)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR) {
		if (asprintf(&reader->error, "%s: not YAML: %s at byte %zu; save it as UTF-8 text",
			     reader->file, parser->problem, parser->problem_offset) < 0)
			reader->error = NULL;
		return -EINVAL;
	}
	if (is_tab(parser, text, len))
		return config_fail_line(reader, (unsigned)parser->problem_mark.line + 1,
					"not YAML: the line is indented by a tab; put blanks there");
	return config_fail_line(reader, (unsigned)parser->problem_mark.line + 1, "not YAML: %s%s%s",
				parser->context ? parser->context : "", parser->context ? ", " : "",
				parser->problem ? parser->problem : "cannot be read");
}

int config_open(struct config_reader *reader, const char *text, size_t len, yaml_node_t **ret_root)
{
	yaml_document_t second;
	yaml_parser_t parser;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &reader->document)) {
		r = fail_yaml(reader, &parser, text, len);
		yaml_parser_delete(&parser);
		return r;
	}
	reader->is_open = true;
	*ret_root = yaml_document_get_root_node(&reader->document);
	if (*ret_root) {
		if (!yaml_parser_load(&parser, &second)) {
			r = fail_yaml(reader, &parser, text, len);
		} else {
			yaml_node_t *root = yaml_document_get_root_node(&second);

			if (root)
				r = config_fail(reader, root,
						"begins a second document; a configuration is "
						"one, take the --- away");
			yaml_document_delete(&second);
		}
	}
	yaml_parser_delete(&parser);
	return r;
}

void config_close(struct config_reader *reader)
{
	if (reader->is_open)
		yaml_document_delete(&reader->document);
	reader->is_open = false;
	free(take(reader->error));
	free(take(reader->warnings));
}

/* Levenshtein's distance, for words of at most 31 bytes; else a great one. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(a), m = strlen(b);

	if (n > 31 || m > 31)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t up = row[j],
			       best = corner + (tolower((unsigned char)a[i - 1]) != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = up;
			row[j] = best;
		}
	}
	return row[m];
}

/* The possible words, and the one that was probably meant. */
struct offer {
	char list[512];
	const char *nearest;
	size_t distance;
};

static void offer_add(struct offer *offer, const char *wrong, const char *right)
{
	size_t len = strlen(offer->list), away = distance(wrong, right);

	/* Half a word is none. */
	if (len + strlen(right) + sizeof(", , ...") <= sizeof(offer->list))
		snprintf(offer->list + len, sizeof(offer->list) - len, "%s%s", len ? ", " : "",
			 right);
	else if (len < 3 || strcmp(offer->list + len - 3, "..."))
		snprintf(offer->list + len, sizeof(offer->list) - len, ", ...");
	if (away <= 1 + strlen(right) / 4 && (!offer->nearest || away < offer->distance)) {
		offer->nearest = right;
		offer->distance = away;
	}
}

static int fail_offer(struct config_reader *reader, const yaml_node_t *node, const char *what,
		      const struct offer *offer)
{
	char value[QUOTE_MAX];

	quote(text_of(node), value);
	if (offer->nearest)
		return config_fail(reader, node, "\"%s\" is not %s; did you mean \"%s\"? (%s)",
				   value, what, offer->nearest, offer->list);
	return config_fail(reader, node, "\"%s\" is not %s; give one of: %s", value, what,
			   offer->list);
}

static int fail_key(struct config_reader *reader, const yaml_node_t *name,
		    const struct config_key *keys)
{
	struct offer offer = { 0 };

	for (const struct config_key *key = keys; key->name; key++)
		offer_add(&offer, text_of(name), key->name);
	return fail_offer(reader, name, "a key here", &offer);
}

static const struct config_key *find_key(const struct config_key *keys, const yaml_node_t *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, text_of(name)))
			return keys;
	return NULL;
}

static bool is_scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && strlen(text_of(node)) == node->data.scalar.length &&
	       node->data.scalar.length <= CONFIG_TEXT_MAX;
}

static int read_key(struct config_reader *reader, yaml_node_t *name, yaml_node_t *value,
		    const struct config_key *keys, void *into)
{
	size_t len = strlen(reader->path);
	const struct config_key *key;
	int r;

	/* as in Compose files: a place for anchors */
	if (!len && !strncmp(text_of(name), "x-", 2))
		return 0;
	key = find_key(keys, name);
	if (!key)
		return fail_key(reader, name, keys);
	snprintf(reader->path + len, sizeof(reader->path) - len, "%s%s", len ? "." : "", key->name);
	r = key->fn(reader, value, key, (char *)into + key->at);
	reader->path[len] = '\0';
	return r;
}

/* Checks that a key is a word and is not repeated in this mapping. */
static int check_name(struct config_reader *reader, yaml_node_t *map, const yaml_node_pair_t *pair)
{
	yaml_document_t *document = &reader->document;
	yaml_node_t *name = yaml_document_get_node(document, pair->key);

	if (!is_scalar(name))
		return config_fail(reader, name, "has a key that is not a word");
	for (yaml_node_pair_t *other = map->data.mapping.pairs.start; other < pair; other++) {
		yaml_node_t *before = yaml_document_get_node(document, other->key);

		if (!strcmp(text_of(before), text_of(name)))
			return config_fail(reader, name,
					   "\"%s\" stands here twice, first in line %u; "
					   "take one away",
					   text_of(name), config_line(before));
	}
	return 0;
}

/* Whether to continue after an error: one wrong value does not affect the next. */
static bool goes_on(const struct config_reader *reader, int err)
{
	return reader->collects && err == -EINVAL;
}

int config_map(struct config_reader *reader, yaml_node_t *node, const struct config_key *keys,
	       void *into)
{
	yaml_document_t *document = &reader->document;
	int first = 0;

	if (node->type != YAML_MAPPING_NODE)
		return config_fail(reader, node, "must be a mapping, as { key: value }");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(document, pair->key);
		int r = check_name(reader, node, pair);

		if (!r)
			r = read_key(reader, name, yaml_document_get_node(document, pair->value),
				     keys, into);
		if (r < 0 && !goes_on(reader, r))
			return r;
		first = first ? first : r;
	}
	return first;
}

bool config_has(struct config_reader *reader, const yaml_node_t *map, const char *key)
{
	for (yaml_node_pair_t *pair = map->data.mapping.pairs.start;
	     pair < map->data.mapping.pairs.top; pair++)
		if (!strcmp(text_of(yaml_document_get_node(&reader->document, pair->key)), key))
			return true;
	return false;
}

static bool is_null(const yaml_node_t *node)
{
	return is_scalar(node) && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!text_of(node)[0] || !strcmp(text_of(node), "~") || !strcmp(text_of(node), "null"));
}

int config_list(struct config_reader *reader, yaml_node_t *node, config_fn fn, size_t size,
		size_t max, void **ret_items, size_t *ret_n)
{
	yaml_node_item_t *item;
	size_t len = strlen(reader->path), n;
	int first = 0;
	char *items;

	if (is_null(node)) /* every line under the key is a comment */
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return config_fail(reader, node, "must be a list, each item behind a -");
	n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (n > max)
		return config_fail(reader, node, "has %zu items; %zu is the most", n, max);
	if (!n)
		return 0;
	items = calloc(n, size);
	if (!items)
		return -ENOMEM;
	*ret_items = items;
	*ret_n = n;
	item = node->data.sequence.items.start;
	for (size_t i = 0; i < n; i++) {
		int r;

		snprintf(reader->path + len, sizeof(reader->path) - len, "[%zu]", i);
		r = fn(reader, yaml_document_get_node(&reader->document, item[i]), NULL,
		       items + i * size);
		reader->path[len] = '\0';
		if (r < 0 && !goes_on(reader, r))
			return r;
		first = first ? first : r;
	}
	return first;
}

int config_pairs(struct config_reader *reader, yaml_node_t *node, config_fn fn, size_t size,
		 size_t max, void **ret_items, size_t *ret_n)
{
	yaml_document_t *document = &reader->document;
	size_t len = strlen(reader->path), n;
	char *items;

	if (node->type != YAML_MAPPING_NODE)
		return config_fail(reader, node, "must be a mapping, as { key: value }");
	n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	if (!n || n > max)
		return config_fail(reader, node, "has %zu keys; give 1 to %zu", n, max);
	items = calloc(n, size);
	if (!items)
		return -ENOMEM;
	*ret_items = items;
	*ret_n = n;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];
		struct config_key key = { .fn = fn };
		char name[QUOTE_MAX];
		int r = check_name(reader, node, pair);

		if (r < 0)
			return r;
		key.name = text_of(yaml_document_get_node(document, pair->key));
		quote(key.name, name);
		snprintf(reader->path + len, sizeof(reader->path) - len, ".%s", name);
		r = fn(reader, yaml_document_get_node(document, pair->value), &key,
		       items + i * size);
		reader->path[len] = '\0';
		if (r < 0)
			return r;
	}
	return 0;
}

int config_index(const yaml_node_t *node, const char *const *names)
{
	for (int i = 0; is_scalar(node) && names[i]; i++)
		if (!strcmp(text_of(node), names[i]))
			return i;
	return -ENOENT;
}

int config_fail_unknown(struct config_reader *reader, const yaml_node_t *node, const char *noun,
			const char *(*name)(size_t i))
{
	struct offer offer = { 0 };

	for (size_t i = 0; name(i); i++)
		if (!i || strcmp(name(i), name(i - 1)))
			offer_add(&offer, text_of(node), name(i));
	return fail_offer(reader, node, noun, &offer);
}

/* Parts of regular expressions that fnmatch(3) would match literally. */
static const char *regex_part(const char *glob, bool has_dots)
{
	static const char *const parts[] = { ".+", "\\d", "\\w", "\\.", "(?", "|", ".*" };
	size_t len = strlen(glob);

	if (glob[0] == '^')
		return "^";
	if (len && glob[len - 1] == '$')
		return "$";
	for (size_t i = 0; i < ARRAY_SIZE(parts) - has_dots; i++)
		if (strstr(glob, parts[i]))
			return parts[i];
	return NULL;
}

void config_warn_of_regex(struct config_reader *reader, const yaml_node_t *node, bool has_dots)
{
	const char *part = regex_part(text_of(node), has_dots);
	_cleanup_free_ char *before = NULL;
	char value[QUOTE_MAX];

	if (!part || reader->n_warnings >= ERRORS_MAX)
		return;
	before = take(reader->warnings);
	reader->n_warnings++;
	quote(text_of(node), value);
	if (asprintf(&reader->warnings,
		     "%s%s%s:%u: %s: \"%s\" looks like a regular expression (%s), and is a glob: * is any "
		     "text, ? one character, [a-z] one of these, and everything else itself",
		     before ? before : "", before ? "\n" : "", reader->file, config_line(node),
		     reader->path, value, part) < 0)
		reader->warnings = NULL;
}

int config_choice(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		  void *field)
{
	struct offer offer = { 0 };
	int index = config_index(node, key->choices);

	if (!is_scalar(node))
		return config_fail_value(reader, node, "is not one of the possible words");
	for (int i = 0; key->choices[i]; i++)
		offer_add(&offer, text_of(node), key->choices[i]);
	if (index < 0)
		return fail_offer(reader, node, key->noun, &offer);
	/* Enumerations of non-negative values are unsigned int to gcc and clang. */
	*(unsigned *)field = (unsigned)index;
	return 0;
}
