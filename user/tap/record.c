/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define MAGIC        "AIGEV002"
#define BUFFER_BYTES (256u << 10) /* stdio's own is 4 KiB: a system call for each 20 events */
#define EVENT_MAX    (sizeof(struct ev_data) + EV_PIECE_MAX) /* the largest of event.h */

struct record {
	FILE *file;
	uint64_t epoch_ns;
	_Alignas(8) unsigned char event[EVENT_MAX];
};

static int record_new(struct record **ret, FILE *file)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return -ENOMEM;
	record->file = file;
	*ret = record;
	return 0;
}

int record_create(struct record **ret, const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_fclose_ FILE *file = NULL;
	uint64_t epoch_ns = clock_ns(CLOCK_REALTIME) - clock_mono_ns();
	int err;

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file)
		return -errno;
	take_fd(fd);
	(void)setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
	if (fwrite(MAGIC, 8, 1, file) != 1 || fwrite(&epoch_ns, sizeof(epoch_ns), 1, file) != 1)
		return -EIO;
	err = record_new(ret, file);
	if (!err)
		take(file);
	return err;
}

int record_write(struct record *record, const struct ev_head *event, size_t size)
{
	__u32 size32 = (__u32)size;

	if (fwrite(&size32, sizeof(size32), 1, record->file) != 1 ||
	    fwrite(event, size, 1, record->file) != 1)
		return -EIO;
	return 0;
}

int record_open(struct record **ret, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	uint64_t epoch_ns;
	char magic[8];
	int err;

	if (!file)
		return -errno;
	(void)setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
	if (fread(magic, sizeof(magic), 1, file) != 1 || memcmp(magic, MAGIC, sizeof(magic)) ||
	    fread(&epoch_ns, sizeof(epoch_ns), 1, file) != 1)
		return -EINVAL;
	err = record_new(ret, file);
	if (err)
		return err;
	take(file);
	(*ret)->epoch_ns = epoch_ns;
	return 0;
}

int record_read(struct record *record, const struct ev_head **ret_event, size_t *ret_size)
{
	__u32 size;

	if (fread_unlocked(&size, sizeof(size), 1, record->file) != 1)
		return feof(record->file) ? 0 : -EIO;
	if (size < sizeof(struct ev_head) || size > EVENT_MAX ||
	    fread_unlocked(record->event, size, 1, record->file) != 1)
		return -EINVAL;
	*ret_event = (const struct ev_head *)record->event;
	*ret_size = size;
	return 1;
}

uint64_t record_epoch_ns(const struct record *record)
{
	return record->epoch_ns;
}

struct record *record_free(struct record *record)
{
	if (!record)
		return NULL;
	fclose(record->file);
	free(record);
	return NULL;
}
