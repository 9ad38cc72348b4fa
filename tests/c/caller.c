/*
 * A program with children, signal handlers and threads of its own, which must not notice
 * that the library starts a process. Its argument is what is tried.
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
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
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

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void block(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static int is_pending(int number)
{
    sigset_t set;
    CHECK(sigpending(&set) == 0);
    return sigismember(&set, number);
}

static void pause_ms(long milliseconds)
{
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

static int open_master(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    return fd;
}

static void add_and_remove(int master)
{
    CHECK(utempter_add_record(master, "host") == 1);
    CHECK(utempter_remove_record(master) == 1);
}

static pid_t start_child(int milliseconds, int status)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (milliseconds > 0)
            usleep((useconds_t)milliseconds * 1000);
        _exit(status);
    }
    return child;
}

/* A child that ends while the helper runs is told of, and its status is there. */
static void others_sigchld(void)
{
    int master = open_master();
    handle(SIGCHLD, count_signal, SA_RESTART);
    for (int i = 0; i < 60; i++) {
        signals = 0;
        pid_t child = start_child(i % 4, 40 + i);
        CHECK(utempter_add_record(master, "host") == 1);
        for (int wait = 0; signals == 0 && wait < 1000; wait++)
            pause_ms(1);
        CHECK(signals > 0);
        int status = 0;
        CHECK(waitpid(child, &status, WNOHANG) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 40 + i);
    }
}

static void no_sigchld(void)
{
    int master = open_master();
    handle(SIGCHLD, count_signal, 0);
    for (int i = 0; i < 20; i++)
        add_and_remove(master);
    CHECK(utempter_add_record(-1, NULL) == 0);
    pause_ms(50);
    CHECK(signals == 0);
}

static void no_pending_sigchld(void)
{
    int master = open_master();
    handle(SIGCHLD, count_signal, 0);
    block(SIGCHLD);
    add_and_remove(master);
    CHECK(!is_pending(SIGCHLD));
}

static void pending_sigchld_stays(void)
{
    int master = open_master();
    handle(SIGCHLD, count_signal, 0);
    block(SIGCHLD);
    pid_t child = start_child(0, 5);
    while (!is_pending(SIGCHLD))
        pause_ms(1);
    add_and_remove(master);
    CHECK(is_pending(SIGCHLD));
    CHECK(waitpid(child, NULL, 0) == child);
}

static void ignored_sigchld(void)
{
    int master = open_master();
    handle(SIGCHLD, SIG_IGN, 0);
    for (int i = 0; i < 10; i++)
        add_and_remove(master);
    struct sigaction now;
    CHECK(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
}

/* Helpers it has seen end. */
static volatile int strangers;

static void *reap(void *options)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, *(int *)options);
        if (pid > 0)
            strangers++;
        else if (errno == ECHILD)
            return NULL;
    }
}

static void with_reaper(int options)
{
    int master = open_master();
    pthread_t reaper;
    pid_t child = start_child(60000, 0);
    CHECK(pthread_create(&reaper, NULL, reap, &options) == 0);
    for (int i = 0; i < 50; i++)
        add_and_remove(master);
    int seen = strangers;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(pthread_join(reaper, NULL) == 0);
    if (!(options & __WALL))
        CHECK(seen == 0);
}

static void a_reaper(void) { with_reaper(0); }
static void a_reaper_of_all(void) { with_reaper(__WALL); }

static void no_child_left(void)
{
    int master = open_master();
    add_and_remove(master);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    utempter_set_helper("/nowhere/helper");
    CHECK(utempter_add_record(master, "host") == 0);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

/* All that a process is, in text. */
static void describe(char *text, size_t size)
{
    size_t end = 0;
#define SAY(...) (end += (size_t)snprintf(text + end, end < size ? size - end : 0, __VA_ARGS__))
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue;
        SAY("%d: %p %x;", number, (void *)(unsigned long)action.sa_handler, (unsigned)action.sa_flags);
        for (int other = 1; other < NSIG; other++)
            if (sigismember(&action.sa_mask, other) == 1)
                SAY(" %d", other);
        SAY("\n");
    }
    sigset_t mask;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int number = 1; number < NSIG; number++)
        SAY("%d", sigismember(&mask, number));
    SAY("\n");
    for (int fd = 0; fd < 64; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0)
            SAY("fd %d: %lx %lx %d %d\n", fd, (long)st.st_dev, (long)st.st_ino,
                fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
    }
    for (char **entry = environ; *entry; entry++)
        SAY("%s\n", *entry);
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        CHECK(getrlimit((__rlimit_resource_t)resource, &limit) == 0);
        SAY("%lx %lx;", (long)limit.rlim_cur, (long)limit.rlim_max);
    }
    char here[256];
    mode_t mode = umask(0);
    umask(mode);
    SAY("%s %o %d %d %d ", getcwd(here, sizeof here), mode, getpgrp(), getsid(0), getppid());
    SAY("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    struct itimerval timer;
    CHECK(getitimer(ITIMER_REAL, &timer) == 0);
    SAY("alarm %s\n", timer.it_value.tv_sec > 900 ? "set" : "changed");
    CHECK(end < size);
}

static long mapped_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    return pages;
}

