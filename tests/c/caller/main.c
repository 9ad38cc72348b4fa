#include "caller.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int rounds = 10;
char mark[64];
static int report_fd = 1;

static void line(const char *format, ...)
{
    /* One write each: threads and children report too. */
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || write(report_fd, text, strlen(text)) < 0)
        _exit(3);
}

void check(const char *what, long found, long wanted)
{
    if (found == wanted)
        line("ok\t%s\t%ld\n", what, found);
    else
        line("BAD\t%s\t%ld, not %ld\n", what, found, wanted);
}

void check_of(const char *what, long found, long of)
{
    line("%s\t%s\t%ld of %ld\n", found == of && of > 0 ? "ok" : "BAD", what, found, of);
}

void check_text(const char *what, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) == 0)
        line("ok\t%s\t%s\n", what, found);
    else
        line("BAD\t%s\t%s, not %s\n", what, found, wanted);
}

void check_between(const char *what, long found, long least, long most, const char *unit)
{
    if (least <= found && found <= most)
        line("ok\t%s\t%ld %s\n", what, found, unit);
    else
        line("BAD\t%s\t%ld %s, not %ld to %ld\n", what, found, unit, least, most);
}

void saw(const char *what, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line("saw\t%s\t%s\n", what, text);
}

void broken(const char *step)
{
    line("broken\t%s\t%s\n", step, errno_name(errno));
    _exit(2);
}

long must(const char *step, long result)
{
    if (result < 0)
        broken(step);
    return result;
}

int open_pty(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        broken("a pty");
    return fd;
}

long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

void sleep_us(long microseconds)
{
    struct timespec rest = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

void sleep_ms(long milliseconds)
{
    sleep_us(milliseconds * 1000);
}

const char *errno_name(int number)
{
    const char *name = number == 0 ? "none" : number == STALE_ERRNO ? "kept" : strerrorname_np(number);
    return name ? name : "no errno";
}

static int count(struct tally *tally, int value)
{
    tally->last_errno = errno;
    tally->calls++;
    tally->succeeded += value == 1;
    tally->errno_kept += value == 1 && tally->last_errno == STALE_ERRNO;
    return value;
}

int add(struct tally *tally, int master)
{
    errno = STALE_ERRNO;
    return count(tally, utempter_add_record(master, "host"));
}

int del(struct tally *tally, int master)
{
    errno = STALE_ERRNO;
    return count(tally, utempter_remove_record(master));
}

void check_tally(const char *what, const struct tally *tally)
{
    char text[128];
    snprintf(text, sizeof text, "%s: succeeded", what);
    check_of(text, tally->succeeded, tally->calls);
    if (tally->succeeded < tally->calls && tally->last_errno != STALE_ERRNO) {
        snprintf(text, sizeof text, "%s: errno of the last", what);
        saw(text, "%s", errno_name(tally->last_errno));
    }
    if (tally->succeeded > 0) {
        snprintf(text, sizeof text, "%s: errno left as it was", what);
        check_of(text, tally->errno_kept, tally->succeeded);
    }
}

void check_goes_on(int master)
{
    struct tally tally = {0};
    use_helper(NULL);
    add(&tally, master);
    del(&tally, master);
    check_of("the terminal goes on: add and del afterwards", tally.succeeded, tally.calls);
}

void new_mark(void)
{
    static int number;
    snprintf(mark, sizeof mark, "/tmp/home/mark-%d-%d", (int)getpid(), number++);
    unlink(mark);
    if (setenv("CALLER_MARK", mark, 1) != 0)
        broken("setenv");
}

pid_t wait_for_mark(long limit_ms)
{
    for (long end = now_ms() + limit_ms; now_ms() < end; sleep_ms(2)) {
        char digits[16] = "";
        int fd = open(mark, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ssize_t length = read(fd, digits, sizeof digits - 1);
        close(fd);
        if (length > 0 && strchr(digits, '\n'))
            return atoi(digits);
    }
    return 0;
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(name) {#name, case_##name}
    CASE(plain),
    CASE(sigchld_handler),
    CASE(sigchld_ignored),
    CASE(sigchld_blocked),
    CASE(sigchld_nocldwait),
    CASE(sigchld_signalfd),
    CASE(sigchld_waitpid),
    CASE(sigchld_wait),
    CASE(sigchld_wall),
    CASE(state),
    CASE(timers),
    CASE(interrupt),
    CASE(handler_exit),
    CASE(altstack),
    CASE(small_thread),
    CASE(vfork),
    CASE(threads),
    CASE(subreaper),
    CASE(process_1),
    CASE(cancel),
    CASE(cancel_pending),
    CASE(job_default),
    CASE(job_handled),
    CASE(job_sigstop),
    CASE(job_one),
    CASE(job_storm),
    CASE(hung),
    CASE(killed),
    CASE(child_stopped),
    CASE(probe),
    CASE(low_masters),
    CASE(errno),
    CASE(signals),
    CASE(nproc),
    CASE(saved_gid),
    CASE(no_close_range),
    CASE(no_exit_signal),
    CASE(pane),
};

int main(int argc, char **argv)
{
    if (is_helper(argc, argv))
        return act_as_helper(argc, argv);
    if (argc < 2)
        return 4;
    if (argc > 2)
        rounds = atoi(argv[2]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        /* Out of the way of every number a case may use or close. */
        report_fd = (int)must("a report", fcntl(1, F_DUPFD_CLOEXEC, 200));
        cases[i].run();
        line("end\n");
        return 0;
    }
    return 4;
}
