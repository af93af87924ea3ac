// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How much memory the loading of a module takes, page by page, counted by BPF programs while it is loaded:
 *
 *   count PATH       "probe: loading PATH", "probe: insmod PATH 0|-ERRNO", and before the latter one of
 *                    "probe: pages PATH PEAK_KIB STAY_KIB MISSED", "probe: pages PATH -ERRNO" where nothing can be counted
 *
 * PEAK is the most that was taken at one time and STAY what was not given back, in KiB; MISSED counts calls that a program
 * slept through (it does not run within itself). All pages of all tasks count, so nothing else should happen.
 *
 * The tracepoints mm_page_alloc and mm_page_free see every page but those of alloc_pages_bulk_noprof, which vmalloc uses
 * (mm/page_alloc.c of 6.12 to 7.2). What that returns is counted by a kretprobe, less what mm_page_alloc saw since it began:
 * its last resort is the ordinary allocator. Nothing here needs BTF.
 */
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bpf.h"
#include "probe.h"

/* The value of the map, in pages. */
struct pages {
	int64_t taken, given, peak;
	/* `taken` when alloc_pages_bulk_noprof was entered. */
	int64_t entered;
};

/* Where a function's result stands in struct pt_regs, and how wide it is. */
#if defined(__aarch64__)
#define RESULT 0
#define RESULT_SIZE BPF_DW
#elif defined(__arm__)
#define RESULT 0
#define RESULT_SIZE BPF_W
#elif defined(__mips__) && !defined(__mips64)
/* Behind eight words for arguments and two registers. */
#define RESULT 40
#define RESULT_SIZE BPF_W
#else
#error "where does a function of this architecture leave its result?"
#endif

#define INSN(CODE, DST, SRC, OFF, IMM) \
	{ .code = CODE, .dst_reg = DST, .src_reg = SRC, .off = OFF, .imm = IMM }
#define MOV(DST, SRC) INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define MOV_IMM(DST, IMM) INSN(BPF_ALU64 | BPF_MOV | BPF_K, DST, 0, 0, IMM)
#define ALU(OP, DST, SRC) INSN(BPF_ALU64 | OP | BPF_X, DST, SRC, 0, 0)
#define LOAD(SIZE, DST, SRC, OFF) INSN(BPF_LDX | BPF_MEM | SIZE, DST, SRC, OFF, 0)
#define STORE(DST, OFF, SRC) INSN(BPF_STX | BPF_MEM | BPF_DW, DST, SRC, OFF, 0)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define FIELD(NAME) offsetof(struct pages, NAME)

/* r0 = the value of the map; ends the program where there is none. */
#define VALUE \
	INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0), MOV(BPF_REG_2, BPF_REG_10), \
	INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4), \
	INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map), INSN(0, 0, 0, 0, 0), \
	INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem), \
	INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 1, 0), EXIT

/* value->FIELD += r7 */
#define ADD(NAME) \
	LOAD(BPF_DW, BPF_REG_1, BPF_REG_0, FIELD(NAME)), ALU(BPF_ADD, BPF_REG_1, BPF_REG_7), STORE(BPF_REG_0, FIELD(NAME), BPF_REG_1)

/* Of what ADD left in r1: taken - given, when it is more than ever, is the peak. */
#define RAISE_PEAK \
	LOAD(BPF_DW, BPF_REG_2, BPF_REG_0, FIELD(given)), ALU(BPF_SUB, BPF_REG_1, BPF_REG_2), \
	LOAD(BPF_DW, BPF_REG_2, BPF_REG_0, FIELD(peak)), \
	INSN(BPF_JMP | BPF_JSLE | BPF_X, BPF_REG_1, BPF_REG_2, 1, 0), STORE(BPF_REG_0, FIELD(peak), BPF_REG_1)

/* r7 = 1 << order; both tracepoints have the page first and the order second. No page, no run: an allocation failed. */
#define ORDER_OF_EVENT \
	MOV_IMM(BPF_REG_0, 0), LOAD(BPF_DW, BPF_REG_7, BPF_REG_1, 0), \
	INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, 1, 0), EXIT, \
	LOAD(BPF_DW, BPF_REG_2, BPF_REG_1, 8), MOV_IMM(BPF_REG_7, 1), ALU(BPF_LSH, BPF_REG_7, BPF_REG_2)

#define END MOV_IMM(BPF_REG_0, 0), EXIT

#define WATCHES 4
/* Program and what it is attached to, of each. */
struct watch {
	int prog, at;
};

