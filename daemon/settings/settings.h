/*
 * The configuration, read for a start or read again: all or nothing.
 *
 * Live: [daemon] log_level, and [policy], the defaults of new key sets.  Every
 * other key is taken at the next start.
 */
#ifndef JWKSD_DAEMON_SETTINGS_SETTINGS_H
#define JWKSD_DAEMON_SETTINGS_SETTINGS_H

#include <stdbool.h>

#include "common/base/err.h"

struct jw_config;
struct jw_config_errors;

/*
 * jw_config_load(), and that the groups and the algorithm it
 * names are there.  Results and errors
 * are its.  Blocks on the file system and the user database.
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
 * Read the configuration again, put what is live in force, and tell each
 * difference.  After an error (settings_read()'s) nothing has changed.
 */
enum jw_err settings_reload(const struct settings *reload, settings_key_fn *fn,
    void *arg, struct jw_config_errors *errors);

#endif
