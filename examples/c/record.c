/*
 * Runs a command on a pty and has the session recorded while it runs.
 *
 *     cc -o record record.c $(pkg-config --cflags --libs libutempter)
 *     ./record who
 */
#include <errno.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utempter.h>

int main(int argc, char **argv)
{
    int master;
    int ready[2];
    pid_t child;
    char bytes[4096];
    ssize_t count;
    int status = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: record COMMAND [ARGUMENT]...\n");
        return 2;
    }
    if (pipe(ready) != 0 || (child = forkpty(&master, NULL, NULL, NULL)) < 0) {
        perror("record");
        return 1;
    }
    if (child == 0) {
        close(ready[1]);
        read(ready[0], bytes, 1); /* until the session is recorded */
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }

    if (!utempter_add_record(master, "example"))
        fprintf(stderr, "record: not recorded: %s\n", strerror(errno));
    close(ready[0]);
    close(ready[1]);
    /* A pty whose slave side is closed gives an error, and not an end of file. */
    while ((count = read(master, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)count, stdout);
    utempter_remove_added_record();

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
