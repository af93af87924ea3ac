// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BPF programs, with nothing but the bpf() system call. Who wrote the initramfs assembled them and knows all type ids. The
 * step is
 *
 *   program NAME TYPE ATTACH_TYPE ATTACH_BTF ATTACH_ID BTFS USE
 *
 * and /programs/NAME holds the instructions. BTFS are names of /sys/kernel/btf, with commas, or "-": a kfunc call with offset
 * n, and a BTF id in a 64-bit immediate whose second half is n, mean the nth of them (from 1 on, 0 is vmlinux). USE:
 *
 *   load            nothing more
 *   run             BPF_PROG_TEST_RUN, with a packet where the type wants one
 *   attach          attached; then a file is opened, a process made, and the test functions of net/bpf/test_run.c run, or an
 *                   iterator is read to its end
 *   tracepoint:NAME attached to a raw tracepoint; then as above, without test functions
 *   member:OFFSET   stays loaded, for the next struct_ops: its descriptor goes to that offset of the value (struct-ops.c)
 *
 * What is said:
 *
 *   probe: program NAME load 0|-ERRNO [WORDS]     of a failure, the last line of the verifier's log
 *   probe: program NAME return NUMBER|-ERRNO      of `run`; with -ERRNO also where the run itself failed
 *   probe: program NAME attach 0|-ERRNO           of those that are attached
 *   probe: program NAME read BYTES|-ERRNO         of an iterator
 *   probe: program NAME runs COUNT                of those that are attached: how often the kernel ran it
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bpf.h"
#include "probe.h"
#include "programs.h"

#define MAX_BTFS 8

