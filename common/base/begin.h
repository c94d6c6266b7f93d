/*
 * The state of a process at its start: each program calls this first.
 */
#ifndef JWKSD_COMMON_BASE_BEGIN_H
#define JWKSD_COMMON_BASE_BEGIN_H

/*
 * Descriptors 0 to 2 that are closed become /dev/null, so that no file or
 * socket is opened there and written to as if it were the log.  SIGPIPE and
 * SIGXFSZ are ignored: writing to a closed pipe, or beyond a limit of the size
 * of files, is an error and not the end of the process.  SIGCHLD has its
 * default action and no signal is blocked, whatever the parent process set.
 */
void jw_begin_process(void);

#endif
