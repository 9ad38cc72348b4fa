/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The smallest honest terminal: runs a command on a pty of its own, records the session through
 * the library, and shows what the command prints.
 *
 *   terminal HOST COMMAND
 */
#define _XOPEN_SOURCE 600
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utempter.h>

static void fail(const char *what)
{
	fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The child: a session whose controlling terminal is the slave, and the command in it. */
static void run(int master, const char *command)
{
	int slave;

	setsid();
	slave = open(ptsname(master), O_RDWR);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		fail("the slave");
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	if (slave > 2)
		close(slave);
	close(master);
	execl("/bin/sh", "sh", "-c", command, (char *)0);
	fail("/bin/sh");
}

/* Until the slave's last user is gone, which the master tells by EIO. */
static void show(int master)
{
	char buffer[4096];
	ssize_t length;

	while ((length = read(master, buffer, sizeof buffer)) > 0 ||
	       (length < 0 && errno == EINTR))
		if (length > 0 && write(1, buffer, (size_t)length) < 0)
			fail("standard output");
}

int main(int argc, char **argv)
{
	int master, status;
	pid_t child;

	if (argc != 3) {
		fputs("usage: terminal HOST COMMAND\n", stderr);
		return 2;
	}
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		fail("no pty");

	if (!utempter_add_record(master, argv[1]))
		fail("utempter_add_record");

	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0)
		run(master, argv[2]);
	show(master);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid");

	if (!utempter_remove_record(master))
		fail("utempter_remove_record");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
