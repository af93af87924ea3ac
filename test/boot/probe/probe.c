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
 *   …                                  what the steps say
 *   probe: btf NAME SIZE SHA256        each file of /sys/kernel/btf; "probe: btf NAME -ERRNO" when it cannot be read
 *   probe: end
 *
 * The steps stand in /steps.list, one a line, and are taken in their order:
 *
 *   load PATH          BPF_BTF_LOAD: "probe: load PATH 0|-ERRNO [WORDS]"; of a failure, the log's last line
 *   insmod PATH        "probe: loading PATH" before, "probe: insmod PATH 0|-ERRNO" after
 *   count PATH         the same, and how much memory that took: see pages.c
 *   try PATH           insmod, and rmmod of vmlinux_btf after a success: "probe: try PATH 0|-ERRNO"
 *   rmmod NAME         "probe: rmmod NAME 0|-ERRNO"
 *   forget PATH        removes a file: in the initramfs it is memory that on flash it is not
 *   memory             "probe: memavailable KIB": MemAvailable and what is free on the lists of the processors
 *   program …          a BPF program, struct_ops … a struct_ops: see programs.c
 *   run …, write …, mount …    a program of the initramfs, a line into a file, a file system: see commands.c
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "bpf.h"
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

void mount_at(const char *type, const char *target)
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
	int fd = load_insns(BPF_PROG_TYPE_SOCKET_FILTER, program, sizeof(program) / sizeof(program[0]));

	if (fd < 0)
		return fd;
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
	fd = bpf(BPF_BTF_LOAD, &attr);
	if (fd >= 0) {
		say("load %s 0", path);
		close(fd);
		return;
	}
	result = fd;
	attr.btf_log_buf = (uintptr_t)log;
	attr.btf_log_size = sizeof(log);
	attr.btf_log_level = 1;
	log[0] = '\0';
	fd = bpf(BPF_BTF_LOAD, &attr);
	say("load %s %d %.300s", path, result, last_line(log));
	if (fd >= 0)
		close(fd);
}

int insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static int rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) < 0 ? -errno : 0;
}

static void try_module(const char *path)
{
	int result = insmod(path);
	int removed = result == 0 ? rmmod("vmlinux_btf") : 0;

	say("try %s %d", path, result);
	if (removed < 0)
		say("rmmod vmlinux_btf %d", removed);
}

static void load_module(const char *path)
{
	say("loading %s", path);
	say("insmod %s %d", path, insmod(path));
}

static void remove_module(const char *name)
{
	say("rmmod %s %d", name, rmmod(name));
}

static void forget_file(const char *path)
{
	unlink(path);
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

/* The sum of what stands behind a word in a file of /proc. */
static long sum_of(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	long sum = 0;
	char line[128];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *field = line + strspn(line, " ");

		if (strncmp(field, word, strlen(word)) == 0)
			sum += strtol(field + strlen(word), NULL, 10);
	}
	if (file != NULL)
		fclose(file);
	return sum;
}

/*
 * What was freed is free at once only in part: some of it waits for RCU and for workers. Megabytes of it then lie on lists of
 * the processors (/proc/zoneinfo), which MemFree and MemAvailable do not count.
 */
static void report_available(const char *unused)
{
	long page = sysconf(_SC_PAGESIZE) / 1024;

	(void)unused;
	usleep(200000);
	say("memavailable %ld", sum_of("/proc/meminfo", "MemAvailable:") + page * sum_of("/proc/zoneinfo", "count:"));
}

static const struct step {
	const char *verb;
	void (*take)(const char *words);
} steps[] = {
	{ "load", try_btf_load },      { "insmod", load_module },   { "count", count_pages },
	{ "try", try_module },	       { "rmmod", remove_module },  { "forget", forget_file },
	{ "memory", report_available }, { "program", try_program }, { "struct_ops", try_struct_ops },
	{ "run", run_command },	       { "write", write_line },    { "mount", mount_more },
};

static void take_step(char *line)
{
	char *words = line + strcspn(line, " ");

	if (*words != '\0')
		*words++ = '\0';
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(steps[i].verb, line) == 0) {
			steps[i].take(words);
			return;
		}
	say("no such step: %.100s %.300s", line, words);
}

static void take_steps(void)
{
	FILE *file = fopen("/steps.list", "re");
	char line[512];

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			take_step(line);
	}
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
	mount_at("bpf", "/sys/fs/bpf");

	say("begin");
	say("memtotal %ld", sum_of("/proc/meminfo", "MemTotal:"));
	say("prog_load %d", try_prog_load());
	take_steps();
	report_all_btf();
	say("end");
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
