// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists executable file mappings with their real inodes. /proc/PID/maps shows the overlay's inode, under which
 * one file has several identities and two files may share one. Linux 5.12. docs/facts/kernel.md, "File identity
 * below overlayfs".
 */
#include "maps.h"

SEC("iter/task_vma")
int list_vmas(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct ev_mapping mapping = {};
	struct file *file;

	if (!task || !vma || !(vma->vm_flags & VM_EXEC))
		return 0;
	file = vma->vm_file;
	if (!file)
		return 0;
	mapping.tgid = task->tgid;
	mapping.start = vma->vm_start;
	mapping.end = vma->vm_end;
	mapping.dev = file->f_inode->i_sb->s_dev;
	mapping.ino = file->f_inode->i_ino;
	bpf_seq_write(ctx->meta->seq, &mapping, sizeof(mapping));
	return 0;
}
