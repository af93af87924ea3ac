/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <sys/types.h>

/* /programs/NAME; how many bytes, or -1. */
ssize_t read_file(const char *name, void *to, size_t size);

/* While this is open the kernel counts runs. */
int count_runs(void);

/* How often the kernel ran a program, or -ERRNO. */
long runs_of(int prog);

/* For the next struct_ops: the descriptor goes to that offset of its value, in bytes. */
void keep_member(const char *name, unsigned int offset, int prog);

#endif
