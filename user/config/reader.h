/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one YAML document by tables of keys, with errors that give file, line and key. Included only by the
 * files of this room, which have the tables.
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "base/amount.h"

#define CONFIG_TEXT_MAX 1024 /* bytes of one value */

struct config_reader {
	const char *file;
	char *error;   /* the first one, or one a line */
	bool collects; /* continue after an error, to find the others */
	unsigned n_errors, n_warnings;
	char *warnings; /* one a line, or NULL */
	char path[128]; /* "budgets[1].steps[0]" of what is being read */
	yaml_document_t document;
	bool is_open;
};

struct config_key;
/* Reads one node into a field. 0 or -errno, then the reader has the error. */
typedef int (*config_fn)(struct config_reader *reader, yaml_node_t *node,
			 const struct config_key *key, void *field);

struct config_key {
	const char *name; /* NULL ends a table */
	size_t at;        /* offset of the field that fn is given */
	config_fn fn;
	const char *const *choices; /* config_choice: their indices are the values */
	const char *noun;           /* config_choice: what a choice is */
};

/* Loads the text; ret_root NULL: it is empty. Errors likewise. */
int config_open(struct config_reader *reader, const char *text, size_t len, yaml_node_t **ret_root);
void config_close(struct config_reader *reader);
/* The error's sentence, the caller's from now on; NULL: no memory. */
char *config_take_error(struct config_reader *reader);

unsigned config_line(const yaml_node_t *node);
/* Sets the error, "FILE:LINE: PATH: ...". Always -EINVAL. */
int config_fail(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with the value in quotes before the text. */
int config_fail_value(struct config_reader *reader, const yaml_node_t *node, const char *text);
/* Reports that the value is none of the names (NULL-terminated), lists them, and suggests the nearest. */
int config_fail_unknown(struct config_reader *reader, const yaml_node_t *node, const char *noun,
			const char *(*name)(size_t i));
/* Adds a warning if a glob has what only regular expressions have. has_dots: names of its kind have dots. */
void config_warn_of_regex(struct config_reader *reader, const yaml_node_t *node, bool has_dots);
int config_fail_line(struct config_reader *reader, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A mapping whose keys are those of the table, each at most once. */
int config_map(struct config_reader *reader, yaml_node_t *node, const struct config_key *keys,
	       void *into);
bool config_has(struct config_reader *reader, const yaml_node_t *map, const char *key);
/* A sequence of at most `max`; ret_items is filled as far as was read, also on error. */
int config_list(struct config_reader *reader, yaml_node_t *node, config_fn fn, size_t size,
		size_t max, void **ret_items, size_t *ret_n);

/*
 * A mapping of at most `max` keys of free choice. fn is given each value, with a key whose name is
 * the file's; ret_items as in config_list().
 */
int config_pairs(struct config_reader *reader, yaml_node_t *node, config_fn fn, size_t size,
		 size_t max, void **ret_items, size_t *ret_n);

int config_bool(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_string(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_name(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_glob(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
/* Of names that have dots: "api.*" is no regular expression there. */
int config_dotted_glob(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_path(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_host_pattern(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
/* "80%" or "112.5%" into thousandths, 0.1 % to 1000 %. */
int config_permille(struct config_reader *, yaml_node_t *, const struct config_key *, void *);
int config_choice(struct config_reader *, yaml_node_t *, const struct config_key *, void *);

/* "50 USD" (nine decimals at most) or "2000000 tokens"; one of the two is set, above 0. */
int config_limit(struct config_reader *reader, yaml_node_t *node, int64_t *ret_nanos,
		 uint64_t *ret_tokens);
/* "500ms", "30s", "10m", "24h", "7d". 0 or -EINVAL, without an error set. */
int config_duration_of(const yaml_node_t *node, uint64_t *ret_ns);
/* "5 USD/hour" or "500k tokens/hour", above 0; "8x of 24h". Likewise. */
int config_rate_of(const yaml_node_t *node, struct amount *ret_per_hour);
int config_spike_of(const yaml_node_t *node, uint64_t *ret_permille, uint64_t *ret_ns);
/* Index of a scalar in a NULL-terminated list; -ENOENT: none. */
int config_index(const yaml_node_t *node, const char *const *names);

#endif
