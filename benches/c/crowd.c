/*
 * Many terminals at once, each of which adds and removes one session after the other.
 *
 *     crowd CLIENTS SESSIONS LIBRARY
 *
 * No process here may gain privileges, so that only a broker can record. Prints the
 * microseconds of all, and how many calls have failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 2;
    int clients = atoi(argv[1]), sessions = atoi(argv[2]), begin[2];
    long long failed = 0;
    void *handle = dlopen(argv[3], RTLD_NOW);
    if (!handle || pipe(begin) != 0)
        return 2;
    int (*add)(int, const char *) = (int (*)(int, const char *))dlsym(handle, "utempter_add_record");
    int (*remove)(int) = (int (*)(int))dlsym(handle, "utempter_remove_record");
    int results[2];
    if (pipe(results) != 0)
        return 2;
    for (int client = 0; client < clients; client++) {
        if (fork() != 0)
            continue;
        char byte;
        int failures = 0, master = posix_openpt(O_RDWR | O_NOCTTY);
        if (master < 0 || unlockpt(master) != 0)
            failures = 2 * sessions;
        close(begin[1]);
        if (read(begin[0], &byte, 1) != 0)
            failures = 2 * sessions;
        for (int n = 0; n < sessions && failures < 2 * sessions; n++)
            failures += !add(master, "crowd.example.org") + !remove(master);
        return write(results[1], &failures, sizeof failures) != sizeof failures;
    }
    struct timespec from, until;
    /* All at the same time: when nobody holds the pipe's other end. */
    clock_gettime(CLOCK_MONOTONIC, &from);
    close(begin[1]);
    for (int client = 0; client < clients; client++) {
        int failures;
        if (read(results[0], &failures, sizeof failures) != sizeof failures)
            return 1;
        failed += failures;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    while (wait(NULL) > 0)
        continue;
    printf("crowd all %.1f %lld\n",
           (double)(until.tv_sec - from.tv_sec) * 1e6 + (double)(until.tv_nsec - from.tv_nsec) / 1e3,
           failed);
    return 0;
}
