/*
 * A terminal that looks at itself before, during and after the library's calls.
 *
 *     caller CASE [ROUNDS]
 *
 * Each line written is a finding: "ok" or "BAD" with what was found and, where that is not
 * as it must be, what was wanted; "saw" is a finding without a demand. The same binary
 * runs with any libutempter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <utempter.h>

/* Before each call; a call that changes it is seen to have done so. */
#define STALE_ERRNO EHOSTDOWN

/* How often a case does what it does. */
extern int rounds;

void check(const char *what, long found, long wanted);
void check_of(const char *what, long found, long of);
void check_text(const char *what, const char *found, const char *wanted);
void check_between(const char *what, long found, long least, long most, const char *unit);
void saw(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A step of the test itself has failed: no finding, the end. */
void broken(const char *step) __attribute__((noreturn));
/* The whole number that the step has given, unless it is negative. */
long must(const char *step, long result);

int open_pty(void);
long now_ms(void);
void sleep_ms(long milliseconds);
void sleep_us(long microseconds);
const char *errno_name(int number);

/* Calls, and what came of them. */
struct tally {
    long calls, succeeded, errno_kept;
    int last_errno;
};
int add(struct tally *tally, int master);
int del(struct tally *tally, int master);
void check_tally(const char *what, const struct tally *tally);
void check_goes_on(int master);

/* This program as the helper: see helper.c. NULL: the real one. */
void use_helper(const char *behaviour);
int is_helper(int argc, char **argv);
int act_as_helper(int argc, char **argv);
/* A file by which a helper tells that it runs: its pid is in it. */
extern char mark[64];
void new_mark(void);
pid_t wait_for_mark(long limit_ms);

/* The cases. */
void case_plain(void);
void case_sigchld_handler(void);
void case_sigchld_ignored(void);
void case_sigchld_blocked(void);
void case_sigchld_nocldwait(void);
void case_sigchld_signalfd(void);
void case_sigchld_waitpid(void);
void case_sigchld_wait(void);
void case_sigchld_wall(void);
void case_state(void);
void case_timers(void);
void case_interrupt(void);
void case_handler_exit(void);
void case_altstack(void);
void case_small_thread(void);
void case_vfork(void);
void case_threads(void);
void case_subreaper(void);
void case_process_1(void);
void case_cancel(void);
void case_cancel_pending(void);
void case_job_default(void);
void case_job_handled(void);
void case_job_sigstop(void);
void case_job_one(void);
void case_job_storm(void);
void case_hung(void);
void case_killed(void);
void case_child_stopped(void);
void case_probe(void);
void case_low_masters(void);
void case_errno(void);
void case_signals(void);
void case_nproc(void);
void case_saved_gid(void);
void case_no_close_range(void);
void case_no_exit_signal(void);
void case_pane(void);
