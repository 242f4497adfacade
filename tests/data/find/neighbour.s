// SPDX-License-Identifier: Apache-2.0
// arm64: an SSL_write whose prologue comes late, right behind a function that ends in a jump to it. Decoding from the
// start of that one comes to every error site, and both are called.
	.macro	put_error reason, line
	mov	w0, #16
	mov	w1, wzr
	mov	w2, #\reason
	adrp	x3, path
	add	x3, x3, :lo12:path
	mov	w4, #\line
	bl	fail
	.endm

	.text
	.p2align 2
fail:
	ret

ssl_read_impl:
	stp	x29, x30, [sp, #-16]!
	put_error 226, 870
	put_error 215, 880
	ldp	x29, x30, [sp], #16
	ret

	.globl	SSL_read
SSL_read:
	stp	x29, x30, [sp, #-16]!
	put_error 66, 931
	ldp	x29, x30, [sp], #16
	ret

neighbour:
	.ifdef FRAMELESS
	bti	c
	ldr	x0, [x0]
	.else
	stp	x29, x30, [sp, #-16]!
	bl	ssl_read_impl
	ldp	x29, x30, [sp], #16
	.endif
	b	SSL_write

	.globl	SSL_write
SSL_write:
	mov	x9, x30
	put_error 66, 953
	put_error 226, 958
	put_error 215, 973
	put_error 111, 979
	ret	x9

	.globl	main
main:
	stp	x29, x30, [sp, #-16]!
	bl	neighbour
	.ifdef CALLED
	bl	SSL_write
	.endif
	bl	SSL_read
	ldp	x29, x30, [sp], #16
	ret

	.section .rodata
	.byte	0
path:	.asciz	"/build/src/ssl/ssl_lib.cc"
