/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PROBE_H
#define PROBE_H

/* One line of the protocol, without its `probe: `. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The last line of a verifier log that says something; the log is cut there. */
const char *last_line(char *log);

/* One line of /programs.list or /later.list; what it may say stands in programs.c. */
void try_program(const char *line);

#endif
