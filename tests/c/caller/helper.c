/* This program in the helper's place, with a behaviour of the test's choice. */
#include "caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

extern char **environ;

static char self[4096];

void use_helper(const char *behaviour)
{
    if (!behaviour) {
        /* NULL would do with ours alone. */
        utempter_set_helper(REAL_HELPER);
        return;
    }
    if (!self[0])
        must("/proc/self/exe", readlink("/proc/self/exe", self, sizeof self - 1));
    if (setenv("CALLER_HELPER", behaviour, 1) != 0)
        broken("setenv");
    utempter_set_helper(self);
}

int is_helper(int argc, char **argv)
{
    return argc >= 2 && getenv("CALLER_HELPER") &&
           (strcmp(argv[1], "add") == 0 || strcmp(argv[1], "del") == 0);
}

/* The test's environment names the file; renamed into place, so that it is whole. */
static FILE *begin_mark(char *part, size_t size)
{
    const char *name = getenv("CALLER_MARK");
    if (!name)
        _exit(120);
    snprintf(part, size, "%s.part", name);
    FILE *file = fopen(part, "we");
    if (!file)
        _exit(121);
    fprintf(file, "%d\n", (int)getpid());
    return file;
}

static void end_mark(FILE *file, const char *part)
{
    if (fclose(file) != 0 || rename(part, getenv("CALLER_MARK")) != 0)
        _exit(122);
}

static void leave_mark(void)
{
    char part[128];
    FILE *file = begin_mark(part, sizeof part);
    end_mark(file, part);
}

static void for_ever(void)
{
    for (;;)
        pause();
}

/* Ends another child of the caller's, and sees that it is dead. */
static int kill_child(void)
{
    const char *pid = getenv("CALLER_KILL");
    if (!pid || kill(atoi(pid), SIGKILL) != 0)
        return 1;
    char name[64];
    snprintf(name, sizeof name, "/proc/%s/stat", pid);
    for (int i = 0; i < 20000; i++) {
        char text[512] = "";
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 0; /* and collected */
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        const char *state = strrchr(text, ')');
        if (length <= 0 || (state && (state[2] == 'Z' || state[2] == 'X')))
            return 0;
        sleep_us(50);
    }
    return 1;
}

/* Writes down how it was started. */
static int probe(int argc, char **argv)
{
    char part[128];
    struct itimerval timer;
    sigset_t mask;
    getitimer(ITIMER_REAL, &timer);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    FILE *file = begin_mark(part, sizeof part);
    int number = -1, blocked = 0, ignored = 0, others = 0, own = 0, named = 0;
    for (int signal = 1; signal < 65; signal++) {
        struct sigaction action;
        blocked += sigismember(&mask, signal) == 1;
        ignored += sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL;
    }
    for (int fd = 3; fd < 1024; fd++)
        others += fd != fileno(file) && fcntl(fd, F_GETFD) >= 0;
    for (int i = 0; environ[i]; i++) {
        named += strncmp(environ[i], "UTEMPTER_PID=", 13) == 0;
        own += strncmp(environ[i], "CALLER_OWN_", 11) == 0;
    }
    fprintf(file, "seconds until its alarm=%ld\n", (timer.it_value.tv_sec * 1000000 + timer.it_value.tv_usec + 999999) / 1000000);
    fprintf(file, "signals blocked=%d\n", blocked);
    fprintf(file, "signals not at their default=%d\n", ignored);
    fprintf(file, "session=%d\n", (int)getsid(0));
    fprintf(file, "process group=%d\n", (int)getpgrp());
    fprintf(file, "controlling terminal=%s\n", open("/dev/tty", O_RDWR | O_NOCTTY) >= 0 ? "has one" : "none");
    fprintf(file, "pty of fd 0=%d\n", ioctl(0, TIOCGPTN, &number) == 0 ? number : -1);
    number = -1;
    fprintf(file, "pty of fd 1=%d\n", ioctl(1, TIOCGPTN, &number) == 0 ? number : -1);
    struct stat standard_error;
    fprintf(file, "inode of fd 2=%ld\n", fstat(2, &standard_error) == 0 ? (long)standard_error.st_ino : -1);
    fprintf(file, "other descriptors=%d\n", others);
    fprintf(file, "entries UTEMPTER_PID=%d\n", named);
    fprintf(file, "UTEMPTER_PID=%s\n", getenv("UTEMPTER_PID") ? getenv("UTEMPTER_PID") : "absent");
    fprintf(file, "parent=%d\n", (int)getppid());
    fprintf(file, "entries of the caller's=%d\n", own);
    mode_t umask_now = umask(0);
    fprintf(file, "umask=%o\n", (unsigned)umask_now);
    char directory[256];
    fprintf(file, "directory=%s\n", getcwd(directory, sizeof directory) ? directory : "?");
    fprintf(file, "arguments=%d %s %s\n", argc, argv[1], argc > 2 ? argv[2] : "-");
    end_mark(file, part);
    return 0;
}

int act_as_helper(int argc, char **argv)
{
    const char *behaviour = getenv("CALLER_HELPER");
#define IS(word) (strcmp(behaviour, word) == 0)
    if (IS("kill"))
        return kill_child();
    if (IS("probe"))
        return probe(argc, argv);
    if (strncmp(behaviour, "exit ", 5) == 0)
        return atoi(behaviour + 5);
    if (IS("crash")) {
        raise(SIGKILL);
        return 0;
    }
    if (IS("deaf")) {
        signal(SIGALRM, SIG_IGN);
    } else if (IS("blocking")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
    } else if (IS("no alarm")) {
        alarm(0);
    }
    leave_mark();
    if (strncmp(behaviour, "slow ", 5) == 0) {
        sleep_ms(atoi(behaviour + 5));
        return 0;
    }
    if (IS("stopped"))
        raise(SIGSTOP);
    for_ever();
    return 0;
}
