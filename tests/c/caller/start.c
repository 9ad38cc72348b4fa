/* How the helper is started, and what a caller hears where it cannot be. */
#include "caller.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static char findings[4096];

/* What the helper has written down of itself. */
static const char *found(const char *name)
{
    static char value[512];
    size_t length = strlen(name);
    for (const char *line = findings; (line = strchr(line, '\n')) != NULL;) {
        line++;
        if (strncmp(line, name, length) == 0 && line[length] == '=') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
            return value;
        }
    }
    return "nothing";
}

static void check_found(const char *name, const char *format, long wanted)
{
    char text[64];
    snprintf(text, sizeof text, format, wanted);
    check_text(name, found(name), text);
}

void case_probe(void)
{
    struct tally tally = {0};
    int master = open_pty(), number = -1;
    must("TIOCGPTN", ioctl(master, TIOCGPTN, &number));
    /* A caller with a terminal of its own, as tmux's server has everything blocked and
       much open. */
    int own = open_pty();
    setsid();
    int tty = (int)must("slave", open(ptsname(own), O_RDWR));
    (void)tty;
    struct stat standard_error;
    must("fstat", fstat(2, &standard_error));
    must("open", open("/etc/passwd", O_RDONLY));
    must("dup2", dup2(own, 150));
    for (int signal = 1; signal < 65; signal++)
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigset_t all;
    sigfillset(&all);
    must("sigprocmask", sigprocmask(SIG_SETMASK, &all, NULL));
    umask(0027);
    char wrong[] = "UTEMPTER_PID=1", again[] = "UTEMPTER_PID=none", first[] = "CALLER_OWN_1=",
         second[] = "CALLER_OWN_2=a b";
    putenv(first);
    putenv(second);
    new_mark();
    use_helper("probe");
    /* One name twice, as only a hand-made environment has it. */
    extern char **environ;
    char *entries[256], **before = environ;
    int count = 0;
    entries[count++] = wrong;
    while (environ[count - 1] && count < 250) {
        entries[count] = environ[count - 1];
        count++;
    }
    entries[count++] = again;
    entries[count] = NULL;
    environ = entries;
    add(&tally, master);
    environ = before;
    check_tally("add", &tally);
    int fd = open(mark, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, findings, sizeof findings - 1) <= 0)
        broken("what the helper found");
    check_found("seconds until its alarm", "%ld", 5);
    check_found("signals blocked", "%ld", 0);
    check_found("signals not at their default", "%ld", 0);
    check_text("the helper's session", atoi(found("session")) == getsid(0) ? "the caller's" : "another", "another");
    check_text("its process group", atoi(found("process group")) == getpgrp() ? "the caller's" : "another", "another");
    check_text("its controlling terminal", found("controlling terminal"), "none");
    check_found("pty of fd 0", "%ld", number);
    check_found("pty of fd 1", "%ld", number);
    check_found("inode of fd 2", "%ld", (long)standard_error.st_ino);
    check_found("other descriptors", "%ld", 0);
    check_found("entries UTEMPTER_PID", "%ld", 1);
    check_found("UTEMPTER_PID", "%ld", getpid());
    check_found("entries of the caller's", "%ld", 2);
    check_found("umask", "%lo", 0027);
    char directory[256];
    check_text("directory", found("directory"), getcwd(directory, sizeof directory));
    check_text("arguments", found("arguments"), "3 add host");
}

static void low_master(const char *what, int number, int flags)
{
    struct tally tally = {0};
    int status = -1;
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        int master = open_pty();
        must("dup2", dup2(master, number));
        must("cloexec", fcntl(number, F_SETFD, flags));
        close(master);
        add(&tally, number);
        del(&tally, number);
        int kept = fcntl(number, F_GETFD) == flags;
        _exit(tally.succeeded == 2 && tally.errno_kept == 2 && kept);
    }
    must("waitpid", waitpid(child, &status, 0));
    check_text(what, WIFEXITED(status) && WEXITSTATUS(status) == 1 ? "succeeded" : "failed", "succeeded");
}

void case_low_masters(void)
{
    low_master("the master is fd 0", 0, 0);
    low_master("the master is fd 0, close-on-exec", 0, FD_CLOEXEC);
    low_master("the master is fd 1", 1, 0);
    low_master("the master is fd 1, close-on-exec", 1, FD_CLOEXEC);
    low_master("the master is fd 2", 2, 0);
}

