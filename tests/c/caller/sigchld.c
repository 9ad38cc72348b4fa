/* Every way in which a terminal hears of its children. */
#include "caller.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { HANDLER, IGNORED, BLOCKED, NOCLDWAIT, SIGNALFD, WAITPID_THREAD, WAIT_THREAD, WALL_THREAD };

static enum how how;
static volatile sig_atomic_t handled;
static int signal_fd = -1;

/* What is left behind by calls. */
static struct {
    long handler_ran, pending, children, stolen;
} left;

static void on_child(int signal)
{
    (void)signal;
    handled++;
}

/* A thread that collects whatever ends. It has a child that stays, and so always waits. */
static pid_t staying;
static _Atomic pid_t expected, collected;
static _Atomic long taken, waiting_thread;

static void *collect_all(void *nothing)
{
    waiting_thread = 1;
    for (;;) {
        int status;
        pid_t pid = how == WAIT_THREAD ? wait(&status) : waitpid(-1, &status, how == WALL_THREAD ? __WALL : 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0 || pid == staying)
            return nothing;
        if (pid == expected)
            collected = pid;
        else
            taken++;
    }
}

static int has_thread(void)
{
    return how == WAITPID_THREAD || how == WAIT_THREAD || how == WALL_THREAD;
}

static pid_t start_child(void)
{
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0)
        for (;;)
            pause();
    return child;
}

static pthread_t prepare(enum how chosen)
{
    how = chosen;
    struct sigaction action = {.sa_flags = SA_RESTART};
    sigset_t set;
    pthread_t thread = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    action.sa_handler = how == IGNORED ? SIG_IGN : has_thread() ? SIG_DFL : on_child;
    if (how == NOCLDWAIT)
        action.sa_flags |= SA_NOCLDWAIT;
    must("sigaction", sigaction(SIGCHLD, &action, NULL));
    if (how == BLOCKED || how == SIGNALFD)
        must("sigprocmask", sigprocmask(SIG_BLOCK, &set, NULL));
    if (how == SIGNALFD)
        signal_fd = (int)must("signalfd", signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (has_thread()) {
        staying = start_child();
        if (pthread_create(&thread, NULL, collect_all, NULL) != 0)
            broken("a thread");
        while (!waiting_thread)
            sleep_ms(1);
        sleep_ms(20);
    }
    return thread;
}

static void look_for_leftovers(void)
{
    left.handler_ran += handled;
    handled = 0;
    sigset_t pending;
    sigpending(&pending);
    left.pending += sigismember(&pending, SIGCHLD) == 1;
    struct timespec none = {0, 0};
    sigemptyset(&pending);
    sigaddset(&pending, SIGCHLD);
    if (how == BLOCKED || how == SIGNALFD)
        sigtimedwait(&pending, NULL, &none);
    if (has_thread())
        return;
    siginfo_t info;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 || errno != ECHILD)
        left.children++;
}

/* Whether the death is known to the terminal, by its own way of hearing of it. */
static int notified(pid_t child)
{
    struct timespec limit = {0, 20 * 1000000};
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    int status;
    switch (how) {
    case HANDLER:
        /* ThreadSanitizer runs handlers at the next call that it watches. */
        for (int i = 0; i < 10 && !handled; i++)
            sleep_us(300);
        return handled > 0 && waitpid(child, &status, WNOHANG) == child;
    case NOCLDWAIT:
        return handled > 0 && waitpid(child, &status, WNOHANG) < 0 && errno == ECHILD;
    case IGNORED:
        return waitpid(child, &status, WNOHANG) < 0 && errno == ECHILD;
    case BLOCKED:
        return sigtimedwait(&set, &info, &limit) == SIGCHLD && info.si_pid == child &&
               waitpid(child, &status, WNOHANG) == child;
    case SIGNALFD: {
        struct pollfd poll_fd = {signal_fd, POLLIN, 0};
        struct signalfd_siginfo read_info;
        return poll(&poll_fd, 1, 20) == 1 && read(signal_fd, &read_info, sizeof read_info) == sizeof read_info &&
               read_info.ssi_pid == (unsigned)child && waitpid(child, &status, WNOHANG) == child;
    }
    default:
        for (int i = 0; i < 1000 && collected != child; i++)
            sleep_us(300);
        return collected == child;
    }
}

/* Nothing of one round is left to the next. */
static void settle(pid_t child)
{
    int status;
    struct timespec none = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (!has_thread())
        waitpid(child, &status, 0);
    if (how == BLOCKED || how == SIGNALFD)
        while (sigtimedwait(&set, NULL, &none) == SIGCHLD)
            ;
    handled = 0;
}

/* Other children die while the terminal is in a call: the helper itself kills them, so
   that it is so each time. */
static void deaths_during_calls(int master)
{
    struct tally tally = {0};
    long heard = 0;
    use_helper("kill");
    for (int i = 0; i < rounds; i++) {
        char digits[16];
        pid_t child = start_child();
        expected = child;
        snprintf(digits, sizeof digits, "%d", (int)child);
        if (setenv("CALLER_KILL", digits, 1) != 0)
            broken("setenv");
        if (add(&tally, master) != 1)
            kill(child, SIGKILL);
        heard += notified(child);
        settle(child);
    }
    use_helper(NULL);
    check_tally("calls during which a child dies", &tally);
    check_of("deaths of other children during a call heard of", heard, rounds);
}

/* A death that the terminal has not heard of yet, since it blocks the signal. */
static void deaths_before_calls(int master)
{
    struct tally tally = {0};
    long heard = 0;
    for (int i = 0; i < rounds; i++) {
        siginfo_t info;
        pid_t child = start_child();
        kill(child, SIGKILL);
        must("waitid", waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
        add(&tally, master);
        heard += notified(child);
        settle(child);
    }
    check_tally("calls after a child has died", &tally);
    check_of("deaths of children before a call heard of", heard, rounds);
}

static void run(enum how chosen)
{
    struct tally tally = {0};
    int master = open_pty();
    pthread_t thread = prepare(chosen);
    for (int i = 0; i < rounds; i++) {
        add(&tally, master);
        look_for_leftovers();
        del(&tally, master);
        look_for_leftovers();
    }
    check_tally("add and del", &tally);
    if (!has_thread())
        check("runs of the SIGCHLD handler for the helper", left.handler_ran, 0);
    check("SIGCHLD left pending by the helper", left.pending, 0);
    if (!has_thread())
        check("children or zombies left after a call", left.children, 0);
    long stolen = taken;
    deaths_during_calls(master);
    if (how == BLOCKED || how == SIGNALFD)
        deaths_before_calls(master);
    if (has_thread()) {
        if (how == WALL_THREAD)
            saw("exit statuses that the thread took from the calls", "%ld", stolen);
        else
            check("exit statuses that the thread took from the calls", stolen, 0);
        kill(staying, SIGKILL);
        if (pthread_join(thread, NULL) != 0)
            broken("join");
        siginfo_t info;
        check("children or zombies left at the end",
              waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 || errno != ECHILD, 0);
    }
}

void case_sigchld_handler(void) { run(HANDLER); }
void case_sigchld_ignored(void) { run(IGNORED); }
void case_sigchld_blocked(void) { run(BLOCKED); }
void case_sigchld_nocldwait(void) { run(NOCLDWAIT); }
void case_sigchld_signalfd(void) { run(SIGNALFD); }
void case_sigchld_waitpid(void) { run(WAITPID_THREAD); }
void case_sigchld_wait(void) { run(WAIT_THREAD); }
void case_sigchld_wall(void) { run(WALL_THREAD); }
