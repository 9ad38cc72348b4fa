/* Everything of a process that others may look at, before and after. */
#include "caller.h"

#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Not on the heap, so that taking a picture does not change the map of memory. */
struct picture {
    size_t length;
    char text[256 * 1024];
};
static struct picture before, after;

static void put(struct picture *picture, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t space = sizeof picture->text - picture->length;
    int length = vsnprintf(picture->text + picture->length, space, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= space)
        broken("a picture's size");
    picture->length += (size_t)length;
}

static void put_signals(struct picture *picture)
{
    unsigned char action[64];
    unsigned long set = 0;
    for (int signal = 1; signal < 65; signal++) {
        memset(action, 0, sizeof action);
        syscall(SYS_rt_sigaction, signal, NULL, action, 8);
        put(picture, "action of signal %d", signal);
        for (int i = 0; i < 32; i++)
            put(picture, " %02x", action[i]);
        put(picture, "\n");
    }
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, 8);
    put(picture, "signal mask %lx\n", set);
    syscall(SYS_rt_sigpending, &set, 8);
    put(picture, "pending signals %lx\n", set);
    stack_t stack;
    sigaltstack(NULL, &stack);
    put(picture, "signal stack %p %zu %x\n", stack.ss_sp, stack.ss_size, (unsigned)stack.ss_flags);
}

static void put_descriptors(struct picture *picture)
{
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0)
            continue;
        char name[32], to[256] = "";
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        if (readlink(name, to, sizeof to - 1) < 0)
            broken(name);
        put(picture, "descriptor %d %s flags %d status %#x offset %ld\n", fd, to, flags,
            (unsigned)fcntl(fd, F_GETFL), (long)lseek(fd, 0, SEEK_CUR));
    }
}

static void put_file(struct picture *picture, const char *name)
{
    int fd = (int)must(name, open(name, O_RDONLY | O_CLOEXEC));
    for (;;) {
        ssize_t length = read(fd, picture->text + picture->length, sizeof picture->text - picture->length - 1);
        if (length <= 0)
            break;
        picture->length += (size_t)length;
    }
    picture->text[picture->length] = 0;
    close(fd);
}

