/*
 * The most memory a program has had: its VmHWM, read as it ends.
 *
 *     peak UID PROGRAM WORD...
 *
 * wait4(2)'s ru_maxrss would tell the memory of whoever started it, where that is more. Run by
 * root, under whose trace a setgid program is setgid; the program has a pty of UID's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(uid_t uid, char **words, int go)
{
    int master;
    char byte;
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 ||
        (master = posix_openpt(O_RDWR | O_NOCTTY)) < 0 || unlockpt(master) != 0 ||
        dup2(master, 0) != 0 || dup2(master, 1) != 1 || read(go, &byte, 1) != 1)
        return 126;
    execv(words[0], words);
    return 127;
}

static void print_peak(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("peak kib %d\n", atoi(line + 6));
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    int status, go[2];
    if (argc < 3 || pipe2(go, O_CLOEXEC) != 0)
        return 2;
    pid_t child = fork();
    if (child == 0)
        _exit(start((uid_t)atoi(argv[1]), argv + 2, go[0]));
    /* Not traced by its own wish: it would be traced with its own rights, not with root's. */
    if (ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_TRACEEXIT) != 0 || write(go[1], "", 1) != 1)
        return 1;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        int is_end = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
        if (is_end)
            print_peak(child);
        if (ptrace(PTRACE_CONT, child, NULL, (void *)(long)(is_end ? 0 : WSTOPSIG(status))) != 0)
            return 1;
    }
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