static int raw_tracepoint(const char *name, int prog)
{
	union bpf_attr attr = { .raw_tracepoint = { .name = (uintptr_t)name, .prog_fd = prog } };

	return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static int kprobe(const char *function, int is_return, int prog)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .config = is_return, .kprobe_func = (uintptr_t)function };
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int known = file != NULL && fscanf(file, "%u", &attr.type) == 1;
	int fd;

	if (file != NULL)
		fclose(file);
	if (!known)
		return -ENOENT;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0 && (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) < 0 || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd < 0 ? -errno : fd;
}

#define LOAD_PROGRAM(TYPE, INSNS) load_insns(TYPE, INSNS, sizeof(INSNS) / sizeof((INSNS)[0]))

/* 0, or the first -ERRNO. */
static int begin(int map, struct watch *watches)
{
	const struct bpf_insn taken[] = { ORDER_OF_EVENT, VALUE, ADD(taken), RAISE_PEAK, END };
	const struct bpf_insn given[] = { ORDER_OF_EVENT, VALUE, ADD(given), END };
	const struct bpf_insn enter[] = {
		VALUE, LOAD(BPF_DW, BPF_REG_1, BPF_REG_0, FIELD(taken)), STORE(BPF_REG_0, FIELD(entered), BPF_REG_1), END,
	};
	const struct bpf_insn leave[] = {
		LOAD(RESULT_SIZE, BPF_REG_7, BPF_REG_1, RESULT), VALUE,
		LOAD(BPF_DW, BPF_REG_1, BPF_REG_0, FIELD(entered)), ALU(BPF_ADD, BPF_REG_7, BPF_REG_1),
		LOAD(BPF_DW, BPF_REG_1, BPF_REG_0, FIELD(taken)), ALU(BPF_SUB, BPF_REG_7, BPF_REG_1),
		ADD(taken), RAISE_PEAK, END,
	};

	watches[0].prog = LOAD_PROGRAM(BPF_PROG_TYPE_RAW_TRACEPOINT, taken);
	watches[1].prog = LOAD_PROGRAM(BPF_PROG_TYPE_RAW_TRACEPOINT, given);
	watches[2].prog = LOAD_PROGRAM(BPF_PROG_TYPE_KPROBE, enter);
	watches[3].prog = LOAD_PROGRAM(BPF_PROG_TYPE_KPROBE, leave);
	watches[3].at = kprobe("alloc_pages_bulk_noprof", 1, watches[3].prog);
	watches[2].at = kprobe("alloc_pages_bulk_noprof", 0, watches[2].prog);
	watches[1].at = raw_tracepoint("mm_page_free", watches[1].prog);
	watches[0].at = raw_tracepoint("mm_page_alloc", watches[0].prog);
	for (int i = 0; i < WATCHES; i++)
		if (watches[i].prog < 0 || watches[i].at < 0)
			return watches[i].prog < 0 ? watches[i].prog : watches[i].at;
	return 0;
}

static unsigned long long missed(const struct watch *watches)
{
	unsigned long long sum = 0;

	for (int i = 0; i < WATCHES; i++) {
		struct bpf_prog_info info = { 0 };

		if (info_of(watches[i].prog, &info, sizeof(info)) == 0)
			sum += info.recursion_misses;
	}
	return sum;
}

/* The value as it is; all zero when it cannot be read. */
static struct pages read_value(int map)
{
	struct pages value = { 0 };
	uint32_t key = 0;
	union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&key, .value = (uintptr_t)&value };

	bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	return value;
}

void count_pages(const char *path)
{
	union bpf_attr create = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = sizeof(struct pages), .max_entries = 1 };
	long kib = sysconf(_SC_PAGESIZE) / 1024;
	struct watch watches[WATCHES];
	int map = bpf(BPF_MAP_CREATE, &create);
	int ready = map < 0 ? map : begin(map, watches);
	struct pages before, after;
	int result;

	say("loading %s", path);
	/* What was freed earlier comes back late. */
	usleep(300000);
	before = read_value(map);
	result = insmod(path);
	usleep(300000);
	after = read_value(map);
	if (ready < 0)
		say("pages %s %d", path, ready);
	else
		say("pages %s %lld %lld %llu", path, (long long)(after.peak - before.taken + before.given) * kib,
		    (long long)(after.taken - after.given - before.taken + before.given) * kib, missed(watches));
	say("insmod %s %d", path, result);
	for (int i = 0; map >= 0 && i < WATCHES; i++) {
		close(watches[i].at);
		close(watches[i].prog);
	}
	close(map);
}