static void fails(const char *what, const char *wanted, int master, const char *host)
{
    errno = STALE_ERRNO;
    int value = utempter_add_record(master, host);
    check_text(what, value ? "success" : errno_name(errno), wanted);
}

void case_errno(void)
{
    int master = open_pty();
    int file = (int)must("open", open("/dev/zero", O_RDWR));
    int slave = (int)must("slave", open(ptsname(master), O_RDWR | O_NOCTTY));
    int reader = (int)must("pty", posix_openpt(O_RDONLY | O_NOCTTY));
    fails("a descriptor that is not open", "EBADF", 99, "host");
    fails("a negative descriptor", "EBADF", -1, "host");
    fails("a file that is no terminal", "ENOTTY", file, "host");
    fails("a slave", "ENOTTY", slave, "host");
    fails("a master open for reading alone", "EBADF", reader, "host");
    fails("a host with a newline", "EINVAL", master, "not\na host");
    fails("a host with a space first", "EINVAL", master, " host");
    fails("a host of UTF-8", "EINVAL", master, "h\303\266st");
    errno = STALE_ERRNO;
    int value = utempter_remove_added_record();
    check_text("remove_added_record with none added", value ? "success" : errno_name(errno), "ENOENT");
    utempter_set_helper("/nowhere/utempter");
    fails("no helper", "ENOENT", master, "host");
    utempter_set_helper("/etc/passwd");
    fails("a helper that may not be executed", "EACCES", master, "host");
    utempter_set_helper("/etc/passwd/utempter");
    fails("a helper's path through a file", "ENOTDIR", master, "host");
    use_helper("exit 4");
    fails("a helper's exit status that is EINTR", "EIO", master, "host");
    use_helper("exit 1");
    fails("a helper's exit status 1", "EPERM", master, "host");
    use_helper("exit 255");
    fails("a helper's exit status 255", "EIO", master, "host");
    struct rlimit memory;
    getrlimit(RLIMIT_AS, &memory);
    must("setrlimit", setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, memory.rlim_max}));
    fails("no memory", "ENOMEM", master, "host");
    must("setrlimit", setrlimit(RLIMIT_AS, &memory));
    check_goes_on(master);
}

static volatile sig_atomic_t interruptions;
static void interrupted(int signal)
{
    (void)signal;
    interruptions++;
}

/* Signals all the time, with handlers that do not ask for a restart. */
void case_signals(void)
{
    struct tally tally = {0};
    long eintr = 0;
    int master = open_pty();
    struct sigaction action = {.sa_handler = interrupted};
    pid_t caller = getpid();
    must("sigaction", sigaction(SIGUSR1, &action, NULL));
    must("sigaction", sigaction(SIGCHLD, &action, NULL));
    pid_t sender = (pid_t)must("fork", fork());
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            kill(caller, SIGUSR1);
            sleep_us(100);
        }
    }
    for (int i = 0; i < rounds; i++) {
        eintr += add(&tally, master) != 1 && tally.last_errno == EINTR;
        eintr += del(&tally, master) != 1 && tally.last_errno == EINTR;
    }
    kill(sender, SIGKILL);
    check_tally("add and del under a hail of signals", &tally);
    check("failures with EINTR", eintr, 0);
    check_between("signals handled", interruptions, 1, 1L << 30, "");
}

/* How many processes more than the caller the user must be allowed. */
void case_nproc(void)
{
    struct tally tally = {0};
    struct rlimit limit;
    int master = open_pty(), needed = 0;
    getrlimit(RLIMIT_NPROC, &limit);
    for (needed = 0; needed < 10; needed++) {
        must("setrlimit", setrlimit(RLIMIT_NPROC, &(struct rlimit){1 + (rlim_t)needed, limit.rlim_max}));
        if (add(&tally, master) == 1)
            break;
        check_text("errno with too few", errno_name(tally.last_errno), "EAGAIN");
    }
    check_between("processes that a call needs beside the caller", needed, 1, 2, "");
    must("setrlimit", setrlimit(RLIMIT_NPROC, &limit));
    check_goes_on(master);
}

static void *effective_gid(void *nothing)
{
    (void)nothing;
    sleep_ms(100);
    return (void *)(long)getegid();
}

