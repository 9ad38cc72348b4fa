/*
 * A program that calls the library where a broker answers, or only seems to. Its argument is
 * what is tried.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utempter.h>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            printf("line %d: not so: %s (errno %s)\n", __LINE__, #condition,                   \
                   strerrorname_np(errno));                                                    \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

static int open_master(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    return fd;
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static volatile int returned;

static void *call(void *master)
{
    utempter_add_record(*(int *)master, "host");
    returned = 1;
    pthread_testcancel();
    return NULL;
}

/* Cancelled while it waits for an answer, the thread ends its call, and only then itself. */
static void cancel(void)
{
    int master = open_master(), before = open_descriptors();
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, call, &master) == 0);
    usleep(300 * 1000);
    CHECK(!returned);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(returned);
    CHECK(open_descriptors() == before);
}

static int handled_master;
static volatile int handled;

static void handler(int number)
{
    (void)number;
    handled = utempter_remove_record(handled_master) + 1;
}

/* Signals wait until the call is over, and then a handler may call. */
static void signals(void)
{
    struct itimerval soon = {{0, 0}, {0, 200 * 1000}};
    handled_master = open_master();
    CHECK(signal(SIGALRM, handler) != SIG_ERR);
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK(utempter_add_record(handled_master, "host") == 1);
    CHECK(handled == 2);
}

static void state(void)
{
    int master = open_master(), before = open_descriptors();
    sigset_t set, after;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
    errno = EHOSTDOWN;
    CHECK(utempter_add_record(master, "host") == 1);
    CHECK(errno == EHOSTDOWN);
    CHECK(utempter_add_record(master, "a\nhost") == 0);
    CHECK(errno == EINVAL);
    CHECK(utempter_add_record(-1, "host") == 0);
    CHECK(errno == EBADF);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
    for (int number = 1; number < 32; number++)
        CHECK(sigismember(&after, number) == (number == SIGUSR1));
    CHECK(open_descriptors() == before);
}

static void *add_and_remove(void *unused)
{
    int master = open_master();
    (void)unused;
    for (int i = 0; i < 100; i++) {
        CHECK(utempter_add_record(master, "host") == 1);
        CHECK(utempter_remove_record(master) == 1);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t all[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&all[i], NULL, add_and_remove, NULL) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(all[i], NULL) == 0);
}

/* Nothing of the caller's memory is copied, nor even its tables. */
static void large(void)
{
    double time[2];
    int master = open_master();
    for (int with = 0; with < 2; with++) {
        if (with) {
            size_t size = 1 << 30;
            char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            CHECK(memory != MAP_FAILED);
            CHECK(madvise(memory, size, MADV_NOHUGEPAGE) == 0);
            memset(memory, 1, size);
        }
        double least = 1e9;
        for (int i = 0; i < 200; i++) {
            double begin = milliseconds();
            CHECK(utempter_add_record(master, "host") == 1);
            double taken = milliseconds() - begin;
            least = taken < least ? taken : least;
        }
        time[with] = least;
    }
    /* A fork would take 40 ms more. */
    CHECK(time[1] < time[0] + 5);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"cancel", cancel}, {"signal", signals}, {"state", state}, {"threads", threads}, {"large", large}};
    for (size_t i = 0; argc == 2 && i < sizeof all / sizeof *all; i++) {
        if (strcmp(argv[1], all[i].name) == 0) {
            all[i].run();
            return 0;
        }
    }
    return 4;
}