/* The BTF of vmlinux or of a module, by its name in /sys/kernel/btf; -ENOENT when there is none. */
static int btf_fd(const char *name)
{
	union bpf_attr attr = { .start_id = 0 };

	while (bpf(BPF_BTF_GET_NEXT_ID, &attr) == 0) {
		union bpf_attr get = { .btf_id = attr.next_id };
		char found[64] = "";
		struct bpf_btf_info info = { .name = (uintptr_t)found, .name_len = sizeof(found) };
		int fd = bpf(BPF_BTF_GET_FD_BY_ID, &get);

		attr.start_id = attr.next_id;
		if (fd < 0)
			continue;
		if (info_of(fd, &info, sizeof(info)) == 0 && info.kernel_btf && strcmp(found, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

ssize_t read_file(const char *name, void *to, size_t size)
{
	char path[64];
	int fd;
	ssize_t got;

	snprintf(path, sizeof(path), "/programs/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, to, size);
	close(fd);
	return got;
}

/* Puts descriptors where an instruction names a BTF by its place in the list. */
static void insert_btfs(struct bpf_insn *insns, int count, const int *btfs)
{
	for (int i = 0; i + 1 < count; i++)
		if (insns[i].code == (BPF_LD | BPF_DW | BPF_IMM) && insns[i].src_reg == BPF_PSEUDO_BTF_ID)
			insns[i + 1].imm = btfs[insns[i + 1].imm];
}

long runs_of(int prog)
{
	struct bpf_prog_info info = { 0 };
	int result = info_of(prog, &info, sizeof(info));

	return result < 0 ? result : (long)info.run_cnt;
}

static int test_run(int prog, int type, uint32_t *returned)
{
	static char packet[64];
	union bpf_attr attr = { .test = { .prog_fd = prog } };
	int result;

	if (type == BPF_PROG_TYPE_XDP || type == BPF_PROG_TYPE_SCHED_CLS) {
		attr.test.data_in = (uintptr_t)packet;
		attr.test.data_size_in = sizeof(packet);
	}
	result = bpf(BPF_PROG_TEST_RUN, &attr);
	*returned = attr.test.retval;
	return result;
}

/* Whatever an attached program may wait for. */
static void stir(void)
{
	int fd = open("/init", O_RDONLY | O_CLOEXEC);
	pid_t child;

	close(fd);
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
}

/* One iteration to its end. */
static void iterate(const char *name, int link)
{
	static char buffer[4096];
	union bpf_attr iter = { .iter_create = { .link_fd = link } };
	int fd = bpf(BPF_ITER_CREATE, &iter);
	ssize_t got = fd, sum = 0;

	while (fd >= 0 && (got = read(fd, buffer, sizeof(buffer))) > 0)
		sum += got;
	say("program %s read %d", name, fd < 0 ? fd : got < 0 ? -errno : (int)sum);
	close(fd);
}

static void attach(const char *name, int prog, int attach_type)
{
	union bpf_attr attr = { .link_create = { .prog_fd = prog, .attach_type = attach_type } };
	int link = bpf(BPF_LINK_CREATE, &attr);
	uint32_t returned;

	say("program %s attach %d", name, link < 0 ? link : 0);
	if (link < 0)
		return;
	stir();
	if (attach_type == BPF_TRACE_ITER)
		iterate(name, link);
	else
		test_run(prog, BPF_PROG_TYPE_TRACING, &returned);
	close(link);
	say("program %s runs %ld", name, runs_of(prog));
}

static void attach_raw(const char *name, int prog, const char *tracepoint)
{
	union bpf_attr attr = { .raw_tracepoint = { .name = (uintptr_t)tracepoint, .prog_fd = prog } };
	int link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);

	say("program %s attach %d", name, link < 0 ? link : 0);
	if (link < 0)
		return;
	stir();
	close(link);
	say("program %s runs %ld", name, runs_of(prog));
}

static void use_program(const char *name, const char *use, int prog, int type, int attach_type)
{
	uint32_t returned;
	int result;

	if (strcmp(use, "run") == 0) {
		result = test_run(prog, type, &returned);
		say("program %s return %d", name, result < 0 ? result : (int)returned);
	} else if (strcmp(use, "attach") == 0) {
		attach(name, prog, attach_type);
	} else if (strncmp(use, "tracepoint:", 11) == 0) {
		attach_raw(name, prog, use + 11);
	} else if (strncmp(use, "member:", 7) == 0) {
		keep_member(name, strtoul(use + 7, NULL, 10), prog);
		return;
	}
	close(prog);
}

static void load_program(const char *name, int type, int attach_type, const char *attach_to, unsigned int attach_id,
			 char *names, const char *use)
{
	static struct bpf_insn insns[256];
	static char log[1 << 20];
	int btfs[MAX_BTFS] = { 0 };
	ssize_t size = read_file(name, insns, sizeof(insns));
	int used = 1, prog;
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach_type,
		.attach_btf_id = attach_id,
		.insns = (uintptr_t)insns,
		.insn_cnt = size < 0 ? 0 : size / sizeof(insns[0]),
		.license = (uintptr_t) "GPL",
		.fd_array = (uintptr_t)btfs,
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};

	if (attach_id != 0 && strcmp(attach_to, "vmlinux") != 0)
		attr.attach_btf_obj_fd = btf_fd(attach_to);
	for (char *btf = strtok(names, ","); btf != NULL && used < MAX_BTFS; btf = strtok(NULL, ","))
		if (strcmp(btf, "-") != 0)
			btfs[used++] = btf_fd(btf);
	insert_btfs(insns, attr.insn_cnt, btfs);
	log[0] = '\0';
	prog = bpf(BPF_PROG_LOAD, &attr);
	/* Behind the last words of a refusal stands what it cost. */
	if (strstr(log, "\nprocessed ") != NULL)
		*strstr(log, "\nprocessed ") = '\0';
	say("program %s load %d %.300s", name, prog < 0 ? prog : 0, prog < 0 ? last_line(log) : "");
	if (prog >= 0)
		use_program(name, use, prog, type, attach_type);
	for (int i = 1; i < used; i++)
		close(btfs[i]);
	if (attr.attach_btf_obj_fd != 0)
		close(attr.attach_btf_obj_fd);
}

int count_runs(void)
{
	union bpf_attr stats = { .enable_stats = { .type = BPF_STATS_RUN_TIME } };

	return bpf(BPF_ENABLE_STATS, &stats);
}

void try_program(const char *words)
{
	int counting = count_runs();
	char name[32], attach_to[64], btfs[128], use[32];
	unsigned int type, attach_type, id;

	if (sscanf(words, "%31s %u %u %63s %u %127s %31s", name, &type, &attach_type, attach_to, &id, btfs, use) == 7)
		load_program(name, type, attach_type, attach_to, id, btfs, use);
	else
		say("program ? load -%d no such line: %.200s", EINVAL, words);
	close(counting);
}
