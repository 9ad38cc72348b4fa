/*
 * A terminal in miniature. Each argument is one step; what came back of it is
 * written to the file named first. The same binary runs with any libutempter.
 *
 *     client LOG "open a" "add a host" "del a"
 *
 * A letter names a descriptor. Where a step is followed by more text, the text
 * is taken as it is, spaces and control characters included.
 */
#ifndef _GNU_SOURCE /* C++ sets it by itself */
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utempter.h>

/* Before each call; a call that changes it is seen to have done so. */
#define STALE_ERRNO EHOSTDOWN

static int descriptor[26];
static int log_fd;

static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vdprintf(log_fd, format, arguments) < 0)
        _exit(3);
    va_end(arguments);
}

static void fail(const char *step)
{
    note("%s: the test's own step failed: %s\n", step, strerror(errno));
    _exit(2);
}

static int *slot(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z')
        _exit(4);
    return &descriptor[name[0] - 'a'];
}

/* The text after "verb x ", or NULL where the step ends with the letter. */
static const char *text(const char *after_verb)
{
    return after_verb[0] && after_verb[1] == ' ' ? after_verb + 2 : NULL;
}

static const char *errno_word(int number)
{
    return number == STALE_ERRNO ? "kept" : strerrorname_np(number);
}

static void result(const char *verb, const char *name, int value, int number)
{
    note("%s%s%.1s: %d, errno %s\n", verb, name[0] ? " " : "", name, value, errno_word(number));
}

