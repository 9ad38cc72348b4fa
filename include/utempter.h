/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Made from src/capi.rs by cbindgen: make header. See utempter(3). */

#ifndef UTEMPTER_H
#define UTEMPTER_H

#if defined(__clang__) || (defined(__GNUC__) && (__GNUC__ > 4 || (__GNUC__ == 4 && __GNUC_MINOR__ >= 5)))
#define UTEMPTER_DEPRECATED(instead) __attribute__((__deprecated__(instead)))
#else
#define UTEMPTER_DEPRECATED(instead)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Records the session on the pty whose master is master_fd in utmp and wtmp.
 *
 * hostname may be NULL. Its first byte must be graphic and the others printable ASCII; more
 * than 256 bytes are cut.
 *
 * Returns 1, or 0 with errno set (never to EINTR).
 */
int utempter_add_record(int master_fd, const char *hostname);

/**
 * Records the end of the session on the pty whose master is master_fd.
 *
 * Returns 1, or 0 with errno set (never to EINTR).
 */
int utempter_remove_record(int master_fd);

/**
 * Records the end of the session that was recorded last by utempter_add_record.
 *
 * Returns 1, or 0 with errno set (never to EINTR); ENOENT: there is none.
 */
int utempter_remove_added_record(void);

/**
 * Has another program started as the helper. The string is not copied and must stay.
 * NULL brings the built-in one back.
 */
void utempter_set_helper(const char *pathname);

/**
 * Old name of utempter_add_record; pty is not looked at.
 */
UTEMPTER_DEPRECATED("use utempter_add_record") void addToUtmp(const char *pty, const char *hostname, int master_fd);

/**
 * Old name of utempter_remove_added_record.
 */
UTEMPTER_DEPRECATED("use utempter_remove_added_record") void removeFromUtmp(void);

/**
 * Old name of utempter_remove_record; pty is not looked at.
 */
UTEMPTER_DEPRECATED("use utempter_remove_record") void removeLineFromUtmp(const char *pty, int master_fd);

#ifdef __cplusplus
}
#endif

#endif /* UTEMPTER_H */
