/*
 * A terminal that times what it does, in turn by several ways.
 *
 *     pair ROUNDS BLOCK MEBIBYTES NAME=KIND[:PATH[:HELPER]]...
 *
 *     lib      add and remove by the library PATH, with HELPER where one is named
 *     helper   add and del by the helper PATH, started without a library
 *     run      PATH started and waited for
 *     socket   a socket asked as the broker is, by who answers at once; and one kept open
 *
 * Prints a line NAME, operation, microseconds of each round. With a BLOCK of 0 each library
 * adds once, and the line has the time and 1, or 0 where it failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOST "host.example.org"
#define MOST 16

enum kind { LIB, HELPER, RUN, SOCKET };
static const char *const kinds[] = {"lib", "helper", "run", "socket"};
/* What is timed first, and second. */
static const char *const operations[][2] = {{"add", "del"}, {"add", "del"}, {"run", NULL}, {"ask", "turn"}};

struct way {
    const char *name;
    enum kind kind;
    char *path;
    int (*add)(int, const char *);
    int (*remove)(int);
    double *times[2];
};

static int master;
static posix_spawn_file_actions_t on_master;
static int kept_open = -1;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void fail(const char *what)
{
    fprintf(stderr, "%s has failed: %m\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* Two processes that answer: one each who connects, as the broker does, one for ever. */
static void start_answering(void)
{
    int pair[2], listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/home/answers.%d", getpid());
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        fail("a socket");
    for (int which = 0; which < 2; which++) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child > 0)
            continue;
        char bytes[64];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (which == 1)
            if (recv(pair[1], bytes, sizeof bytes, 0) <= 0 || send(pair[1], bytes, 4, 0) != 4)
                _exit(0);
        for (;;) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (client < 0 || send(client, "hello", 5, MSG_NOSIGNAL) != 5 ||
                recv(client, bytes, sizeof bytes, 0) <= 0 || send(client, bytes, 4, MSG_NOSIGNAL) != 4)
                _exit(0);
            close(client);
        }
    }
    close(listener);
    close(pair[1]);
    kept_open = pair[0];
}

static void ask(void)
{
    char bytes[64];
    int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) != 0 ||
        recv(client, bytes, sizeof bytes, 0) != 5 || send(client, HOST, sizeof HOST, 0) < 0 ||
        recv(client, bytes, sizeof bytes, 0) != 4)
        fail("asking");
    close(client);
}

static void turn(void)
{
    char bytes[64];
    if (send(kept_open, HOST, sizeof HOST, 0) < 0 || recv(kept_open, bytes, sizeof bytes, 0) != 4)
        fail("a turn");
}

static void start(char *path, char *word, char *host)
{
    extern char **environ;
    char *words[] = {path, word, host, NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, path, &on_master, NULL, words, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        fail(path);
}

static void step(struct way *way, int second)
{
    switch (way->kind) {
    case LIB:
        if (!(second ? way->remove(master) : way->add(master, HOST)))
            fail(way->name);
        break;
    case HELPER:
        start(way->path, second ? "del" : "add", second ? NULL : HOST);
        break;
    case RUN:
        start(way->path, NULL, NULL);
        break;
    case SOCKET:
        second ? turn() : ask();
        break;
    }
}

static struct way read_way(char *text, int rounds)
{
    struct way way = {.name = strsep(&text, "=")};
    const char *kind = text ? strsep(&text, ":") : "";
    while (strcmp(kind, kinds[way.kind]) != 0)
        if (++way.kind > SOCKET)
            exit(2);
    way.path = text ? strsep(&text, ":") : NULL;
    for (int i = 0; i < 2; i++)
        way.times[i] = calloc((size_t)rounds + 1, sizeof(double));
    if (way.kind == SOCKET)
        start_answering();
    if (way.kind != LIB)
        return way;
    void *handle = dlopen(way.path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    way.add = (int (*)(int, const char *))dlsym(handle, "utempter_add_record");
    way.remove = (int (*)(int))dlsym(handle, "utempter_remove_record");
    if (text)
        ((void (*)(const char *))dlsym(handle, "utempter_set_helper"))(text);
    return way;
}

int main(int argc, char **argv)
{
    struct way ways[MOST];
    if (argc < 5 || argc > 4 + MOST)
        return 2;
    int block = atoi(argv[2]), count = argc - 4, rounds = atoi(argv[1]);
    size_t size = (size_t)atoi(argv[3]) << 20;
    for (int i = 0; i < count; i++)
        ways[i] = read_way(argv[4 + i], rounds);
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        fail("a pty");
    posix_spawn_file_actions_init(&on_master);
    posix_spawn_file_actions_adddup2(&on_master, master, 0);
    posix_spawn_file_actions_adddup2(&on_master, master, 1);
    if (size > 0) {
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE) != 0)
            fail("memory");
        memset(memory, 1, size);
    }
    if (block == 0) {
        for (int i = 0; i < count; i++) {
            double begin = now();
            int added = ways[i].add(master, HOST);
            printf("%s once %.1f %d\n", ways[i].name, now() - begin, added);
        }
        return 0;
    }
    /* In turn, by blocks. The first of each is not counted: another has written to the files,
       and taken the caches. */
    for (int round = 0; round + block <= rounds; round += block)
        for (int i = 0; i < count; i++)
            for (int n = -1; n < block; n++)
                for (int second = 0; second < 2 && operations[ways[i].kind][second]; second++) {
                    double begin = now();
                    step(&ways[i], second);
                    if (n >= 0)
                        ways[i].times[second][round + n] = now() - begin;
                }
    for (int i = 0; i < count; i++)
        for (int second = 0; second < 2 && operations[ways[i].kind][second]; second++) {
            printf("%s %s", ways[i].name, operations[ways[i].kind][second]);
            for (int n = 0; n < rounds / block * block; n++)
                printf(" %.1f", ways[i].times[second][n]);
            printf("\n");
        }
    return 0;
}
