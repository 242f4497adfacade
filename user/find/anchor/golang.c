/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's crypto/tls. The runtime keeps a table of all functions (pclntab) that no stripping removes, for it
 * walks stacks by it: names and entries, sorted. Layout: runtime/symtab.go, internal/abi; the magic of 1.18 and
 * that of 1.20 and later. Older versions pass arguments on the stack and are left alone.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/stacks.h"

#define FUNCTIONS_MAX 2000000
#define NAMES_MAX     (64u << 20)
#define ROWS_PIECE    8192
#define INFO_PIECE    (256u << 10)

struct table {
	uint64_t at; /* virtual, of its header */
	uint64_t n_functions;
	uint64_t text; /* as the header says; 0 from 1.26 on */
	uint64_t names, names_end;
	uint64_t rows;
};

struct header {
	uint32_t magic;
	uint8_t zero[2], instruction, pointer;
	uint64_t n_functions, n_files, text, names, units, files, lines, rows;
};
_Static_assert(sizeof(struct header) == 72, "as the linker writes it");

struct row {
	uint32_t entry, info; /* from the text's start, from the rows' start */
};

/* What is asked for, in one walk over the table. */
enum wanted { WRITE, READ, CLOSE, RECORD, ENTRY, WANTED };
static const char *name_wanted(const struct image *image, int wanted)
{
	static const char *const names[WANTED] = {
		[WRITE] = "crypto/tls.(*Conn).Write",
		[READ] = "crypto/tls.(*Conn).Read",
		[CLOSE] = "crypto/tls.(*Conn).Close",
		[RECORD] = "crypto/tls.(*Conn).write",
	};

	return wanted == ENTRY ? image->machine->go_entry : names[wanted];
}

struct found {
	bool is_named;
	uint32_t name; /* offset among the names */
	bool is_there;
	uint32_t entry, next; /* its own and the next function's, from the text's start */
};

static int read_table(const struct image *image, uint64_t at, struct table *ret)
{
	struct header head;
	int err = image_read(image, at, &head, sizeof(head));

	if (err)
		return err;
	if (head.pointer != 8 || head.instruction != image->machine->go_unit || !head.n_functions ||
	    head.n_functions > FUNCTIONS_MAX || head.names < sizeof(head) ||
	    head.units <= head.names || head.units - head.names > NAMES_MAX ||
	    head.rows <= head.units || head.rows > IMAGE_CODE_MAX)
		return -ENOENT;
	*ret = (struct table){
		.at = at,
		.n_functions = head.n_functions,
		.text = head.text,
		.names = at + head.names,
		.names_end = at + head.units,
		.rows = at + head.rows,
	};
	return 0;
}

static int find_names(const struct image *image, const struct table *table, struct found *found)
{
	size_t size = (size_t)(table->names_end - table->names);
	_cleanup_free_ char *names = malloc(size);
	int err;

	if (!names)
		return -ENOMEM;
	err = image_read(image, table->names, names, size);
	if (err)
		return err;
	for (int i = 0; i < WANTED; i++) {
		const char *wanted = name_wanted(image, i), *p = names;
		size_t len = strlen(wanted) + 1;

		/* a whole name: behind another's NUL */
		while ((p = memmem(p, size - (size_t)(p - names), wanted, len)) && p != names &&
		       p[-1])
			p++;
		if (!p)
			continue;
		found[i].is_named = true;
		found[i].name = (uint32_t)(p - names);
	}
	return found[WRITE].is_named && found[READ].is_named ? 0 : -ENOENT;
}

/* The name of a function, by what its row points to: entry and name. Rows ascend, so a window moves along. */
struct window {
	uint64_t base;
	size_t size;
	uint8_t bytes[INFO_PIECE];
};

static int name_of(const struct image *image, struct window *window, uint64_t at, uint32_t *ret)
{
	if (at < window->base || at + 8 > window->base + window->size) {
		ssize_t n = image_read_some(image, at, window->bytes, sizeof(window->bytes));

		if (n < 8)
			return n < 0 ? (int)n : -ENOENT;
		window->base = at;
		window->size = (size_t)n;
	}
	memcpy(ret, window->bytes + (at - window->base) + 4, sizeof(*ret));
	return 0;
}

static int find_rows(const struct image *image, const struct table *table, struct found *found)
{
	_cleanup_free_ struct window *window = calloc(1, sizeof(*window));
	_cleanup_free_ struct row *rows = calloc(ROWS_PIECE + 1, sizeof(*rows));

	if (!window || !rows)
		return -ENOMEM;
	for (uint64_t i = 0; i < table->n_functions; i += ROWS_PIECE) {
		uint64_t left = table->n_functions - i;
		size_t n = left < ROWS_PIECE ? (size_t)left : ROWS_PIECE;
		/* behind the last stands the text's end, as one more entry without its second half */
		int err = image_read(image, table->rows + i * sizeof(*rows), rows,
				     n * sizeof(*rows) + sizeof(rows->entry));

		for (size_t k = 0; k < n && !err; k++) {
			uint32_t name = 0;

			err = name_of(image, window, table->rows + rows[k].info, &name);
			for (int w = 0; w < WANTED && !err; w++)
				if (found[w].is_named && found[w].name == name)
					found[w] = (struct found){ true, name, true, rows[k].entry,
								   rows[k + 1].entry };
		}
		if (err)
			return err;
	}
	return found[WRITE].is_there && found[READ].is_there ? 0 : -ENOENT;
}

