/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables: uthash, set up so that an allocation that fails is an error and not the end of the
 * process. uthash's default is exit(-1), without a word in the log.
 *
 * HASH_ADD and its kin may fail. The table is then as it was, and `entry->hh.tbl` is NULL (with a
 * handle of another name, that handle's): whoever adds checks it, and frees the entry or returns
 * -ENOMEM. Finding and deleting never allocate; nor does HASH_TOUCH.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef HASH_NONFATAL_OOM
#error "include base/hash.h instead of uthash.h"
#endif
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/*
 * FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv): the hash of what `hash` stands for and these bytes behind it. It begins with
 * FNV1A_BASIS. Whoever chooses the bytes can make two that have one hash.
 */
#define FNV1A_BASIS 0xcbf29ce484222325ULL
static inline uint64_t hash_fnv1a(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

/*
 * Moves an entry of the table to the end of its order, which then is the order of last use. HASH_DEL
 * with HASH_ADD would do the same, but the latter may fail, and the entry would be lost.
 */
#define HASH_TOUCH(hh, head, entry)                                                         \
	do {                                                                                \
		UT_hash_handle *_touched = &(entry)->hh;                                    \
                                                                                            \
		if (!_touched->next)                                                        \
			break;                                                              \
		HH_FROM_ELMT(_touched->tbl, _touched->next)->prev = _touched->prev;         \
		if (_touched->prev)                                                         \
			HH_FROM_ELMT(_touched->tbl, _touched->prev)->next = _touched->next; \
		else                                                                        \
			DECLTYPE_ASSIGN(head, _touched->next);                              \
		HASH_APPEND_LIST(hh, head, entry);                                          \
	} while (0)

/*
 * The analyzer of clang does not see that an entry leaves its bucket and its list together, and
 * reports that freed entries are used. For it the operations are functions of which it knows nothing.
 */
#ifdef __clang_analyzer__
void *hash_unknown(void *head, const void *key, void *entry);

#undef HASH_FIND
#undef HASH_ADD_KEYPTR
#undef HASH_DELETE_HH
#undef HASH_TOUCH
#undef HASH_SRT
#define HASH_FIND(hh, head, keyptr, keylen, out)       ((out) = hash_unknown(head, keyptr, NULL))
#define HASH_ADD_KEYPTR(hh, head, keyptr, keylen, add) ((head) = hash_unknown(head, keyptr, add))
#define HASH_DELETE_HH(hh, head, delhh)                ((head) = hash_unknown(head, NULL, delhh))
#define HASH_TOUCH(hh, head, entry)                    ((head) = hash_unknown(head, NULL, entry))
#define HASH_SRT(hh, head, cmpfcn)                     ((head) = hash_unknown(head, (void *)(cmpfcn), NULL))
#endif

#endif