static int open_master(int flags)
{
    int fd = posix_openpt(flags | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        return -1;
    return fd;
}

static void step_state(const char *name)
{
    struct pollfd poll_fd = {*slot(name), POLLIN | POLLOUT | POLLPRI, 0};
    struct termios terminal;
    struct winsize size;
    int waiting = -1;
    if (poll(&poll_fd, 1, 0) < 0 || ioctl(poll_fd.fd, FIONREAD, &waiting) != 0 ||
        tcgetattr(poll_fd.fd, &terminal) != 0 || ioctl(poll_fd.fd, TIOCGWINSZ, &size) != 0)
        fail("state");
    note("state %.1s: poll %#x, %d bytes to read, status flags %#o, modes %x/%x/%x/%x, size %ux%u, fd flags %d\n",
         name, (unsigned)poll_fd.revents, waiting, (unsigned)fcntl(poll_fd.fd, F_GETFL), terminal.c_iflag,
         terminal.c_oflag, terminal.c_cflag, terminal.c_lflag, size.ws_row, size.ws_col,
         fcntl(poll_fd.fd, F_GETFD));
}

static void step_read(const char *name)
{
    char bytes[256];
    int fd = *slot(name);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        fail("read");
    ssize_t count = read(fd, bytes, sizeof bytes);
    int number = errno;
    note("read %.1s: %zd", name, count);
    if (count < 0)
        note(", errno %s", strerrorname_np(number));
    for (ssize_t i = 0; i < count; i++)
        note("%s%02x", i ? " " : ", bytes ", (unsigned char)bytes[i]);
    note("\n");
}

/* Runs the helper as programs do that do not use the library. The words of
   its command line are separated by '|'. */
enum run { ON_PTY, STDIN_ONLY, ORPHAN };

static void step_run(const char *verb, const char *name, enum run how)
{
    const char *helper = getenv("CLIENT_HELPER");
    const char *words = text(name);
    char line[1024];
    char *argv[8];
    int argc = 0;
    argv[argc++] = (char *)helper;
    if (words) {
        snprintf(line, sizeof line, "%s", words);
        for (char *rest = line; rest && argc < 7;)
            argv[argc++] = strsep(&rest, "|");
    }
    argv[argc] = NULL;

    pid_t child = fork();
    if (child < 0)
        fail("run");
    if (child == 0) {
        if (how == ORPHAN) {
            pid_t parent = getpid();
            if (fork() != 0)
                _exit(0);
            while (getppid() == parent)
                usleep(1000);
        }
        if (dup2(*slot(name), 0) < 0 || (how != STDIN_ONLY && dup2(*slot(name), 1) < 0))
            _exit(125);
        execv(helper, argv);
        _exit(126);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("run");
    if (WIFEXITED(status))
        note("%s: exit status %d\n", verb, WEXITSTATUS(status));
    else
        note("%s: killed by signal %d\n", verb, WTERMSIG(status));
}

static void step(const char *line)
{
    char verb[32];
    const char *rest = strchr(line, ' ');
    size_t length = rest ? (size_t)(rest - line) : strlen(line);
    if (length >= sizeof verb)
        _exit(4);
    memcpy(verb, line, length);
    verb[length] = 0;
    rest = rest ? rest + 1 : "";
#define IS(word) (strcmp(verb, word) == 0)

    /* Descriptors. */
    if (IS("open")) {
        if ((*slot(rest) = open_master(O_RDWR)) < 0)
            fail(line);
    } else if (IS("open-cloexec")) {
        if ((*slot(rest) = open_master(O_RDWR | O_CLOEXEC)) < 0)
            fail(line);
    } else if (IS("open-locked")) {
        if ((*slot(rest) = posix_openpt(O_RDWR | O_NOCTTY)) < 0)
            fail(line);
    } else if (IS("open-readonly")) {
        if ((*slot(rest) = posix_openpt(O_RDONLY | O_NOCTTY)) < 0 || unlockpt(*slot(rest)) != 0)
            fail(line);
    } else if (IS("open-path-only")) { /* open-path-only b a: a again, by O_PATH */
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", *slot(text(rest)));
        if ((*slot(rest) = open(path, O_PATH)) < 0)
            fail(line);
    } else if (IS("open-path")) {
        if ((*slot(rest) = open(text(rest), O_RDWR | O_NOCTTY)) < 0)
            fail(line);
    } else if (IS("open-many")) {
        /* Takes the next numbers of the devpts, so that a high one follows. */
        for (int i = atoi(rest); i > 0; i--)
            if (posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) < 0)
                fail(line);
    } else if (IS("unlock")) {
        if (unlockpt(*slot(rest)) != 0)
            fail(line);
    } else if (IS("slave")) { /* slave b a: b becomes the slave of a */
        if ((*slot(rest) = open(ptsname(*slot(text(rest))), O_RDWR | O_NOCTTY)) < 0)
            fail(line);
    } else if (IS("pipe")) {
        int ends[2];
        if (pipe(ends) != 0)
            fail(line);
        *slot(rest) = ends[0];
    } else if (IS("number")) { /* number a 999: whatever that is */
        *slot(rest) = atoi(text(rest));
    } else if (IS("move")) { /* move a 0: to this number, the old one closed */
        int to = atoi(text(rest));
        if (dup2(*slot(rest), to) < 0 || close(*slot(rest)) != 0)
            fail(line);
        *slot(rest) = to;
    } else if (IS("cloexec")) {
        if (fcntl(*slot(rest), F_SETFD, FD_CLOEXEC) != 0)
            fail(line);
    } else if (IS("close")) {
        if (close(*slot(rest)) != 0)
            fail(line);
    } else if (IS("close-number")) {
        if (close(atoi(rest)) != 0)
            fail(line);

    /* The library. */
    } else if (IS("add")) {
        errno = STALE_ERRNO;
        int value = utempter_add_record(*slot(rest), text(rest));
        result(verb, rest, value, errno);
    } else if (IS("del")) {
        errno = STALE_ERRNO;
        int value = utempter_remove_record(*slot(rest));
        result(verb, rest, value, errno);
    } else if (IS("del-added")) {
        errno = STALE_ERRNO;
        int value = utempter_remove_added_record();
        result(verb, "", value, errno);
    } else if (IS("helper")) {
        utempter_set_helper(rest);
        note("helper: set\n");
    } else if (IS("old-add")) {
        addToUtmp("/dev/pts/ignored", text(rest), *slot(rest));
        note("old-add: called\n");
    } else if (IS("old-remove")) {
        removeFromUtmp();
        note("old-remove: called\n");
    } else if (IS("old-remove-line")) {
        removeLineFromUtmp("/dev/pts/ignored", *slot(rest));
        note("old-remove-line: called\n");

    /* The helper by itself. */
    } else if (IS("run")) {
        step_run(verb, rest, ON_PTY);
    } else if (IS("run-stdin-only")) {
        step_run(verb, rest, STDIN_ONLY);
    } else if (IS("run-orphan")) { /* its parent gone before it runs */
        step_run(verb, rest, ORPHAN);

    /* The terminal. */
    } else if (IS("packet")) {
        int on = 1;
        if (ioctl(*slot(rest), TIOCPKT, &on) != 0)
            fail(line);
    } else if (IS("state")) {
        step_state(rest);
    } else if (IS("write")) {
        if (write(*slot(rest), text(rest), strlen(text(rest))) < 0)
            fail(line);
    } else if (IS("read")) {
        step_read(rest);
    } else if (IS("descriptors")) { /* which are open, the log apart */
        note("descriptors:");
        for (int fd = 0; fd < 64; fd++)
            if (fcntl(fd, F_GETFD) >= 0)
                note(" %d", fd);
        note("\n");
    } else if (IS("clock")) { /* milliseconds */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        note("clock: %lld\n", now.tv_sec * 1000LL + now.tv_nsec / 1000000);
    } else if (IS("block-signals")) { /* all, as tmux does */
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
    } else if (IS("nofile")) { /* RLIMIT_NOFILE, which the log's own number is beyond */
        struct rlimit limit;
        limit.rlim_cur = limit.rlim_max = (rlim_t)atoi(rest);
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            fail(line);
    } else if (IS("sleep")) {
        struct timespec pause = {atoi(rest) / 1000, atoi(rest) % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    } else {
        note("%s: no such step\n", line);
        _exit(4);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 4;
    /* Out of the way of every number a step may use or close. */
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    if (log_fd < 0)
        return 3;
    close(fd);
    /* /proc is of the namespace that the test runs in. */
    char outside[16] = "";
    if (readlink("/proc/self", outside, sizeof outside - 1) < 0)
        return 3;
    note("pid %d %s\n", (int)getpid(), outside);
    for (int i = 2; i < argc; i++)
        step(argv[i]);
    note("end\n");
    return 0;
}
