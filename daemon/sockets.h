/*
 * The keeper's three Unix sockets: which there are, who may use each, what
 * one client may take of it.  Handed over by a service manager, or bound in
 * the runtime directory.
 */
#ifndef JWKSD_DAEMON_SOCKETS_H
#define JWKSD_DAEMON_SOCKETS_H

#include <stdbool.h>

#include "common/err.h"

struct control_limits;
struct jw_config;
struct sockets;

enum socket_slot {
	SOCKET_CONTROL, /* org.jwksd.keys */
	SOCKET_PUBLISH, /* org.jwksd.publish */
	SOCKET_SIGN,    /* org.jwksd.sign */
	SOCKETS
};

/*
 * Take those that were handed over, once, at start.  Errors with why.  The
 * result may hold none.
 */
enum jw_err sockets_take(struct sockets **ret_sockets, struct jw_why *why);
/* Remove the files of those that we bound: they are found no more. */
void sockets_unlink(struct sockets *sockets);
/* Closes what was not given away. */
void sockets_free(struct sockets *sockets);

/* The publishing socket was handed over: a service manager runs the front. */
bool sockets_are_managed(const struct sockets *sockets);

/*
 * A listening descriptor, the caller's: the one handed over, else bound now in
 * config's runtime directory.  With why: JW_IO, JW_LOCKED.
 */
enum jw_err sockets_open(struct sockets *sockets, enum socket_slot slot,
    const struct jw_config *config, int *ret_fd, struct jw_why *why);

/* Whose members may call; never NULL. */
const char *sockets_group(
    enum socket_slot slot, const struct jw_config *config);

/* What one client, and all together, may take, where the process may have
 * most_files descriptors. */
void sockets_limits(
    enum socket_slot slot, int most_files, struct control_limits *ret_limits);

#endif
