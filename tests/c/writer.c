/*
 * Another program's login records, written by glibc's own functions.
 *
 *     writer loop STOP PAUSE    utmp and wtmp, until the file STOP appears; PAUSE in
 *                               microseconds after every 20 rounds
 *     writer ids FIRST COUNT    sessions on COUNT pairs pts/N and pts/(N+10000), from
 *                               N = FIRST on, under the ids that the C library gives them
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

static struct utmpx session(int pty, int number)
{
    struct utmpx record;
    char line[sizeof record.ut_line] = "";
    memset(&record, 0, sizeof record);
    int length = snprintf(line, sizeof line, "pts/%d", pty);
    record.ut_type = USER_PROCESS;
    record.ut_pid = getpid();
    record.ut_session = number;
    record.ut_tv.tv_sec = time(NULL);
    memcpy(record.ut_line, line, sizeof line);
    memcpy(record.ut_id, line + length - 4, 4);
    memcpy(record.ut_user, "daemon", 6);
    return record;
}

static int is_there(const struct utmpx *record)
{
    setutxent();
    const struct utmpx *found = getutxid(record);
    return found && found->ut_session == record->ut_session && found->ut_pid == record->ut_pid;
}

static void loop(const char *stop, int pause)
{
    int rounds = 0, refused = 0, lost = 0;
    while (access(stop, F_OK) != 0) {
        rounds++;
        struct utmpx record = session(900 + rounds % 8, rounds);
        setutxent();
        if (!pututxline(&record))
            refused++;
        else if (!is_there(&record))
            lost++;
        updwtmpx("/var/log/wtmp", &record);
        if (rounds % 20 == 0)
            usleep(pause);
    }
    printf("rounds=%d refused=%d lost=%d\n", rounds, refused, lost);
}

static void ids(int first, int count)
{
    for (int pty = first; pty < first + count; pty++)
        for (int high = 0; high < 2; high++) {
            struct utmpx record = session(pty + high * 10000, 1);
            setutxent();
            if (!pututxline(&record))
                exit(1);
        }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 4;
    if (strcmp(argv[1], "loop") == 0)
        loop(argv[2], atoi(argv[3]));
    else
        ids(atoi(argv[2]), atoi(argv[3]));
    return 0;
}
