/* Calls from unusual places: handlers, small stacks, vfork, many threads. */
#include "caller.h"

#include <pthread.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int inner_master;
static struct tally inner;
static volatile sig_atomic_t child_signals;

static void on_child(int signal)
{
    (void)signal;
    child_signals++;
}

static void catch(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    must("sigaction", sigaction(signal, &action, NULL));
}

static void check_sigchld_kept(void)
{
    struct sigaction action;
    sigaction(SIGCHLD, NULL, &action);
    check_text("the caller's SIGCHLD handler afterwards", action.sa_handler == on_child ? "its own" : "another",
               "its own");
}

static void check_no_children(void)
{
    siginfo_t info;
    check("children or zombies left", waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 || errno != ECHILD,
          0);
}

void case_plain(void)
{
    struct tally tally = {0};
    int master = open_pty();
    for (int i = 0; i < rounds; i++) {
        add(&tally, master);
        del(&tally, master);
    }
    check_tally("add and del", &tally);
    check_no_children();
}

void case_subreaper(void)
{
    catch(SIGCHLD, on_child, SA_RESTART);
    must("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
    case_plain();
    check("runs of the SIGCHLD handler for the helper", child_signals, 0);
}

void case_process_1(void)
{
    catch(SIGCHLD, on_child, SA_RESTART);
    check("its pid", getpid(), 1);
    case_plain();
    check("runs of the SIGCHLD handler for the helper", child_signals, 0);
}

/* Adds and removes another pty's record. */
static unsigned char *handler_frame;
static void calls_inside(int signal)
{
    (void)signal;
    int number = errno;
    handler_frame = __builtin_frame_address(0);
    add(&inner, inner_master);
    del(&inner, inner_master);
    errno = number;
}

/* An alarm at any moment of a call, however long one takes here. */
static void alarm_within(long call_us)
{
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 1 + rand() % call_us}}, NULL);
}