/* The program is setgid here; its group alone may enter the helper's directory. */
void case_saved_gid(void)
{
    struct tally tally = {0};
    int master = open_pty();
    pthread_t thread;
    void *seen = NULL;
    gid_t lent = getegid(), own = getgid();
    if (lent == own)
        broken("this program is not setgid");
    must("setegid", setegid(own));
    errno = 0;
    if (access("/tmp/locked/utempter", X_OK) == 0 || errno != EACCES)
        broken("the helper's directory is open");
    utempter_set_helper("/tmp/locked/utempter");
    if (pthread_create(&thread, NULL, effective_gid, NULL) != 0)
        broken("a thread");
    add(&tally, master);
    del(&tally, master);
    if (pthread_join(thread, &seen) != 0)
        broken("join");
    check_tally("add and del by the saved gid", &tally);
    check("effective gid afterwards", getegid(), own);
    check("effective gid in another thread", (long)seen, own);
    /* Given up for good, there is no second try. */
    must("setresgid", setresgid(own, own, own));
    fails("without a saved gid", "EACCES", master, "host");
}

/* Has the kernel refuse a call, as sandboxes and old kernels do; then becomes alice, with
   setgid still in force. */
static void filter_and_become_alice(struct sock_filter *filter, size_t length)
{
    struct sock_fprog program = {(unsigned short)length, filter};
    must("seccomp", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    must("setgroups", setgroups(0, NULL));
    must("setresgid", setresgid(7001, 7001, 7001));
    must("setresuid", setresuid(7001, 7001, 7001));
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static void without_close_range(int number)
{
    char what[96];
    struct tally tally = {0};
    int status = -1;
    pid_t child = (pid_t)must("fork", fork());
    if (child != 0) {
        must("waitpid", waitpid(child, &status, 0));
        check("exit status of the caller", status, 0);
        return;
    }
    struct sock_filter filter[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | (unsigned)number),
        RETURN(SECCOMP_RET_ALLOW),
    };
    filter_and_become_alice(filter, sizeof filter / sizeof *filter);
    if (syscall(SYS_close_range, 900, 901, 0) != -1 || errno != number)
        broken("the filter");
    int master = open_pty();
    for (int i = 0; i < rounds; i++) {
        add(&tally, master);
        del(&tally, master);
    }
    snprintf(what, sizeof what, "add and del where close_range is refused with %s", errno_name(number));
    check_tally(what, &tally);
    _exit(0);
}

void case_no_close_range(void)
{
    without_close_range(EPERM);
    without_close_range(ENOSYS);
    without_close_range(EINVAL);
}

static void only_sigchld(const char *what, void (*handler)(int), int flags)
{
    struct tally tally = {0};
    int status = -1;
    pid_t child = (pid_t)must("fork", fork());
    if (child != 0) {
        must("waitpid", waitpid(child, &status, 0));
        check("exit status of the caller", status, 0);
        return;
    }
    /* clone(2)'s flags come first here, with the exit signal in their lowest byte. */
    struct sock_filter filter[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 5),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 3, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGCHLD, 1, 0),
        RETURN(SECCOMP_RET_ERRNO | EINVAL),
        RETURN(SECCOMP_RET_ALLOW),
    };
    filter_and_become_alice(filter, sizeof filter / sizeof *filter);
    if (syscall(SYS_clone, CLONE_VFORK, 0, 0, 0, 0) != -1 || errno != EINVAL)
        broken("the filter");
    must("sigaction", sigaction(SIGCHLD, &(struct sigaction){.sa_handler = handler, .sa_flags = flags}, NULL));
    int master = open_pty();
    for (int i = 0; i < rounds; i++) {
        add(&tally, master);
        del(&tally, master);
    }
    check_tally(what, &tally);
    siginfo_t info;
    check("children or zombies left", waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 || errno != ECHILD,
          0);
    _exit(0);
}

void case_no_exit_signal(void)
{
    only_sigchld("every child must have SIGCHLD: with a handler", interrupted, SA_RESTART);
    only_sigchld("every child must have SIGCHLD: ignored", SIG_IGN, 0);
    only_sigchld("every child must have SIGCHLD: by default", SIG_DFL, 0);
}

/* What runs in a pane of tmux: closes its terminal, and ends a little later. */
void case_pane(void)
{
    close(0);
    close(1);
    close(2);
    sleep_us(rounds);
    _exit(7);
}
