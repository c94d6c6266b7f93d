/*
 * Reload: the configuration read again, all of it or nothing.  A refused one
 * is logged and answered with every mistake.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/system/notify.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/settings/mistakes.h"
#include "daemon/settings/settings.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

enum { MISTAKE_SIZE = 1024 };

struct differences {
	bool domain; /* the next start sets another one */
	struct varlink_rows changed, restart;
};

static void
note_key(const char *key, const char *value, bool live, void *arg)
{
	struct differences *differences = arg;

	/* Without a domain URLs go, and no URL comes whose copies matter. */
	if (strcmp(key, "http.domain") == 0)
		differences->domain = value[0] != '\0';
	varlink_rows_add_string(
	    live ? &differences->changed : &differences->restart, "%s", key);
}

static struct jw_log_about
about(const struct serve_call *call, enum jw_event event)
{
	return (struct jw_log_about){
	    .event = event,
	    .by_user = true,
	    .uid = serve_peer(call)->uid,
	};
}

static void
refuse(struct serve_call *call, const struct jw_config_errors *errors)
{
	const struct jw_log_about bad = about(call, JW_EVENT_BAD_CONFIG);
	char text[MISTAKE_SIZE];

	for (size_t i = 0; i < errors->count; i++) {
		settings_mistakes_format(&errors->rows[i], text, sizeof(text));
		jw_log_event(JW_LOG_ERROR, &bad, "not reloaded: %s", text);
	}
	serve_fail(call, JW_BAD_CONFIG, settings_mistakes_json(errors));
}

static void
accept(struct serve_call *call, struct verbs *verbs,
    const struct differences *differences)
{
	const struct jw_log_about fine = about(call, JW_EVENT_RELOADED);
	struct verbs_reload_reply reply = {
	    .changed = differences->changed,
	    .restart = differences->restart,
	};
	struct lc_exposure exposure;

	verbs->policy = verbs->reload->config->policy;
	jw_log_event(JW_LOG_NOTICE, &fine,
	    "reloaded: %zu values changed, %zu wait for a restart",
	    reply.changed.count, reply.restart.count);
	/* The next start would expose these URLs. */
	if (differences->domain && keeper_expose_domain(verbs->keeper,
				       keeper_now(verbs->keeper), &exposure))
		reply.exposure = &exposure;
	verbs_reply(call, &reply);
}

void
verbs_reload(struct serve_call *call, const void *request, void *context)
{
	struct verbs *verbs = context;
	struct jw_config_errors errors = {NULL, 0};
	struct differences differences = {.domain = false};
	enum jw_err err;

	(void)request;
	sys_notify_reloading();
	err = settings_reload(verbs->reload, note_key, &differences, &errors);
	if (keeper_is_ready(verbs->keeper))
		sys_notify_ready("every key set has an active key");
	if (err == JW_OK)
		accept(call, verbs, &differences);
	else if (errors.count > 0)
		refuse(call, &errors);
	else
		serve_fail(call, err, NULL);
	jw_config_errors_done(&errors);
}
