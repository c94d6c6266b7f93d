/*
 * The three Varlink servers of a keeper that has opened its database, and what
 * their methods work with.
 */
#ifndef JWKSD_DAEMON_SERVERS_H
#define JWKSD_DAEMON_SERVERS_H

#include <stdbool.h>

#include "common/base/err.h"

struct daemon_servers;
struct daemon_sockets;
struct event_base;
struct jw_config;
struct keeper;
struct verbs_rights;

struct daemon_servers_options {
	struct event_base *base;
	struct daemon_sockets *sockets;
	struct jw_config *config; /* Reload changes what is live of it */
	const char *config_file;  /* what Reload reads; NULL: the default */
	struct keeper *keeper;
	struct verbs_rights *take_rights;
	/* While no front runs, the socket that it accepts from stays open. */
	bool listener_stays;
};

/* All pointers outlive the servers.  With why: errors of
 * daemon_sockets_serve(), JW_BUG; JW_NO_MEMORY. */
enum jw_err daemon_servers_start(const struct daemon_servers_options *options,
    struct daemon_servers **ret_servers, struct jw_why *why);

/*
 * Answer the calls that clients have sent, for a client cannot know what became
 * of one that is not answered; then, or after 5 seconds, break the loop.  The
 * stream of documents to the fronts goes on until the servers are freed.
 */
void daemon_servers_drain(struct daemon_servers *servers);

/* Comes before the keeper is freed. */
void daemon_servers_free(struct daemon_servers *servers);

#endif
