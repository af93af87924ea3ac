// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BPF programs, with nothing but the bpf() system call. Who wrote the initramfs assembled them and knows all type ids. A
 * line of the list is one of
 *
 *   program NAME TYPE ATTACH_TYPE ATTACH_BTF ATTACH_ID BTFS USE
 *   struct_ops NAME VALUE_TYPE_ID
 *
 * and /programs/NAME holds the instructions, or the bytes of the value. BTFS are names of /sys/kernel/btf, with commas, or
 * "-": a kfunc call with offset n, and a BTF id in a 64-bit immediate whose second half is n, mean the nth of them (from 1
 * on, 0 is vmlinux). USE:
 *
 *   load            nothing more
 *   run             BPF_PROG_TEST_RUN, with a packet where the type wants one
 *   attach          attached; then a file is opened, a process made, and the test functions of net/bpf/test_run.c run
 *   member:OFFSET   stays loaded, for the next struct_ops: its descriptor goes to that offset of the value
 *
 * A struct_ops is registered, and a TCP connection on the loopback uses the congestion control NAME. What is said:
 *
 *   probe: program NAME load 0|-ERRNO [WORDS]     of a failure, the last line of the verifier's log
 *   probe: program NAME return NUMBER|-ERRNO      of `run`; with -ERRNO also where the run itself failed
 *   probe: program NAME attach 0|-ERRNO           of `attach` and struct_ops
 *   probe: program NAME connect 0|-ERRNO          of struct_ops
 *   probe: program NAME runs COUNT                of `attach` and of the members of a struct_ops: how often the kernel ran it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define MAX_BTFS 8
#define MAX_MEMBERS 16

static struct member {
	char name[32];
	unsigned int offset;
	int fd;
} members[MAX_MEMBERS];
static int member_count;

/* 0 or more, or -ERRNO. */
static int bpf(int command, union bpf_attr *attr)
{
	long result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

static int info_of(int fd, void *info, uint32_t size)
{
	union bpf_attr attr = { .info = { .bpf_fd = fd, .info_len = size, .info = (uintptr_t)info } };

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

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

static ssize_t read_file(const char *name, void *to, size_t size)
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

static long runs_of(int prog)
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
static void stir(int prog, int link, int attach_type)
{
	static char buffer[4096];
	union bpf_attr iter = { .iter_create = { .link_fd = link } };
	int fd = open("/init", O_RDONLY | O_CLOEXEC);
	uint32_t returned;
	pid_t child;

	close(fd);
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	if (attach_type == BPF_TRACE_ITER) {
		fd = bpf(BPF_ITER_CREATE, &iter);
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		close(fd);
	} else {
		test_run(prog, BPF_PROG_TYPE_TRACING, &returned);
	}
}

static void attach(const char *name, int prog, int attach_type)
{
	union bpf_attr attr = { .link_create = { .prog_fd = prog, .attach_type = attach_type } };
	int link = bpf(BPF_LINK_CREATE, &attr);

	say("program %s attach %d", name, link < 0 ? link : 0);
	if (link < 0)
		return;
	stir(prog, link, attach_type);
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
	} else if (strncmp(use, "member:", 7) == 0 && member_count < MAX_MEMBERS) {
		struct member *member = &members[member_count++];

		snprintf(member->name, sizeof(member->name), "%s", name);
		member->offset = strtoul(use + 7, NULL, 10);
		member->fd = prog;
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

/* A map with a value of the kernel's wants a BTF of its maker's, whatever is in it (map_create). */
static int own_btf(void)
{
	static const struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
		uint32_t name_off, info, size, bits;
		char strings[8];
	} btf = { 0xeb9f, 1, 0, 24, 0, 16, 16, 5, 1, 1 << 24, 4, 32, "\0int" };
	union bpf_attr attr = { .btf = (uintptr_t)&btf, .btf_size = 24 + 16 + 5 };

	return bpf(BPF_BTF_LOAD, &attr);
}

/* A TCP connection of this machine with itself, whose client asks for a congestion control. 0 or -ERRNO. */
static int connect_with(const char *control)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed = ioctl(server, SIOCSIFFLAGS, &lo) < 0 || bind(server, (struct sockaddr *)&address, length) < 0 ||
		     listen(server, 1) < 0 || getsockname(server, (struct sockaddr *)&address, &length) < 0 ||
		     setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, control, strlen(control)) < 0 ||
		     connect(client, (struct sockaddr *)&address, length) < 0;
	int result = failed ? -errno : 0;

	close(client);
	close(server);
	return result;
}

static void register_struct_ops(const char *name, unsigned int value_type)
{
	static _Alignas(8) char value[4096];
	ssize_t size = read_file(name, value, sizeof(value));
	uint32_t key = 0;
	int btf = own_btf();
	union bpf_attr create = {
		.map_type = BPF_MAP_TYPE_STRUCT_OPS,
		.key_size = sizeof(key),
		.value_size = size < 0 ? 0 : size,
		.max_entries = 1,
		.btf_fd = btf,
		.btf_vmlinux_value_type_id = value_type,
	};
	int map = bpf(BPF_MAP_CREATE, &create);
	union bpf_attr update = { .map_fd = map, .key = (uintptr_t)&key, .value = (uintptr_t)value };
	union bpf_attr erase = { .map_fd = map, .key = (uintptr_t)&key };
	int result;

	say("program %s load %d", name, map < 0 ? map : 0);
	for (int i = 0; i < member_count; i++)
		*(unsigned long *)(value + members[i].offset) = members[i].fd;
	if (map >= 0) {
		result = bpf(BPF_MAP_UPDATE_ELEM, &update);
		say("program %s attach %d", name, result);
		if (result == 0)
			say("program %s connect %d", name, connect_with(name));
		bpf(BPF_MAP_DELETE_ELEM, &erase);
		close(map);
	}
	for (int i = 0; i < member_count; i++) {
		say("program %s runs %ld", members[i].name, runs_of(members[i].fd));
		close(members[i].fd);
	}
	member_count = 0;
	close(btf);
}

void try_program(const char *line)
{
	union bpf_attr stats = { .enable_stats = { .type = BPF_STATS_RUN_TIME } };
	int counting = bpf(BPF_ENABLE_STATS, &stats);
	char name[32], attach_to[64], btfs[128], use[32];
	unsigned int type, attach_type, id;

	if (sscanf(line, "program %31s %u %u %63s %u %127s %31s", name, &type, &attach_type, attach_to, &id, btfs, use) == 7)
		load_program(name, type, attach_type, attach_to, id, btfs, use);
	else if (sscanf(line, "struct_ops %31s %u", name, &id) == 2)
		register_struct_ops(name, id);
	else
		say("program ? load -%d no such line: %.200s", EINVAL, line);
	close(counting);
}