static void unchanged(void)
{
    static char before[65536], after[65536];
    int master = open_master();
    handle(SIGCHLD, count_signal, SA_RESTART | SA_NOCLDSTOP);
    handle(SIGPIPE, SIG_IGN, 0);
    handle(SIGUSR1, count_signal, SA_SIGINFO);
    block(SIGUSR2);
    block(SIGTERM);
    alarm(1000);
    /* What is set up once is there before the count. */
    add_and_remove(master);
    describe(before, sizeof before);
    long mapped = mapped_bytes();
    for (int i = 0; i < 5; i++)
        add_and_remove(master);
    CHECK(utempter_add_record(master, "\n") == 0);
    CHECK(mapped_bytes() == mapped);
    describe(after, sizeof after);
    if (strcmp(before, after) != 0) {
        printf("before:\n%s\nafter:\n%s\n", before, after);
        exit(1);
    }
}

static void *add_many(void *unused)
{
    (void)unused;
    int master = open_master();
    for (int i = 0; i < 10; i++)
        add_and_remove(master);
    return NULL;
}

static void threads(void)
{
    pthread_t thread[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&thread[i], NULL, add_many, NULL) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
}

static volatile sig_atomic_t removed = -1;

static void remove_added(int number)
{
    (void)number;
    removed = utempter_remove_added_record();
}

/* As xterm does on SIGTERM: wherever the program is, here mostly in malloc. */
static void in_a_handler(int flags)
{
    int master = open_master();
    CHECK(utempter_add_record(master, "host") == 1);
    handle(SIGALRM, remove_added, flags);
    struct itimerval soon = {{0, 0}, {0, 20000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    while (removed == -1) {
        char *memory = malloc(100);
        CHECK(memory != NULL);
        memset(memory, 1, 100);
        free(memory);
    }
    CHECK(removed == 1);
}

static void a_handler(void) { in_a_handler(0); }

static void a_small_stack(void)
{
    stack_t stack = {malloc(8192), 0, 8192};
    CHECK(stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0);
    in_a_handler(SA_ONSTACK);
}

static void call_in_the_foreground(int slave)
{
    CHECK(setpgid(0, 0) == 0);
    signal(SIGTTOU, SIG_IGN);
    CHECK(tcsetpgrp(slave, getpid()) == 0);
    handle(SIGTSTP, count_signal, SA_RESTART);
    utempter_set_helper("/tmp/bin/slow");
    CHECK(utempter_add_record(open_master(), "host") == 1);
    CHECK(signals == 1);
    _exit(0);
}

/* A ^Z that is typed where the program runs reaches the program, and nobody it waits for. */
static void a_stop_key(void)
{
    int terminal = open_master();
    pid_t shell = fork();
    CHECK(shell >= 0);
    if (shell == 0) {
        /* A job of a shell's: others are not stopped (setpgid(2), orphaned groups). */
        CHECK(setsid() > 0);
        int slave = open(ptsname(terminal), O_RDWR);
        CHECK(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
        pid_t job = fork();
        CHECK(job >= 0);
        if (job == 0)
            call_in_the_foreground(slave);
        int status = 0;
        CHECK(waitpid(job, &status, 0) == job);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
    }
    pause_ms(300);
    CHECK(write(terminal, "\x1a", 1) == 1);
    int status = 0;
    for (int wait = 0; wait < 300; wait++) {
        if (waitpid(shell, &status, WNOHANG) == shell) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return;
        }
        pause_ms(10);
    }
    CHECK(!"the call came back");
}

static volatile int answered;

static void *cancelled(void *unused)
{
    (void)unused;
    int master = open_master();
    answered = utempter_add_record(master, "host");
    pause_ms(60000); /* a cancellation point */
    return NULL;
}

static void a_cancelled_thread(void)
{
    pthread_t thread;
    void *end = NULL;
    utempter_set_helper("/tmp/bin/slow");
    CHECK(pthread_create(&thread, NULL, cancelled, NULL) == 0);
    pause_ms(200);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &end) == 0);
    CHECK(end == PTHREAD_CANCELED);
    CHECK(answered == 1);
}

/* The helper starts anew, whatever its caller has set. */
static void a_clean_helper(void)
{
    int master = open_master();
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
    for (int i = 0; i < 20; i++)
        CHECK(open("/dev/null", O_RDONLY) >= 0);
    utempter_set_helper("/tmp/bin/curious");
    CHECK(utempter_add_record(master, "host") == 1);
}

static const struct {
    const char *name;
    void (*try)(void);
} tries[] = {
    {"others-sigchld", others_sigchld},
    {"no-sigchld", no_sigchld},
    {"no-pending-sigchld", no_pending_sigchld},
    {"pending-sigchld-stays", pending_sigchld_stays},
    {"ignored-sigchld", ignored_sigchld},
    {"a-reaper", a_reaper},
    {"a-reaper-of-all", a_reaper_of_all},
    {"no-child-left", no_child_left},
    {"unchanged", unchanged},
    {"threads", threads},
    {"a-handler", a_handler},
    {"a-small-stack", a_small_stack},
    {"a-stop-key", a_stop_key},
    {"a-cancelled-thread", a_cancelled_thread},
    {"a-clean-helper", a_clean_helper},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof tries / sizeof *tries; i++) {
        if (strcmp(argv[1], tries[i].name) == 0) {
            tries[i].try();
            return 0;
        }
    }
    return 4;
}
