/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One program of the kind SECTION, which says where the kernel has MEMBER of struct STRUCT, and how big both are. Nothing of
 * that is known here: without the struct among the kernel's types no program is loaded.
 */
#include "../../fixtures/bpf/bpf.h"

struct STRUCT {
	int MEMBER;
} __core;

SEC(SECTION) int program(void *context __attribute__((unused)))
{
	struct STRUCT *object = 0;

	return (long)&object->MEMBER + type_size(struct STRUCT) + field_size(object->MEMBER);
}

char _license[] SEC("license") = "GPL";
