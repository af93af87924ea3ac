// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * /init of the boot tests: says what this kernel makes of its BTF, then powers off. One static program, no shell.
 *
 * Everything goes to /dev/kmsg, so that a line of ours and a line of the kernel never mix on the console; boot with
 * printk.devkmsg=on, for otherwise the kernel drops all but ten lines in five seconds. The protocol:
 *
 *   probe: begin
 *   probe: memtotal KIB
 *   probe: prog_load 0|-ERRNO          a two-instruction socket filter; fails when vmlinux BTF cannot be parsed
 *   probe: loading PATH                before, and
 *   probe: insmod PATH 0|-ERRNO        after each module that /modules.list names, one path a line, in its order
 *   probe: load PATH 0|-ERRNO [WORDS]  BPF_BTF_LOAD of each file that /load.list names; of a failure, the log's last line
 *   probe: try PATH 0|-ERRNO           insmod of each module that /try.list names, and rmmod of vmlinux_btf after a success
 *   probe: program NAME …              of each line of /programs.list, after the modules: see programs.c
 *   then /later-modules.list and /later-programs.list, in the same words
 *   probe: btf NAME SIZE SHA256        each file of /sys/kernel/btf; "probe: btf NAME -ERRNO" when it cannot be read
 *   probe: memavailable KIB            after the files of /modules.list were removed
 *   probe: end
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "sha256.h"

static int kmsg = STDERR_FILENO;

void say(const char *format, ...)
{
	char line[512] = "<5>probe: ";
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	/* One write is one record; without /dev/kmsg it still ends as a line on the console. */
	if (kmsg == STDERR_FILENO)
		strncat(line, "\n", sizeof(line) - strlen(line) - 1);
	if (write(kmsg, line, strlen(line)) < 0)
		reboot(RB_POWER_OFF);
}

static void mount_at(const char *type, const char *target)
{
	mkdir(target, 0755);
	if (mount(type, target, type, 0, NULL) < 0 && errno != EBUSY)
		say("mount %s -%d", target, errno);
}

static int try_prog_load(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t) "GPL";
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

const char *last_line(char *log)
{
	char *end = log + strlen(log);

	while (end > log && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	return strrchr(log, '\n') == NULL ? log : strrchr(log, '\n') + 1;
}

/* Loads a BTF as a BPF program's loader does. With a log only when it fails: a log that is too short is an error too. */
static void try_btf_load(const char *path)
{
	static char data[4 << 20], log[1 << 20];
	union bpf_attr attr;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = file < 0 ? -1 : read(file, data, sizeof(data));
	int fd, result;

	if (size < 0) {
		say("load %s -%d", path, errno);
		return;
	}
	close(file);
	memset(&attr, 0, sizeof(attr));
	attr.btf = (uintptr_t)data;
	attr.btf_size = size;
	fd = syscall(SYS_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	if (fd >= 0) {
		say("load %s 0", path);
		close(fd);
		return;
	}
	result = -errno;
	attr.btf_log_buf = (uintptr_t)log;
	attr.btf_log_size = sizeof(log);
	attr.btf_log_level = 1;
	log[0] = '\0';
	fd = syscall(SYS_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	say("load %s %d %.300s", path, result, last_line(log));
	if (fd >= 0)
		close(fd);
}

static int insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static void try_module(const char *path)
{
	int result = insmod(path);

	say("try %s %d", path, result);
	if (result == 0 && syscall(SYS_delete_module, "vmlinux_btf", O_NONBLOCK) < 0)
		say("rmmod %s -%d", path, errno);
}

static void load_module(const char *path)
{
	say("loading %s", path);
	say("insmod %s %d", path, insmod(path));
}

/* A file of the initramfs is memory that a file on flash is not. */
static void forget_module(const char *path)
{
	unlink(path);
}

/* For each line of a list; a list that is missing is empty. */
static void each(const char *list, void (*use)(const char *line))
{
	FILE *file = fopen(list, "r");
	char line[512];

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			use(line);
	}
	fclose(file);
}

static void report_btf(const char *name)
{
	static uint8_t buffer[65536];
	char path[512], hex[SHA256_HEX];
	struct sha256 sha;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		say("btf %s -%d", name, errno);
		return;
	}
	sha256_init(&sha);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		sha256_update(&sha, buffer, got);
	if (got < 0) {
		say("btf %s -%d", name, errno);
	} else {
		unsigned long long size = sha.length;

		sha256_finish(&sha, hex);
		say("btf %s %llu %s", name, size, hex);
	}
	close(fd);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void report_all_btf(void)
{
	struct dirent **entries;
	int count = scandir("/sys/kernel/btf", &entries, is_visible, alphasort);
	int i;

	if (count < 0)
		say("btf . -%d", errno);
	for (i = 0; i < count; i++)
		report_btf(entries[i]->d_name);
}

/* One line of /proc/meminfo, in KiB. */
static void report_memory(const char *key, const char *field)
{
	FILE *file = fopen("/proc/meminfo", "r");
	size_t length = strlen(field);
	char line[128];

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, length) == 0)
			say("%s %ld", key, strtol(line + length, NULL, 10));
	fclose(file);
}

int main(void)
{
	mount_at("devtmpfs", "/dev");
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (kmsg < 0)
		kmsg = STDERR_FILENO;
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");

	say("begin");
	report_memory("memtotal", "MemTotal:");
	say("prog_load %d", try_prog_load());
	each("/load.list", try_btf_load);
	each("/try.list", try_module);
	each("/modules.list", load_module);
	each("/programs.list", try_program);
	each("/later-modules.list", load_module);
	each("/later-programs.list", try_program);
	report_all_btf();
	each("/modules.list", forget_module);
	usleep(200000);
	report_memory("memavailable", "MemAvailable:");
	say("end");
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
