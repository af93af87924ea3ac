// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs of the initramfs, and files that the kernel listens to:
 *
 *   run NAME PATH ARGUMENTS      "probe: run NAME says LINE" for each line of its stdout and stderr, then
 *                                "probe: run NAME exit CODE"; 127 when there is no such program
 *   write NAME PATH WORDS        appends WORDS, and a newline, to a file: "probe: write NAME 0|-ERRNO"
 *   mount TYPE PATH              a file system that the probe does not need itself; only a failure is said
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define MAX_ARGUMENTS 16

static void become(char *words)
{
	char *arguments[MAX_ARGUMENTS + 1] = { NULL };
	int count = 0;

	for (char *word = strtok(words, " "); word != NULL && count < MAX_ARGUMENTS; word = strtok(NULL, " "))
		arguments[count++] = word;
	if (count > 0)
		execv(arguments[0], arguments);
	_exit(127);
}

void run_command(const char *words)
{
	char name[32], copy[512], line[400];
	int output[2], status = 0, at = 0;
	pid_t child;
	FILE *said;

	if (sscanf(words, "%31s %n", name, &at) != 1 || pipe2(output, O_CLOEXEC) < 0)
		return;
	snprintf(copy, sizeof(copy), "%s", words + at);
	child = fork();
	if (child == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		become(copy);
	}
	close(output[1]);
	said = fdopen(output[0], "r");
	while (said != NULL && fgets(line, sizeof(line), said) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		say("run %s says %s", name, line);
	}
	if (said != NULL)
		fclose(said);
	waitpid(child, &status, 0);
	say("run %s exit %d", name, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void write_line(const char *words)
{
	char name[32], path[128], line[400];
	int at = 0, file, length, result = 0;

	if (sscanf(words, "%31s %127s %n", name, path, &at) != 2)
		return;
	length = snprintf(line, sizeof(line), "%s\n", words + at);
	file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (file < 0 || write(file, line, length) < 0)
		result = -errno;
	say("write %s %d", name, result);
	if (file >= 0)
		close(file);
}

void mount_more(const char *words)
{
	char type[32], target[128];

	if (sscanf(words, "%31s %127s", type, target) == 2)
		mount_at(type, target);
}
