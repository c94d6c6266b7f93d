/*
 * The configuration, read at the start or again: all of it or nothing.
 *
 * Live keys are [daemon] log_level, and [policy], the defaults of new key sets.
 * Every other key is taken at the next start.
 */
#ifndef JWKSD_DAEMON_SETTINGS_SETTINGS_H
#define JWKSD_DAEMON_SETTINGS_SETTINGS_H

#include <stdbool.h>

#include "common/base/err.h"

struct jw_config;
struct jw_config_errors;

/*
 * As jw_config_load(), with its results and errors, and the groups and the
 * algorithm that are named exist.  Blocks on the file system and the user
 * database.
 */
enum jw_err settings_read(const char *file, struct jw_config **ret_config,
    struct jw_config_errors *errors);

struct settings {
	const char *file;         /* NULL: the default */
	struct jw_config *config; /* in force; live keys of it are changed */
};

/* A key whose value differs, "policy.rotation_period", and the new value; live:
 * in force now. */
typedef void settings_key_fn(
    const char *key, const char *value, bool live, void *arg);

/*
 * Read the configuration again, put the live keys in force, and call fn for
 * each difference.  After an error (settings_read()'s) nothing has changed.
 */
enum jw_err settings_reload(const struct settings *reload, settings_key_fn *fn,
    void *arg, struct jw_config_errors *errors);

#endif
