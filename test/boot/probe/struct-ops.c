// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A struct_ops of the programs that were kept for it since the last one. The step is
 *
 *   struct_ops NAME VALUE_TYPE_ID
 *
 * and /programs/NAME holds the bytes of the value. It is registered, and a TCP connection on the loopback uses the congestion
 * control NAME. What is said:
 *
 *   probe: program NAME load 0|-ERRNO        of the map
 *   probe: program NAME attach 0|-ERRNO
 *   probe: program NAME connect 0|-ERRNO
 *   probe: program MEMBER runs COUNT         of each of the programs
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bpf.h"
#include "probe.h"
#include "programs.h"

#define MAX_MEMBERS 16

static struct member {
	char name[32];
	unsigned int offset;
	int fd;
} members[MAX_MEMBERS];
static int member_count;

void keep_member(const char *name, unsigned int offset, int prog)
{
	struct member *member = &members[member_count];

	if (member_count == MAX_MEMBERS)
		return;
	member_count++;
	snprintf(member->name, sizeof(member->name), "%s", name);
	member->offset = offset;
	member->fd = prog;
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

void try_struct_ops(const char *words)
{
	int counting = count_runs();
	unsigned int value_type;
	char name[32];

	if (sscanf(words, "%31s %u", name, &value_type) == 2)
		register_struct_ops(name, value_type);
	else
		say("program ? load -%d no such line: %.200s", EINVAL, words);
	close(counting);
}
