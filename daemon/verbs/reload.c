/*
 * Reload: the configuration read again, all or nothing.  A refused one is
 * logged and answered with every mistake.
 */
#include <jansson.h>
#include <stdbool.h>
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
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

enum { MISTAKE_SIZE = 1024 };

struct differences {
	bool domain; /* there will be another one */
	json_t *changed;
	json_t *restart;
};

static void
note_key(const char *key, const char *value, bool live, void *arg)
{
	struct differences *differences = arg;

	/* Without one, URLs go, and none that answered comes. */
	if (strcmp(key, "http.domain") == 0)
		differences->domain = value[0] != '\0';
	json_array_append_new(
	    live ? differences->changed : differences->restart,
	    json_string(key));
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
verbs_refuse(struct serve_call *call, const struct jw_config_errors *errors)
{
	const struct jw_log_about bad = about(call, JW_EVENT_BAD_CONFIG);
	char text[MISTAKE_SIZE];

	for (size_t i = 0; i < errors->count; i++) {
		settings_mistakes_format(&errors->rows[i], text, sizeof(text));
		jw_log_event(JW_LOG_ERROR, &bad, "not reloaded: %s", text);
	}
	serve_fail(call, JW_BAD_CONFIG, settings_mistakes_json(errors));
}

/* What the next start makes of the URLs is told before it. */
static json_t *
verbs_reload_reply(struct verbs *verbs, const struct differences *differences)
{
	json_t *reply = json_pack("{s:O, s:O}", "changed", differences->changed,
	    "restart", differences->restart);
	struct lc_exposure exposure;

	if (differences->domain && keeper_expose_domain(verbs->keeper,
				       keeper_now(verbs->keeper), &exposure))
		json_object_set_new(
		    reply, "exposure", verbs_json_exposure(&exposure));
	return reply;
}

void
verbs_reload(struct serve_call *call, void *context)
{
	struct verbs *verbs = context;
	const struct jw_log_about fine = about(call, JW_EVENT_RELOADED);
	struct jw_config_errors errors = {NULL, 0};
	struct differences differences = {false, json_array(), json_array()};
	enum jw_err err;

	sys_notify_reloading();
	err = settings_reload(verbs->reload, note_key, &differences, &errors);
	if (keeper_is_ready(verbs->keeper))
		sys_notify_ready("every key set has an active key");
	if (err == JW_OK) {
		verbs->policy = verbs->reload->config->policy;
		jw_log_event(JW_LOG_NOTICE, &fine,
		    "reloaded: %zu values changed, %zu wait for a restart",
		    json_array_size(differences.changed),
		    json_array_size(differences.restart));
		serve_reply(call, verbs_reload_reply(verbs, &differences));
	} else if (errors.count > 0) {
		verbs_refuse(call, &errors);
	} else {
		serve_fail(call, err, NULL);
	}
	json_decref(differences.changed);
	json_decref(differences.restart);
	jw_config_errors_done(&errors);
}