void case_interrupt(void)
{
    struct tally outer = {0};
    struct timespec begin, end;
    int master = open_pty();
    inner_master = open_pty();
    catch(SIGCHLD, on_child, SA_RESTART);
    catch(SIGALRM, calls_inside, 0);
    srand(1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    add(&outer, master);
    del(&outer, master);
    clock_gettime(CLOCK_MONOTONIC, &end);
    long call_us = ((end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000) / 2;
    call_us = call_us > 900000 ? 900000 : call_us + 1;
    for (int i = 0; i < rounds; i++) {
        alarm_within(call_us);
        add(&outer, master);
        alarm_within(call_us);
        del(&outer, master);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    check_tally("add and del", &outer);
    check_tally("in the handler that interrupted them", &inner);
    check_sigchld_kept();
    check_no_children();
}

/* As xterm does at SIGTERM. */
static void remove_and_exit(int signal)
{
    (void)signal;
    _exit(utempter_remove_added_record() == 1 ? 7 : 8);
}

void case_handler_exit(void)
{
    long well = 0;
    for (int i = 0; i < rounds; i++) {
        int ready[2], status = -1;
        char byte;
        must("pipe", pipe(ready));
        pid_t child = (pid_t)must("fork", fork());
        if (child == 0) {
            struct tally tally = {0};
            int master = open_pty();
            catch(SIGTERM, remove_and_exit, 0);
            add(&tally, master);
            if (write(ready[1], "", 1) != 1)
                _exit(9);
            for (;;)
                add(&tally, master); /* most likely in a call when the signal comes */
        }
        must("read", read(ready[0], &byte, 1));
        close(ready[0]);
        close(ready[1]);
        sleep_us(200 + i * 37 % 900);
        kill(child, SIGTERM);
        must("waitpid", waitpid(child, &status, 0));
        well += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    check_of("remove_added_record in a SIGTERM handler during add", well, rounds);
}

void case_altstack(void)
{
    const size_t guard = 4096, size = 8192;
    unsigned char *memory = mmap(NULL, 2 * guard + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0 ||
        mprotect(memory + guard + size, guard, PROT_NONE) != 0)
        broken("a stack");
    unsigned char *stack = memory + guard;
    memset(stack, 0xa5, size);
    stack_t alternate = {.ss_sp = stack, .ss_size = size};
    must("sigaltstack", sigaltstack(&alternate, NULL));
    inner_master = open_pty();
    catch(SIGUSR1, calls_inside, SA_ONSTACK);
    for (int i = 0; i < rounds; i++)
        raise(SIGUSR1);
    size_t unused = 0;
    while (unused < size && stack[unused] == 0xa5)
        unused++;
    check_tally("add and del on a signal stack of 8 KiB", &inner);
    saw("bytes that the signal took of it", "%ld", (long)(stack + size - handler_frame));
    saw("bytes that the calls took of it", "%ld", (long)(handler_frame - (stack + unused)));
}

static void *in_thread(void *tally)
{
    int master = open_pty();
    for (int i = 0; i < rounds; i++) {
        add(tally, master);
        del(tally, master);
    }
    return NULL;
}

void case_small_thread(void)
{
    struct tally tally = {0};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) != 0 ||
        pthread_create(&thread, &attributes, in_thread, &tally) != 0 || pthread_join(thread, NULL) != 0)
        broken("a thread");
    check_tally("add and del in a thread with the smallest stack", &tally);
}

void case_vfork(void)
{
    /* The child's, in memory that it shares with us. */
    static struct tally tally;
    static int master;
    static long well;
    master = open_pty();
    catch(SIGCHLD, on_child, SA_RESTART);
    for (int i = 0; i < rounds; i++) {
        int status = -1;
        pid_t child = vfork();
        if (child == 0) {
            add(&tally, master);
            del(&tally, master);
            _exit(7);
        }
        must("vfork", child);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        well += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    check_tally("add and del inside a vfork child", &tally);
    check_of("vfork children that came to their end", well, rounds);
    check("runs of the SIGCHLD handler, one for each vfork child", child_signals, rounds);
    check_sigchld_kept();
    check_no_children();
}

enum { THREADS = 16 };

void case_threads(void)
{
    static struct tally tallies[THREADS];
    struct tally all = {0};
    pthread_t threads[THREADS];
    catch(SIGCHLD, on_child, SA_RESTART);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, in_thread, &tallies[i]) != 0)
            broken("a thread");
    for (int i = 0; i < THREADS; i++) {
        if (pthread_join(threads[i], NULL) != 0)
            broken("join");
        all.calls += tallies[i].calls;
        all.succeeded += tallies[i].succeeded;
        all.errno_kept += tallies[i].errno_kept;
    }
    check_tally("add and del in 16 threads at once", &all);
    check("runs of the SIGCHLD handler for the helpers", child_signals, 0);
    check_sigchld_kept();
    check_no_children();
}

static struct {
    _Atomic int returned, value;
} call;

static void *one_call(void *pending)
{
    static int master;
    master = open_pty();
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    if (pending)
        pthread_cancel(pthread_self());
    call.value = utempter_add_record(master, "host");
    call.returned = 1;
    pthread_testcancel();
    return NULL;
}

static void cancelled(int pending)
{
    pthread_t thread;
    struct timespec end;
    void *result = NULL;
    int master = open_pty();
    catch(SIGCHLD, on_child, SA_RESTART);
    new_mark();
    use_helper("slow 300");
    long begin = now_ms();
    if (pthread_create(&thread, NULL, one_call, pending ? &call : NULL) != 0)
        broken("a thread");
    if (!pending) {
        wait_for_mark(2000);
        pthread_cancel(thread);
    }
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 8;
    int joined = pthread_timedjoin_np(thread, &result, &end);
    check_between("the thread has ended after", now_ms() - begin, 0, 7000, "ms");
    check_text("how the thread ended", joined != 0 ? "not at all" : result == PTHREAD_CANCELED ? "cancelled" : "returned",
               "cancelled");
    check_text("the call before that", !call.returned ? "never came back" : call.value == 1 ? "succeeded" : "failed",
               "succeeded");
    sleep_ms(400); /* a helper that was left alone ends meanwhile */
    check("runs of the SIGCHLD handler for the helper", child_signals, 0);
    check_sigchld_kept();
    check_no_children();
    check_goes_on(master);
}

void case_cancel(void) { cancelled(0); }
void case_cancel_pending(void) { cancelled(1); }
