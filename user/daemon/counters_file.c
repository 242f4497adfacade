/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/counters_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "budget/policy.h"

#define VERSION 1
/* 64 Ki counters of all budgets have some 10 MB. */
#define SIZE_MAX_READ (64u << 20)

#define DIGEST_LEN 32

/* Of this host alone, so in its own byte order; then the counters. */
struct head {
	uint8_t digest[DIGEST_LEN]; /* SHA-256 of all that follows */
	uint64_t version;
	int64_t at_us;
	uint64_t n;
};

/* Then the name of the budget and the counter's key, each with its NUL. */
struct entry {
	int64_t window_start_us, nanos;
	uint64_t tokens;
	uint32_t budget_len, key_len; /* with the NUL */
};

static bool digest(const uint8_t *bytes, size_t size, uint8_t ret[DIGEST_LEN])
{
	return EVP_Digest(bytes + DIGEST_LEN, size - DIGEST_LEN, ret, NULL, EVP_sha256(), NULL);
}

struct writing {
	FILE *out;
	uint64_t n;
};

static void write_counter(void *arg, const struct policy_counter *counter)
{
	struct writing *writing = arg;
	const struct entry entry = { .window_start_us = counter->window_start_us,
				     .nanos = counter->spent_nanos,
				     .tokens = counter->spent_tokens,
				     .budget_len = (uint32_t)strlen(counter->budget->name) + 1,
				     .key_len = (uint32_t)strlen(counter->key) + 1 };

	if (!entry.nanos && !entry.tokens)
		return;
	fwrite(&entry, sizeof(entry), 1, writing->out);
	fwrite(counter->budget->name, entry.budget_len, 1, writing->out);
	fwrite(counter->key, entry.key_len, 1, writing->out);
	writing->n++;
}

static int replace(const char *dir, const uint8_t *bytes, size_t size)
{
	char path[512], new[512];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" COUNTERS_FILE, dir);
	snprintf(new, sizeof(new), "%s/" COUNTERS_FILE ".new", dir);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, bytes, size);
	if (n == (ssize_t)size && !rename(new, path))
		return 0;
	n = n >= 0 && n < (ssize_t)size ? -ENOSPC : -errno;
	(void)unlink(new);
	return (int)n;
}

int counters_file_save(const char *dir, struct policy *policy, int64_t now_us)
{
	struct head head = { .version = VERSION, .at_us = now_us };
	_cleanup_free_ char *bytes = NULL;
	struct writing writing = { 0 };
	bool is_whole;
	size_t size;

	writing.out = open_memstream(&bytes, &size);
	if (!writing.out)
		return -ENOMEM;
	fwrite(&head, sizeof(head), 1, writing.out);
	policy_counters(policy, now_us, write_counter, &writing);
	is_whole = !ferror(writing.out);
	if (fclose(writing.out) || !is_whole)
		return -ENOMEM;
	head.n = writing.n;
	memcpy(bytes, &head, sizeof(head));
	if (!digest((uint8_t *)bytes, size, (uint8_t *)bytes))
		return -ENOMEM;
	return replace(dir, (uint8_t *)bytes, size);
}

/* The whole file, to be freed. 0 or -errno. */
static int read_file(const char *dir, uint8_t **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_close_ int fd = -1;
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" COUNTERS_FILE, dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct head) ||
	    st.st_size > SIZE_MAX_READ)
		return -EBADMSG;
	bytes = malloc((size_t)st.st_size);
	if (!bytes)
		return -ENOMEM;
	if (read(fd, bytes, (size_t)st.st_size) != st.st_size)
		return -EBADMSG;
	*ret = take(bytes);
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* The counter at *at, which moves behind it. False: there is none, whole. */
static bool next(const uint8_t *bytes, size_t size, size_t *at, struct policy_known *ret)
{
	struct entry entry;

	if (size - *at < sizeof(entry))
		return false;
	memcpy(&entry, bytes + *at, sizeof(entry));
	*at += sizeof(entry);
	if (!entry.budget_len || !entry.key_len ||
	    (uint64_t)entry.budget_len + entry.key_len > size - *at ||
	    bytes[*at + entry.budget_len - 1] || bytes[*at + entry.budget_len + entry.key_len - 1])
		return false;
	ret->budget = (const char *)bytes + *at;
	ret->key = ret->budget + entry.budget_len;
	ret->window_start_us = entry.window_start_us;
	ret->nanos = entry.nanos;
	ret->tokens = entry.tokens;
	*at += entry.budget_len + entry.key_len;
	return true;
}

int counters_file_load(const char *dir, struct policy *policy, int64_t now_us, int64_t *ret_at_us)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t expected[DIGEST_LEN];
	struct policy_known known;
	size_t size = 0, at = sizeof(struct head);
	struct head head;
	int n = 0, err = read_file(dir, &bytes, &size);

	if (err || !bytes)
		return err;
	memcpy(&head, bytes, sizeof(head));
	if (!digest(bytes, size, expected) || memcmp(expected, head.digest, DIGEST_LEN) ||
	    head.version != VERSION)
		return -EBADMSG;
	known.at_us = head.at_us;
	for (uint64_t i = 0; i < head.n && next(bytes, size, &at, &known); i++)
		n += policy_at_least(policy, &known, now_us);
	*ret_at_us = head.at_us;
	return n;
}
