/*
 * The server and the places of its connections, for the files of this folder
 * alone.
 */
#ifndef JWKSD_COMMON_SERVE_INTERNAL_H
#define JWKSD_COMMON_SERVE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buffer.h"
#include "common/serve/connection.h"
#include "common/serve/server.h"

struct evconnlistener;
struct event;

struct serve_server {
	struct event_base *base;
	struct serve_turns *turns, *own_turns;
	const struct varlink_service *service;
	void *context;
	struct serve_limits limits;
	bool (*quick)(struct serve_call *call, void *context);
	serve_refused_fn *refused;
	void *refused_arg;
	struct evconnlistener *listener;
	struct event *resume; /* accepting, which was paused */
	struct serve_conn_list conns, waiting;
	int nconns;             /* of those in `conns` */
	int accepted;           /* in this turn of the loop */
	bool out_of_places;     /* clients wait in the kernel's queue */
	bool out_of_files;      /* the same, and it was logged */
	size_t held;            /* octets, of all connections */
	bool full;              /* connections wait until `held` is smaller */
	int64_t full_logged_at; /* 0: never */
	bool draining;
	void (*drained)(void *arg); /* NULL: it has been called */
	void *drained_arg;
	/* Buffers that the last busy connection left, for the next one. */
	struct jw_buffer spare_in, spare_out;
	bool has_group;
	gid_t group;
};

/* ---- places.c: which connections are served ---- */

/* Serve a new connection, or let it wait. */
void serve_admit(struct serve_conn *conn);
/* Its place is free for another one, or it no longer waits. */
void serve_leave_place(struct serve_conn *conn);
/* A connection that is not served has waited long enough. */
void serve_end_waiting(struct serve_conn *conn);

/* ---- server.c ---- */

/* After a connection has gone: accept again; report that it was the last. */
void serve_place_is_free(struct serve_server *server);
void serve_tell_empty(struct serve_server *server);

#endif
