/* Job control: a terminal that itself runs in a terminal, as a job of a shell's. */
#include "caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum job { DEFAULT, HANDLED, GROUP_STOPPED, ONE_STOPPED };

/* What job, shell and test share. */
static struct shared {
    _Atomic int job, stops, ended, status, began, returned, handled;
    _Atomic long milliseconds;
    struct tally tally;
} *shared;

static void on_stop(int signal)
{
    (void)signal;
    shared->handled++;
}

static void share(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        broken("shared memory");
}

static void job(enum job kind)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    int master = open_pty();
    if (kind == HANDLED)
        must("sigaction", sigaction(SIGTSTP, &action, NULL));
    use_helper("slow 500");
    shared->began = 1;
    long begin = now_ms();
    add(&shared->tally, master);
    shared->milliseconds = now_ms() - begin;
    shared->returned = 1;
    check_goes_on(master);
    _exit(0);
}

/* A shell in miniature: the session's leader, with the job in the foreground. A stopped
   job is set going again, as by the user's fg. */
static void shell(enum job kind, int master)
{
    must("setsid", setsid());
    int tty = (int)must("slave", open(ptsname(master), O_RDWR | O_NOCTTY));
    must("controlling terminal", ioctl(tty, TIOCSCTTY, 0));
    signal(SIGTTOU, SIG_IGN);
    pid_t child = (pid_t)must("fork", fork());
    setpgid(child, child); /* both do, so that it is so for both */
    if (child == 0) {
        signal(SIGTTOU, SIG_DFL);
        while (tcgetpgrp(tty) != getpid())
            sleep_us(200);
        job(kind);
    }
    must("tcsetpgrp", tcsetpgrp(tty, child));
    shared->job = child;
    for (;;) {
        int status;
        must("waitpid", waitpid(child, &status, WUNTRACED));
        if (!WIFSTOPPED(status)) {
            shared->status = status;
            shared->ended = 1;
            _exit(0);
        }
        shared->stops++;
        sleep_ms(100);
        kill(-child, SIGCONT);
    }
}

static void run(enum job kind)
{
    share();
    int master = open_pty();
    new_mark();
    pid_t leader = (pid_t)must("fork", fork());
    if (leader == 0)
        shell(kind, master);
    if (!wait_for_mark(3000))
        broken("the helper did not start");
    sleep_ms(50);
    if (kind == GROUP_STOPPED)
        must("kill", kill(-shared->job, SIGSTOP));
    else if (kind == ONE_STOPPED)
        must("kill", kill(shared->job, SIGSTOP));
    else
        must("^Z", write(master, "\032", 1));
    for (int i = 0; i < 1000 && !shared->ended; i++)
        sleep_ms(10);
    if (!shared->returned) {
        check_text("the call during which the job is stopped", "had not ended after 10 s", "succeeded");
    } else {
        check_text("the call during which the job is stopped", shared->tally.succeeded == 1 ? "succeeded" : "failed",
                   "succeeded");
        check_between("it took", shared->milliseconds, 0, 7000, "ms");
    }
    check_of("the job has ended well", shared->ended && WIFEXITED(shared->status) && WEXITSTATUS(shared->status) == 0, 1);
    if (kind == HANDLED)
        check("runs of the job's own handler of ^Z", shared->handled, 1);
    else
        check("times the shell saw the job stopped", shared->stops, 1);
    if (!shared->ended)
        kill(-shared->job, SIGKILL);
    kill(leader, SIGKILL);
}

void case_job_default(void) { run(DEFAULT); }
void case_job_handled(void) { run(HANDLED); }
void case_job_sigstop(void) { run(GROUP_STOPPED); }
void case_job_one(void) { run(ONE_STOPPED); }

/* A job that calls all the time, stopped and set going at any moment. */
void case_job_storm(void)
{
    share();
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        setpgid(0, 0);
        int master = open_pty();
        shared->began = 1;
        for (int i = 0; i < rounds; i++) {
            add(&shared->tally, master);
            del(&shared->tally, master);
        }
        _exit(0);
    }
    long begin = now_ms(), stops = 0;
    int status = -1;
    while (!shared->began)
        sleep_us(100);
    srand(2);
    while (waitpid(child, &status, WNOHANG) == 0 && now_ms() - begin < 12000 + rounds * 20) {
        kill(-child, SIGSTOP);
        stops++;
        sleep_us(rand() % 500);
        kill(-child, SIGCONT);
        sleep_us(500 + rand() % 1500);
    }
    check_tally("add and del of a job stopped at any moment", &shared->tally);
    check("calls made", shared->tally.calls, 2L * rounds);
    saw("times it was stopped", "%ld", stops);
    kill(-child, SIGKILL);
}
