/* SPDX-License-Identifier: Apache-2.0 */
#include "find/inspect.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

void inspect(const struct inspect_request *request, int fd, struct anchor_memory *memory,
	     struct inspect_answer *ret)
{
	struct stack_explanation found = {};

	*ret = (struct inspect_answer){};
	if (request->kind == INSPECT_EXPLAIN)
		ret->err = stack_explain(fd, request->by_instruction, &found);
	else
		ret->err = stack_find(fd, request->by_instruction, request->depth, memory,
				      &found.sites);
	if (memory && memory->found.size) {
		ret->record_size = (uint32_t)memory->found.size;
		memcpy(ret->record, memory->found.bytes, memory->found.size);
	}
	if (ret->err)
		return;
	ret->n = (uint32_t)found.sites.n;
	ret->n_stepped = (uint32_t)found.sites.n_stepped;
	ret->has_records_only = found.sites.has_records_only;
	ret->machine = found.machine;
	ret->write_worker = found.sites.write_worker;
	ret->read_worker = found.sites.read_worker;
	memcpy(ret->flavour, found.sites.flavour, sizeof(ret->flavour));
	memcpy(ret->how, found.how, sizeof(ret->how));
	memcpy(ret->brief, found.brief, sizeof(ret->brief));
	for (size_t i = 0; i < found.sites.n; i++) {
		ret->at[i].offset = found.sites.at[i].offset;
		ret->at[i].role = found.sites.at[i].role;
	}
}

size_t inspect_answer_size(const struct inspect_answer *answer)
{
	return offsetof(struct inspect_answer, record) + answer->record_size;
}

/* Ends, and is of what these texts are made of. */
static bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\n') || text[i] > '~')
			return false;
	return len < size;
}

/* None, or one that is known and is not this one. */
static bool is_machine(uint32_t elf)
{
	const struct machine *machine = elf <= UINT16_MAX ? machine_of((uint16_t)elf) : NULL;

	return !elf || (machine && !machine_is_here(machine));
}

static bool can_be_true(const struct inspect_answer *answer, size_t answer_size)
{
	if (answer_size < offsetof(struct inspect_answer, record) ||
	    answer->record_size > sizeof(answer->record) ||
	    answer_size != inspect_answer_size(answer))
		return false;
	/* what these say is said by whoever asks, not by a file */
	if (answer->err > 0 || answer->err < -4095 || answer->err == -ETIMEDOUT ||
	    answer->err == -ECANCELED || answer->err == -EOWNERDEAD || answer->err == -ESRCH ||
	    answer->err == -ESTALE)
		return false;
	return answer->n <= SITES_MAX && answer->n_stepped <= answer->n &&
	       answer->has_records_only <= 1 && is_machine(answer->machine) &&
	       is_text(answer->flavour, sizeof(answer->flavour)) &&
	       is_text(answer->how, sizeof(answer->how)) &&
	       is_text(answer->brief, sizeof(answer->brief));
}

int inspect_check(const struct inspect_answer *answer, size_t answer_size, uint64_t size,
		  struct stack_explanation *ret, int *ret_err)
{
	struct stack_explanation found = {};

	if (!can_be_true(answer, answer_size))
		return -EBADMSG;
	for (size_t i = 0; i < answer->n; i++) {
		if (answer->at[i].role >= TAP_ROLES || answer->at[i].offset >= size)
			return -EBADMSG;
		found.sites.at[i] = (struct tap_site){ .role = answer->at[i].role,
						       .offset = answer->at[i].offset };
	}
	found.sites.n = answer->n;
	found.sites.n_stepped = answer->n_stepped;
	found.sites.has_records_only = answer->has_records_only;
	found.machine = (uint16_t)answer->machine;
	found.sites.write_worker = answer->write_worker;
	found.sites.read_worker = answer->read_worker;
	memcpy(found.sites.flavour, answer->flavour, sizeof(found.sites.flavour));
	memcpy(found.how, answer->how, sizeof(found.how));
	memcpy(found.brief, answer->brief, sizeof(found.brief));
	*ret = found;
	*ret_err = answer->err;
	return 0;
}
