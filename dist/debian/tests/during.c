/*
 * during HOST COMMAND: runs a command while a session is on, on a pty of its own. LINE is the pty in
 * the command's environment. Exits as the command does. A session that is not recorded: 99.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <utempter.h>

int main(int argc, char **argv)
{
	int master, status;

	if (argc != 3)
		return 2;
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
		perror("no pty");
		return 98;
	}
	setenv("LINE", ptsname(master) + strlen("/dev/"), 1);
	if (!utempter_add_record(master, argv[1])) {
		perror("add failed");
		return 99;
	}
	status = system(argv[2]);
	if (!utempter_remove_record(master)) {
		perror("remove failed");
		return 99;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}
