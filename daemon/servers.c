/*
 * Offers each interface at its socket, and ends the servers in an order in
 * which no method can be called that works with something that is gone.
 */
#include "daemon/servers.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/serve/turns.h"
#include "daemon/keeper/keeper.h"
#include "daemon/publish/publish.h"
#include "daemon/settings/settings.h"
#include "daemon/sockets.h"
#include "daemon/verbs/refused.h"
#include "daemon/verbs/rights.h"
#include "daemon/verbs/sign.h"
#include "daemon/verbs/verbs.h"

enum { DRAIN_SECONDS = 5 }; /* for clients to read their last replies */

struct daemon_servers {
	struct event_base *base;
	struct daemon_sockets *sockets;
	const struct jw_config *config;
	struct serve_turns *turns; /* of all servers */
	struct publish *publish;
	struct verbs_refused *refused;
	struct verbs_sign *signing;
	struct settings settings;
	struct verbs verbs;
	struct serve_server *servers[SOCKETS];
	struct event *drain_end;
	int draining; /* servers whose last calls are being answered */
};

static enum jw_err
make_contexts(struct daemon_servers *servers,
    const struct daemon_servers_options *options, struct jw_why *why)
{
	struct verbs_rights *rights = options->take_rights;
	enum jw_err err = serve_turns_new(options->base, &servers->turns);

	servers->publish = publish_new(
	    options->base, options->keeper, options->listener_stays);
	if (err == JW_OK)
		err = verbs_refused_new(
		    options->base, options->keeper, &servers->refused);
	if (err != JW_OK) {
		verbs_rights_free(rights);
		return err;
	}
	servers->settings = (struct settings){
	    .file = options->config_file,
	    .config = options->config,
	};
	servers->verbs = (struct verbs){
	    .keeper = options->keeper,
	    .publish = servers->publish,
	    .started = keeper_now(options->keeper),
	    .policy = options->config->policy,
	    .reload = &servers->settings,
	};
	err = verbs_sign_new(
	    options->base, &servers->verbs, rights, &servers->signing, why);
	servers->verbs.signing = servers->signing;
	return err;
}

static enum jw_err
serve_one(struct daemon_servers *servers, enum daemon_socket_slot slot,
    void *context, struct jw_why *why)
{
	static const struct varlink_service *const services[SOCKETS] = {
	    [SOCKET_CONTROL] = &verbs_service,
	    [SOCKET_PUBLISH] = &publish_service,
	    [SOCKET_SIGN] = &verbs_sign_service,
	};
	struct serve_options options = {
	    .base = servers->base,
	    .service = services[slot],
	    .context = context,
	    .turns = servers->turns,
	    .quick = slot == SOCKET_SIGN ? verbs_sign_quick : NULL,
	};
	enum jw_err err = daemon_sockets_serve(servers->sockets, slot,
	    servers->config, &options, &servers->servers[slot], why);

	if (err == JW_OK)
		serve_watch_refused(servers->servers[slot], verbs_refused_note,
		    servers->refused);
	return err;
}

enum jw_err
daemon_servers_start(const struct daemon_servers_options *options,
    struct daemon_servers **ret_servers, struct jw_why *why)
{
	struct daemon_servers *servers = jw_zalloc(sizeof(*servers));
	enum jw_err err;

	servers->base = options->base;
	servers->sockets = options->sockets;
	servers->config = options->config;
	err = make_contexts(servers, options, why);
	if (err == JW_OK)
		err = serve_one(servers, SOCKET_CONTROL, &servers->verbs, why);
	if (err == JW_OK)
		err = serve_one(servers, SOCKET_PUBLISH, servers->publish, why);
	if (err == JW_OK)
		err = serve_one(servers, SOCKET_SIGN, servers->signing, why);
	if (err == JW_OK)
		*ret_servers = servers;
	else
		daemon_servers_free(servers);
	return err;
}

static void
on_drain_end(evutil_socket_t fd, short what, void *arg)
{
	struct daemon_servers *servers = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(servers->base);
}

static void
on_server_drained(void *arg)
{
	struct daemon_servers *servers = arg;

	assert(servers->draining > 0);
	if (--servers->draining == 0)
		event_base_loopbreak(servers->base);
}

void
daemon_servers_drain(struct daemon_servers *servers)
{
	const struct timeval limit = {DRAIN_SECONDS, 0};

	assert(servers->drain_end == NULL);
	servers->drain_end = evtimer_new(servers->base, on_drain_end, servers);
	event_add(servers->drain_end, &limit);
	servers->draining = 2;
	serve_server_drain(
	    servers->servers[SOCKET_SIGN], on_server_drained, servers);
	serve_server_drain(
	    servers->servers[SOCKET_CONTROL], on_server_drained, servers);
}

void
daemon_servers_free(struct daemon_servers *servers)
{
	if (servers == NULL)
		return;
	/* A front that the keeper started ends with it, and its listening
	 * socket with both. */
	if (servers->publish != NULL)
		publish_stop(servers->publish,
		    daemon_sockets_are_managed(servers->sockets));
	for (size_t i = 0; i < SOCKETS; i++)
		serve_server_free(servers->servers[i]);
	verbs_refused_free(servers->refused);
	verbs_sign_free(servers->signing);
	publish_free(servers->publish);
	if (servers->drain_end != NULL)
		event_free(servers->drain_end);
	serve_turns_free(servers->turns);
	free(servers);
}
