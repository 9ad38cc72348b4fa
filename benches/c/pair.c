/*
 * Two libraries in one process, timed in turn.
 *
 *     pair THEIRS OURS ROUNDS MEBIBYTES
 *
 * Prints the medians of add in microseconds, theirs and ours.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BLOCK 20

struct library {
    int (*add)(int, const char *);
    int (*remove)(int);
    double *times;
};

static struct library load(const char *path, int rounds)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    struct library library;
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    library.add = (int (*)(int, const char *))dlsym(handle, "utempter_add_record");
    library.remove = (int (*)(int))dlsym(handle, "utempter_remove_record");
    library.times = calloc((size_t)rounds, sizeof(double));
    return library;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int rounds = atoi(argv[3]) / BLOCK * BLOCK;
    size_t size = (size_t)atoi(argv[4]) << 20;
    struct library libraries[] = {load(argv[1], rounds), load(argv[2], rounds)};
    if (size > 0) {
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE) != 0)
            return 1;
        memset(memory, 1, size);
    }
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        return 1;
    /* In turn, by twenties. The first of each is not counted: the other has written to the
       files, and taken the caches. */
    for (int round = 0; round < rounds; round += BLOCK) {
        for (int which = 0; which < 2; which++) {
            for (int i = -1; i < BLOCK; i++) {
                double begin = now();
                int added = libraries[which].add(master, "host.example.org");
                double taken = now() - begin;
                if (!added || !libraries[which].remove(master)) {
                    fprintf(stderr, "%s has failed\n", argv[1 + which]);
                    return 1;
                }
                if (i >= 0)
                    libraries[which].times[round + i] = taken;
            }
        }
    }
    for (int which = 0; which < 2; which++)
        qsort(libraries[which].times, (size_t)rounds, sizeof(double), compare);
    printf("%.1f %.1f\n", libraries[0].times[rounds / 2], libraries[1].times[rounds / 2]);
    return 0;
}