static void take(struct picture *picture)
{
    picture->length = 0;
    put_signals(picture);
    put_descriptors(picture);
    put(picture, "environment %p\n", (void *)environ);
    for (int i = 0; environ[i]; i++)
        put(picture, "environment %d %p %s\n", i, (void *)environ[i], environ[i]);
    mode_t mask = umask(0);
    umask(mask);
    char directory[256];
    put(picture, "umask %o\ndirectory %s\n", (unsigned)mask, getcwd(directory, sizeof directory));
    put(picture, "pid %d parent %d group %d session %d thread %d\n", (int)getpid(), (int)getppid(),
        (int)getpgrp(), (int)getsid(0), (int)gettid());
    uid_t uids[3];
    gid_t gids[3], groups[64];
    getresuid(&uids[0], &uids[1], &uids[2]);
    getresgid(&gids[0], &gids[1], &gids[2]);
    put(picture, "ids %u %u %u %u %u %u groups", uids[0], uids[1], uids[2], gids[0], gids[1], gids[2]);
    for (int i = 0, count = getgroups(64, groups); i < count; i++)
        put(picture, " %u", groups[i]);
    put(picture, "\n");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        put(picture, "limit %d %lu %lu\n", i, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
    int subreaper = 0, death_signal = 0;
    char name[16] = "";
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    prctl(PR_GET_PDEATHSIG, &death_signal);
    prctl(PR_GET_NAME, name);
    put(picture, "nice %d dumpable %d no_new_privs %d subreaper %d death signal %d name %s\n",
        getpriority(PRIO_PROCESS, 0), prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        subreaper, death_signal, name);
    put(picture, "threads and children\n");
    put_file(picture, "/proc/thread-self/children");
    put(picture, "\nmemory\n");
    put_file(picture, "/proc/self/maps");
}

static void on_signal(int signal)
{
    (void)signal;
}

static void compare(const char *when)
{
    char what[96];
    long differences = 0;
    char *left_rest, *right_rest;
    char *left = strtok_r(before.text, "\n", &left_rest), *right = strtok_r(after.text, "\n", &right_rest);
    while (left || right) {
        if (!left || !right || strcmp(left, right) != 0) {
            if (differences++ == 0)
                saw("first difference", "%.200s | %.200s", left ? left : "nothing", right ? right : "nothing");
        }
        left = left ? strtok_r(NULL, "\n", &left_rest) : NULL;
        right = right ? strtok_r(NULL, "\n", &right_rest) : NULL;
    }
    snprintf(what, sizeof what, "differences in the process's state after %s", when);
    check(what, differences, 0);
}

/* A process with something in every place. */
static void furnish(void)
{
    for (int signal = 1; signal < 65; signal++) {
        struct sigaction action = {.sa_handler = signal % 3 ? on_signal : SIG_IGN,
                                   .sa_flags = signal % 2 ? SA_RESTART : SA_NODEFER | SA_ONSTACK};
        sigaddset(&action.sa_mask, signal % 5 ? SIGUSR1 : SIGUSR2);
        sigaction(signal, &action, NULL); /* some cannot be */
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1); /* pending from now on */
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    must("sigaltstack", sigaltstack(&alternate, NULL));
    umask(0137);
    must("chdir", chdir("/usr"));
    int fd = (int)must("open", open("/etc/passwd", O_RDONLY));
    lseek(fd, 5, SEEK_SET);
    must("dup2", dup2(fd, 50));
    must("cloexec", fcntl(50, F_SETFD, FD_CLOEXEC));
    must("pipe", pipe2((int[2]){0, 0}, O_NONBLOCK));
    must("setenv", setenv("UTEMPTER_PID", "12", 1));
    must("setenv", setenv("A_NAME", "a value", 1));
    struct rlimit limit = {100, 200};
    must("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
    must("nice", setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 3));
    must("pdeathsig", prctl(PR_SET_PDEATHSIG, SIGHUP));
    must("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
    must("name", prctl(PR_SET_NAME, "a terminal"));
}

/* Grown now, it does not grow in the midst of a comparison. */
static void grow_stack(void)
{
    volatile char pages[256 * 1024];
    for (size_t i = 0; i < sizeof pages; i += 1024)
        pages[i] = 1;
}

void case_state(void)
{
    struct tally tally = {0};
    int master = open_pty();
    grow_stack();
    furnish();
    for (int i = 0; i < 2; i++)
        take(&before), take(&after); /* whatever is set up at first use */
    compare("nothing");
    for (int i = 0; i < rounds; i++) {
        take(&before);
        add(&tally, master);
        del(&tally, master);
        take(&after);
        if (strcmp(before.text, after.text) != 0)
            break;
    }
    compare("add and del");
    check_tally("add and del", &tally);

    struct tally failing = {0};
    take(&before);
    int value = utempter_add_record(master, "not\na host");
    take(&after);
    compare("a refused host");
    check("a refused host", value, 0);

    take(&before);
    add(&failing, 99);
    take(&after);
    compare("a descriptor that is not open");
    check("a descriptor that is not open", failing.succeeded, 0);

    utempter_set_helper("/nowhere/utempter");
    take(&before);
    del(&failing, master);
    take(&after);
    compare("a helper that is not there");
    check("a helper that is not there", failing.succeeded, 0);
}

static volatile sig_atomic_t rang;
static void on_alarm(int signal)
{
    (void)signal;
    rang++;
}

/* A CPU timer counts by the tick, of which 100 a second are the fewest. */
enum { TICK = 10 };

static long whole_ms(const struct itimerval *timer)
{
    return timer->it_value.tv_sec * 1000 + timer->it_value.tv_usec / 1000;
}

void case_timers(void)
{
    static const int kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    static const char *const names[] = {"ITIMER_REAL, alarm", "ITIMER_VIRTUAL", "ITIMER_PROF"};
    struct tally tally = {0};
    int master = open_pty();
    timer_t timer;
    struct itimerspec long_time = {{70, 0}, {1000, 0}}, rest;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    must("timer_create", timer_create(CLOCK_MONOTONIC, &none, &timer));
    must("timer_settime", timer_settime(timer, 0, &long_time, NULL));
    for (int i = 0; i < 3; i++)
        must("setitimer", setitimer(kinds[i], &(struct itimerval){{70 + i, 0}, {1000 + i, 0}}, NULL));
    long begin = now_ms();
    for (int i = 0; i < rounds; i++) {
        add(&tally, master);
        del(&tally, master);
    }
    long gone = now_ms() - begin + 10;
    for (int i = 0; i < 3; i++) {
        struct itimerval now;
        getitimer(kinds[i], &now);
        long start = (1000 + i) * 1000;
        int same_interval = now.it_interval.tv_sec == 70 + i && now.it_interval.tv_usec < TICK * 1000;
        check_text(names[i], same_interval ? "goes on" : "changed", "goes on");
        check_between("milliseconds it has counted", start + TICK - whole_ms(&now), 0, gone + 2 * TICK, "");
    }
    must("timer_gettime", timer_gettime(timer, &rest));
    long left_ms = rest.it_value.tv_sec * 1000 + rest.it_value.tv_nsec / 1000000;
    check_text("a POSIX timer",
               left_ms <= 1000000 && left_ms >= 1000000 - gone && rest.it_interval.tv_sec == 70 ? "goes on" : "changed",
               "goes on");
    check_tally("add and del", &tally);

    /* One that goes off in the middle of a call. */
    struct sigaction action = {.sa_handler = on_alarm};
    must("sigaction", sigaction(SIGALRM, &action, NULL));
    new_mark();
    use_helper("slow 200");
    struct tally slow = {0};
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 60000}}, NULL);
    add(&slow, master);
    check_tally("a call during which the alarm goes off", &slow);
    check("runs of the alarm's handler", rang, 1);
}
