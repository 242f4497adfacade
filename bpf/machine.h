/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where calls have their arguments, as far as PT_REGS_PARM1() to 5() do not say it: the one file of this half that
 * tells x86-64 from arm64. Sources: System V ABI, AMD64 supplement, 3.2.3; AAPCS64, 6.8 and 6.9; Go's
 * cmd/compile/abi-internal.md.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "kernel.h"

/* Of EVP_AEAD_CTX_seal and _open: the seventh argument on. */
struct aead_args {
	__u64 in, in_len, ad, ad_len;
};

#ifdef bpf_target_x86

/* A return probe runs after the return address was popped. */
#define FRAMES_POPPED 8

/* Six arguments are in registers, the others above the return address. */
static __always_inline bool aead_args_read(struct pt_regs *ctx, struct aead_args *ret)
{
	return !bpf_probe_read_user(ret, sizeof(*ret), (const void *)(PT_REGS_SP(ctx) + 8));
}

/* Go: the receiver, and the first result at a return; arguments; the goroutine. */
#define GO_CONN(ctx) ((ctx)->rax)
#define GO_BUF(ctx)  ((ctx)->rbx)
#define GO_LEN(ctx)  ((ctx)->rcx)
#define GO_G(ctx)    ((ctx)->r14)

/* Rust: a result that is no number or two has its place as the first argument, before `self`. */
#define RUST_RESULT(ctx) PT_REGS_PARM1(ctx)
#define RUST_SELF(ctx)   PT_REGS_PARM2(ctx)
#define RUST_ARG1(ctx)   PT_REGS_PARM3(ctx)
#define RUST_ARG2(ctx)   PT_REGS_PARM4(ctx)
/* In a function that no table of methods holds, `self` may be in any of these. */
#define RUST_SELVES          1
#define RUST_SELF_OF(ctx, i) PT_REGS_PARM2(ctx)

#else

#define MACHINE_REG(ctx, i) (((const struct user_pt_regs *)(ctx))->regs[i])

/* The return address is in a register. */
#define FRAMES_POPPED       0

/* Eight arguments are in registers, the others where the stack begins. */
static __always_inline bool aead_args_read(struct pt_regs *ctx, struct aead_args *ret)
{
	ret->in = MACHINE_REG(ctx, 6);
	ret->in_len = MACHINE_REG(ctx, 7);
	return !bpf_probe_read_user(&ret->ad, 2 * sizeof(ret->ad), (const void *)PT_REGS_SP(ctx));
}

#define GO_CONN(ctx)         MACHINE_REG(ctx, 0)
#define GO_BUF(ctx)          MACHINE_REG(ctx, 1)
#define GO_LEN(ctx)          MACHINE_REG(ctx, 2)
#define GO_G(ctx)            MACHINE_REG(ctx, 28)

/* Such a result has its place in x8, and takes no argument's. */
#define RUST_RESULT(ctx)     MACHINE_REG(ctx, 8)
#define RUST_SELF(ctx)       PT_REGS_PARM1(ctx)
#define RUST_ARG1(ctx)       PT_REGS_PARM2(ctx)
#define RUST_ARG2(ctx)       PT_REGS_PARM3(ctx)
/* Where LLVM has rewritten a function that only its own module calls, the result is the first argument again (Codex). */
#define RUST_SELVES          2
#define RUST_SELF_OF(ctx, i) MACHINE_REG(ctx, i)

#endif
#endif
