/* Helpers that do not end, and what the terminal has of it. All at once, since each takes
   its time; a call that has not ended after LIMIT is given up. */
#include "caller.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 10000 };

static const struct hang {
    const char *behaviour, *title;
    long least, most;
    const char *errno_wanted;
} hangs[] = {
    {"waits", "a helper that hangs, and leaves its alarm alone", 4500, 6000, "ETIMEDOUT"},
    {"deaf", "a helper that ignores SIGALRM", 5500, 7000, "ETIMEDOUT"},
    {"blocking", "a helper that blocks every signal", 5500, 7000, "ETIMEDOUT"},
    {"no alarm", "a helper that resets its alarm", 5500, 7000, "ETIMEDOUT"},
    {"stopped", "a helper that is stopped", 5500, 7000, "ETIMEDOUT"},
    {"crash", "a helper that is killed", 0, 2000, "EIO"},
};
enum { HANGS = sizeof hangs / sizeof *hangs };

static struct shared {
    _Atomic int returned, value, number, goes_on, signals;
    _Atomic long milliseconds;
    _Atomic pid_t helper;
} *shared;

static void share(size_t count)
{
    shared = mmap(NULL, count * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        broken("shared memory");
}

static void on_child(int signal)
{
    (void)signal;
    shared->signals++;
}

static void one(const struct hang *hang, struct shared *found)
{
    struct tally tally = {0};
    int master = open_pty();
    new_mark();
    use_helper(hang->behaviour);
    long begin = now_ms();
    errno = STALE_ERRNO;
    found->value = utempter_add_record(master, "host");
    found->number = errno;
    found->milliseconds = now_ms() - begin;
    found->helper = wait_for_mark(1);
    found->returned = 1;
    use_helper(NULL);
    add(&tally, master);
    del(&tally, master);
    found->goes_on = tally.succeeded == 2;
    _exit(0);
}

void case_hung(void)
{
    pid_t callers[HANGS];
    share(HANGS);
    for (int i = 0; i < HANGS; i++) {
        callers[i] = (pid_t)must("fork", fork());
        if (callers[i] == 0)
            one(&hangs[i], &shared[i]);
    }
    for (long end = now_ms() + LIMIT; now_ms() < end; sleep_ms(20)) {
        int ended = 0;
        for (int i = 0; i < HANGS; i++)
            ended += shared[i].returned;
        if (ended == HANGS)
            break;
    }
    /* The calls afterwards. */
    for (long end = now_ms() + 2000; now_ms() < end; sleep_ms(20)) {
        int missing = 0;
        for (int i = 0; i < HANGS; i++)
            missing += shared[i].returned && !shared[i].goes_on;
        if (!missing)
            break;
    }
    for (int i = 0; i < HANGS; i++) {
        char what[128];
        const struct hang *hang = &hangs[i];
        const struct shared *found = &shared[i];
        if (!found->returned) {
            check_text(hang->title, "the call had not ended after 10 s", hang->errno_wanted);
        } else {
            check_text(hang->title, found->value ? "success" : errno_name(found->number), hang->errno_wanted);
            snprintf(what, sizeof what, "%s: the call took", hang->title);
            check_between(what, found->milliseconds, hang->least, hang->most, "ms");
            if (found->helper) {
                snprintf(what, sizeof what, "%s: it is gone", hang->title);
                check_of(what, kill(found->helper, 0) != 0, 1);
            }
        }
        snprintf(what, sizeof what, "%s: the terminal goes on", hang->title);
        check_of(what, found->goes_on, 1);
        kill(callers[i], SIGKILL);
    }
}

/* What the caller has started to run the helper is stopped: with the C library that is the
   helper itself. */
void case_child_stopped(void)
{
    char name[64], pid[16] = "";
    share(1);
    new_mark();
    pid_t caller = (pid_t)must("fork", fork());
    if (caller == 0) {
        struct tally tally = {0};
        int master = open_pty();
        use_helper("slow 500");
        must("sigaction", sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child, .sa_flags = SA_RESTART}, NULL));
        long begin = now_ms();
        shared->value = utempter_add_record(master, "host");
        shared->milliseconds = now_ms() - begin;
        shared->returned = 1;
        use_helper(NULL);
        add(&tally, master);
        del(&tally, master);
        shared->goes_on = tally.succeeded == 2;
        _exit(0);
    }
    if (!wait_for_mark(3000))
        broken("the helper did not start");
    snprintf(name, sizeof name, "/proc/%d/task/%d/children", (int)caller, (int)caller);
    FILE *file = fopen(name, "re");
    if (!file || !fgets(pid, sizeof pid, file) || atoi(pid) <= 0)
        broken(name);
    fclose(file);
    must("kill", kill(atoi(pid), SIGSTOP));
    for (long end = now_ms() + LIMIT; now_ms() < end && waitpid(caller, NULL, WNOHANG) == 0; sleep_ms(5))
        ;
    check_text("a call whose child is stopped",
               !shared->returned ? "had not ended after 10 s" : shared->value == 1 ? "succeeded" : "failed", "succeeded");
    if (shared->returned)
        check_between("it took", shared->milliseconds, 450, 7000, "ms");
    check_of("the terminal goes on", shared->goes_on, 1);
    /* The kernel tells a parent of children that stop, whatever their exit signal. */
    saw("runs of the SIGCHLD handler", "%d", shared->signals);
    kill(atoi(pid), SIGKILL);
    kill(caller, SIGKILL);
}

/* The terminal is killed in the midst of a call. */
void case_killed(void)
{
    static const char *const behaviours[] = {"waits", "deaf", "stopped"};
    enum { COUNT = 3 };
    pid_t callers[COUNT], helpers[COUNT];
    share(COUNT);
    for (int i = 0; i < COUNT; i++) {
        new_mark();
        callers[i] = (pid_t)must("fork", fork());
        if (callers[i] == 0) {
            use_helper(behaviours[i]);
            utempter_add_record(open_pty(), "host");
            _exit(0);
        }
        helpers[i] = wait_for_mark(3000);
        if (!helpers[i])
            broken("the helper did not start");
        long begin = now_ms();
        kill(callers[i], SIGKILL);
        must("waitpid", waitpid(callers[i], NULL, 0));
        char what[96];
        snprintf(what, sizeof what, "a terminal killed during a call (%s) is gone after", behaviours[i]);
        check_between(what, now_ms() - begin, 0, 1000, "ms");
    }
    /* The deadline, the moment of grace, and time for whoever collects orphans here. */
    for (long end = now_ms() + 8500; now_ms() < end; sleep_ms(50)) {
        int alive = 0;
        for (int i = 0; i < COUNT; i++)
            alive += kill(helpers[i], 0) == 0;
        if (!alive)
            break;
    }
    for (int i = 0; i < COUNT; i++) {
        char what[96];
        snprintf(what, sizeof what, "the helper that it had started (%s) 8.5 s later", behaviours[i]);
        check_text(what, kill(helpers[i], 0) == 0 ? "is still there" : "is gone", "is gone");
        kill(helpers[i], SIGKILL);
    }
}
