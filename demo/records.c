/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints the session records of a utmp or wtmp file, where neither last nor utmpdump is there. */
#define _XOPEN_SOURCE 600
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <time.h>
#include <utmpx.h>

int main(int argc, char **argv)
{
	struct utmpx record;
	FILE *file;

	if (argc != 2 || !(file = fopen(argv[1], "rb"))) {
		fputs("usage: records FILE\n", stderr);
		return 2;
	}
	while (fread(&record, sizeof record, 1, file) == 1) {
		/* 32 bits on many machines, and without a sign. */
		time_t at = (time_t)(unsigned int)record.ut_tv.tv_sec;
		char when[32];

		if (record.ut_type != USER_PROCESS && record.ut_type != DEAD_PROCESS)
			continue;
		strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime(&at));
		printf("%s  %-6s  %-8.*s  %-10.*s  pid %-8ld %.*s\n", when,
		       record.ut_type == USER_PROCESS ? "login" : "logout",
		       (int)sizeof record.ut_user, record.ut_user,
		       (int)sizeof record.ut_line, record.ut_line, (long)record.ut_pid,
		       (int)sizeof record.ut_host, record.ut_host);
	}
	return ferror(file) != 0;
}
