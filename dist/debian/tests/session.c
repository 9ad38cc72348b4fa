/*
 * session WAY HOST [HELPER]: begins and ends a session on a pty of its own, and asks who.
 * WAY is helper (which is executed here), add-remove or add-remove-added (by the library).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utempter.h>

static int master;

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* What kpty and foot do: the master is the helper's descriptor 0. */
static int run_helper(const char *helper, const char *operation, const char *host)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(master, 0);
		execl(helper, helper, operation, host, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Whether who finds the line with the host. */
static int seen(const char *line, const char *host)
{
	char command[600];

	snprintf(command, sizeof command,
		"LC_ALL=C who -a /run/utmp | grep -F ' %s ' | grep -F '%s'", line, host);
	return system(command) == 0;
}

int main(int argc, char **argv)
{
	const char *way, *host, *helper, *line;
	int done;

	if (argc < 3)
		fail("session WAY HOST [HELPER]");
	way = argv[1];
	host = argv[2];
	helper = argc > 3 ? argv[3] : NULL;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		fail("no pty");
	line = ptsname(master) + strlen("/dev/");

	if (seen(line, host))
		fail("recorded before it began");
	done = helper ? run_helper(helper, "add", host) : utempter_add_record(master, host);
	if (!done)
		fail("add failed");
	if (!seen(line, host))
		fail("who does not see the session");
	if (helper)
		done = run_helper(helper, "del", NULL);
	else if (strcmp(way, "add-remove") == 0)
		done = utempter_remove_record(master);
	else
		done = utempter_remove_added_record();
	if (!done)
		fail("remove failed");
	if (seen(line, host))
		fail("who still sees the session");
	puts("recorded, seen, ended");
	return 0;
}
