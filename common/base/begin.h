/*
 * The first thing that each program does: what it was started with, put
 * right.
 */
#ifndef JWKSD_COMMON_BASE_BEGIN_H
#define JWKSD_COMMON_BASE_BEGIN_H

/*
 * Descriptors 0 to 2 that are closed become /dev/null, so that no file or
 * socket is opened there and written to as if it were the log.  SIGPIPE and
 * SIGXFSZ are ignored: writing to a closed pipe, or beyond a limit of the size
 * of files, is an error and not the end of the process.  SIGCHLD does what it
 * does by default, and no signal is blocked, whatever the parent had.
 */
void jw_begin_process(void);

#endif
