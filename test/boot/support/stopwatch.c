// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Stands for PROGRAM: runs it with the same words, and appends the line "WHAT<tab>last word<tab>start<tab>end" to TIMES, in
 * microseconds, with patch_ in front of WHAT when --patch_btfids is among the words. Ends with the status of the program. The three are macros that are strings. A script in its
 * place would take longer to start than some of what is timed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	long long start = microseconds();
	const char *prefix = "";
	char line[4096];
	int status, length, fd;
	pid_t pid = vfork();

	if (pid == 0) {
		argv[0] = PROGRAM;
		execv(PROGRAM, argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 126;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--patch_btfids") == 0)
			prefix = "patch_";
	length = snprintf(line, sizeof(line), "%s%s\t%s\t%lld\t%lld\n", prefix, WHAT, argv[argc - 1], start, microseconds());
	fd = open(TIMES, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || length >= (int)sizeof(line) || write(fd, line, length) != length)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
