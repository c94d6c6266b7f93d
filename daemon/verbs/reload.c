/*
 * Reload: the configuration read again, all or nothing.  A refused one is
 * logged and answered with every mistake.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "common/config/config.h"
#include "common/base/log.h"
#include "common/system/notify.h"
#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/domain.h"
#include "daemon/settings/mistakes.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/settings/settings.h"
#include "daemon/verbs/verbs.h"
#include "daemon/verbs/rows_json.h"

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
about(const struct control_call *call, enum jw_event event)
{
	return (struct jw_log_about){
	    .event = event,
	    .by_user = true,
	    .uid = control_peer(call)->uid,
	};
}

static void
refuse(struct control_call *call, const struct jw_config_errors *errors)
{
	const struct jw_log_about bad = about(call, JW_EVENT_BAD_CONFIG);
	char text[MISTAKE_SIZE];

	for (size_t i = 0; i < errors->count; i++) {
		mistakes_format(&errors->rows[i], text, sizeof(text));
		jw_log_event(JW_LOG_ERROR, &bad, "not reloaded: %s", text);
	}
	control_fail(call, JW_BAD_CONFIG, mistakes_json(errors));
}

/* What the next start makes of the URLs is told before it. */
static json_t *
reply(struct verbs *verbs, const struct differences *differences)
{
	json_t *reply = json_pack("{s:O, s:O}", "changed", differences->changed,
	    "restart", differences->restart);
	struct lc_exposure exposure;

	if (differences->domain && keeper_expose_domain(verbs->keeper,
				       keeper_now(verbs->keeper), &exposure))
		json_object_set_new(
		    reply, "exposure", wire_exposure(&exposure));
	return reply;
}

void
verbs_reload(struct control_call *call, void *context)
{
	struct verbs *verbs = context;
	const struct jw_log_about fine = about(call, JW_EVENT_RELOADED);
	struct jw_config_errors errors = {NULL, 0};
	struct differences differences = {false, json_array(), json_array()};
	enum jw_err err;

	notify_reloading();
	err = reload_run(verbs->reload, note_key, &differences, &errors);
	if (keeper_is_ready(verbs->keeper))
		notify_ready("every key set has an active key");
	if (err == JW_OK) {
		verbs->policy = verbs->reload->config->policy;
		jw_log_event(JW_LOG_NOTICE, &fine,
		    "reloaded: %zu values changed, %zu wait for a restart",
		    json_array_size(differences.changed),
		    json_array_size(differences.restart));
		control_reply(call, reply(verbs, &differences));
	} else if (errors.count > 0) {
		refuse(call, &errors);
	} else {
		control_fail(call, err, NULL);
	}
	json_decref(differences.changed);
	json_decref(differences.restart);
	jw_config_errors_done(&errors);
}
