/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PROBE_H
#define PROBE_H

/* One line of the protocol, without its `probe: `. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The last line of a verifier log that says something; the log is cut there. */
const char *last_line(char *log);

/* 0 or -ERRNO. */
int insmod(const char *path);

/* Makes the folder if it is not there. */
void mount_at(const char *type, const char *target);

/* Steps of /steps.list, without the verb. */
void count_pages(const char *path);
void try_program(const char *words);
void try_struct_ops(const char *words);
void run_command(const char *words);
void write_line(const char *words);
void mount_more(const char *words);

#endif
