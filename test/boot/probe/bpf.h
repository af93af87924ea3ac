/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_H
#define BPF_H

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0 or more, or -ERRNO. */
static inline int bpf(int command, union bpf_attr *attr)
{
	long result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

/* A program that names no type. Its descriptor, or -ERRNO. */
static inline int load_insns(int type, const struct bpf_insn *insns, int count)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t) "GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static inline int info_of(int fd, void *info, uint32_t size)
{
	union bpf_attr attr = { .info = { .bpf_fd = fd, .info_len = size, .info = (uintptr_t)info } };

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

#endif
