/*
 * Reads the configuration, at the start and again when an operator asks.
 *
 * Must never put half of a configuration in force, nor say that something is
 * in force that waits for the next start.
 */
#include "daemon/settings/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/group.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "daemon/crypto/keys.h"

/* ---- reading ---- */

static enum jw_err
add_error(struct jw_config_errors *errors, char *take_message)
{
	errors->rows = jw_realloc(
	    errors->rows, (errors->count + 1) * sizeof(errors->rows[0]));
	errors->rows[errors->count++] = (struct jw_config_error){
	    .file = jw_strdup(""),
	    .message = take_message,
	};
	return JW_BAD_CONFIG;
}

static enum jw_err
check_group(const char *name, const char *key, struct jw_config_errors *errors)
{
	gid_t group;

	if (name == NULL || jw_group_find(name, &group))
		return JW_OK;
	return add_error(errors,
	    jw_asprintf("[access] %s = %s: there is no such group; create it "
			"with groupadd --system %s",
		key, name, name));
}

static enum jw_err
check_algorithm(const struct jw_config *config, struct jw_config_errors *errors)
{
	struct jw_why why = {"", ""};

	if (crypto_supported((enum jw_alg)config->policy.algorithm, &why) ==
	    JW_OK)
		return JW_OK;
	return add_error(
	    errors, jw_asprintf("[policy] algorithm: %s", why.text));
}

enum jw_err
settings_read(const char *file, struct jw_config **ret_config,
    struct jw_config_errors *errors)
{
	struct jw_config *config = NULL;
	enum jw_err err = jw_config_load(file, &config, errors);

	if (err == JW_OK)
		err = check_group(config->admin_group, "admin_group", errors);
	if (err == JW_OK)
		err = check_group(config->sign_group, "sign_group", errors);
	if (err == JW_OK)
		err = check_algorithm(config, errors);
	if (err == JW_OK)
		*ret_config = config;
	else
		jw_config_free(config);
	return err;
}

/* ---- comparing ---- */

/* The values of a configuration, in the order of jw_config_each(). */
struct values {
	char **texts;
	size_t count;
};

static bool
keep_value(const char *section, const char *key, const char *value,
    const char *origin, void *arg)
{
	struct values *values = arg;

	(void)section;
	(void)key;
	(void)origin;
	values->texts =
	    jw_realloc(values->texts, (values->count + 1) * sizeof(char *));
	values->texts[values->count++] = jw_strdup(value);
	return true;
}

static void
values_done(struct values *values)
{
	for (size_t i = 0; i < values->count; i++)
		free(values->texts[i]);
	free(values->texts);
}

struct comparison {
	struct values before;
	size_t at;
	settings_key_fn *fn;
	void *arg;
};

static bool
is_live(const char *section, const char *key)
{
	return strcmp(section, "policy") == 0 || strcmp(key, "log_level") == 0;
}

static bool
compare_value(const char *section, const char *key, const char *value,
    const char *origin, void *arg)
{
	struct comparison *comparison = arg;
	char name[128];

	(void)origin;
	if (strcmp(comparison->before.texts[comparison->at++], value) == 0)
		return true;
	snprintf(name, sizeof(name), "%s.%s", section, key);
	comparison->fn(name, value, is_live(section, key), comparison->arg);
	return true;
}

enum jw_err
settings_reload(const struct settings *reload, settings_key_fn *fn, void *arg,
    struct jw_config_errors *errors)
{
	struct comparison comparison = {.fn = fn, .arg = arg};
	struct jw_config *config = NULL;
	enum jw_err err = settings_read(reload->file, &config, errors);

	if (err != JW_OK)
		return err;
	jw_config_each(reload->config, keep_value, &comparison.before);
	reload->config->log_level = config->log_level;
	reload->config->policy = config->policy;
	jw_log_set_level(config->log_level);
	jw_config_each(config, compare_value, &comparison);
	values_done(&comparison.before);
	jw_config_free(config);
	return JW_OK;
}