/* The function, if the text starts at `text`. 0; -ENOENT: it does not. */
static int place(struct search *search, const struct found *found, uint64_t text,
		 struct anchor_function *ret, uint64_t *ret_returns, size_t *ret_n)
{
	uint64_t start = text + found->entry, end = text + found->next;
	uint64_t returns[ANCHOR_RETURNS_MAX];
	uint8_t head[MACHINE_GO_CHECK];
	size_t len;
	int n;

	if (found->next <= found->entry || !image_is_code(search->image, start) ||
	    image_read(search->image, start, head, sizeof(head)))
		return -ENOENT;
	/* every function that may need more stack begins with a look at its goroutine's limit */
	len = search->image->machine->go_check(head);
	if (!len)
		return -ENOENT;
	n = code_returns(search->code, start, end, returns, ARRAY_SIZE(returns));
	if (n < 0)
		return n == -EOPNOTSUPP ? -ENOENT : n;
	if (!n)
		return -ENOENT;
	*ret = (struct anchor_function){
		.addr = start,
		.end = end,
		.proof = CODE_TABLE,
		.n_marks = 1,
		.probe = start + len,
	};
	if (ret_returns) {
		memcpy(ret_returns, returns, (size_t)n * sizeof(*returns));
		*ret_n = (size_t)n;
	}
	return 0;
}

/* One that can be done without. 0 or -errno. */
static int place_other(struct search *search, const struct found *found, uint64_t text,
		       enum anchor_function_id id)
{
	int err = found->is_there ?
			  place(search, found, text, &search->anchors->functions[id], NULL, NULL) :
			  0;

	return err == -ENOENT ? 0 : err;
}

static int place_both(struct search *search, const struct found *found, uint64_t text)
{
	struct anchors *anchors = search->anchors;
	int err = place(search, &found[WRITE], text, &anchors->functions[ANCHOR_GO_WRITE], NULL,
			NULL);

	if (!err)
		err = place(search, &found[READ], text, &anchors->functions[ANCHOR_GO_READ],
			    anchors->go_returns, &anchors->n_go_returns);
	if (!err)
		err = place_other(search, &found[CLOSE], text, ANCHOR_GO_CLOSE);
	if (!err)
		err = place_other(search, &found[RECORD], text, ANCHOR_GO_RECORD);
	if (err) {
		for (int i = ANCHOR_GO_WRITE; i <= ANCHOR_GO_RECORD; i++)
			anchors->functions[i] = (struct anchor_function){ 0 };
		anchors->n_go_returns = 0;
	}
	return err;
}

/*
 * Where the text starts: as the header says; where it says 0, by the program's entry, which is
 * go_entry (machine.h) unless a C compiler linked it; else at the begin of a segment, behind the C start-up code
 * or not. What is right shows in both functions.
 */
static int place_by_text(struct search *search, const struct table *table, const struct found *found)
{
	const struct image *image = search->image;
	int err = -ENOENT;

	if (table->text)
		err = place_both(search, found, table->text);
	if (err == -ENOENT && found[ENTRY].is_there && image->entry > found[ENTRY].entry)
		err = place_both(search, found, image->entry - found[ENTRY].entry);
	for (size_t i = 0; i < image->n_segments && err == -ENOENT; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (!segment->is_exec)
			continue;
		err = place_both(search, found, segment->vaddr);
		if (err == -ENOENT) /* the ELF header and program headers in front */
			err = place_both(search, found, (segment->vaddr + 0xfff) & ~0xfffULL);
		if (err == -ENOENT)
			err = place_both(search, found, segment->vaddr + 0x1000);
	}
	return err;
}

static int try_table(struct search *search, uint64_t at)
{
	struct found found[WANTED] = {};
	struct table table;
	int err = read_table(search->image, at, &table);

	if (!err)
		err = find_names(search->image, &table, found);
	if (!err)
		err = find_rows(search->image, &table, found);
	if (err)
		return err;
	search->anchors->stacks[ANCHOR_GO].is_present = true;
	return place_by_text(search, &table, found);
}

int golang_find(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_GO];

	/* eight bytes that look like the table's head say nothing: a program is Go's if it has the names */
	finding->is_present = false;
	for (size_t i = 0; i < search->n_hits; i++) {
		int err;

		if (search->hits[i].needle != MARK_GO_1_20 && search->hits[i].needle != MARK_GO_1_18)
			continue;
		err = try_table(search, search->hits[i].addr);
		if (!err) {
			finding->is_proven = true;
			finding->why = NULL;
			return 0;
		}
		if (err != -ENOENT)
			return err;
	}
	if (finding->is_present)
		finding->why =
			"crypto/tls is named in the function table and was not found in the code";
	return 0;
}
