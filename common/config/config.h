/*
 * The configuration: FILE, then the files in FILE.d whose names end in .conf,
 * in byte order.  Sections [daemon] [http] [store] [access] [policy].
 *
 * All or nothing: either a whole configuration comes back, or every mistake
 * of every file, each as "file:line: problem; the right value".
 */
#ifndef JWKSD_COMMON_CONFIG_CONFIG_H
#define JWKSD_COMMON_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/config/policy.h"

#define JW_CONFIG_DEFAULT_FILE "/etc/jwksd/jwksd.conf"

enum jw_listen_kind { JW_LISTEN_INET, JW_LISTEN_UNIX };

/* One address of [http] listen. */
struct jw_listen {
	enum jw_listen_kind kind;
	char host[64]; /* numeric IPv4 or IPv6 without brackets */
	uint16_t port; /* 0: let the kernel choose */
	char *path;    /* of a Unix socket; else NULL */
	char *text;    /* as it was written */
};

struct jw_config {
	/* [daemon] */
	char *state_directory;   /* /var/lib/jwksd */
	char *runtime_directory; /* /run/jwksd */
	enum jw_log_level log_level;
	/* [http] */
	struct jw_listen *listen; /* 127.0.0.1:7517 */
	size_t nlisten;
	char *domain;            /* lower case, no trailing dot; NULL: none */
	int32_t processes;       /* 0 to 64, 1; 0: no front is started */
	int32_t max_connections; /* of one process; 0: by descriptors */
	/* [store] */
	char *store_path; /* STATE/jwksd.db */
	char *anchor;     /* a directory: STATE.anchor */
	/* [access]; a group that was not configured is NULL */
	char *admin_group;
	char *sign_group;
	char *sign_rules; /* "GROUP:KEYSET ..."; NULL: all of sign_group */
	char *key_encryption_key; /* STATE/jwksd.kek */
	/* [policy]: of new key sets */
	struct jw_policy policy;
};

/*
 * Every mistake found, in the order of files and lines.  Zeroed by the
 * caller, released with jw_config_errors_done().  file is "" and line 0 for
 * mistakes that no line has.
 */
struct jw_config_error {
	char *file;
	size_t file_number; /* 1: the file that was read first */
	int line;
	char *message;
};

struct jw_config_errors {
	struct jw_config_error *rows;
	size_t count;
};

void jw_config_errors_done(struct jw_config_errors *errors);

/*
 * Read file and its drop-ins.  file == NULL means JW_CONFIG_DEFAULT_FILE,
 * which may be missing; a named file may not.  Blocks on the file system.
 * JW_BAD_CONFIG with at least one row in errors.  The caller frees *ret_config
 * with jw_config_free().
 */
enum jw_err jw_config_load(const char *file, struct jw_config **ret_config,
    struct jw_config_errors *errors);
/* The configuration without any file. */
struct jw_config *jw_config_default(void);
void jw_config_free(struct jw_config *config);

/*
 * Every effective value in the order of the documentation: origin is
 * "FILE:LINE" or "default".  A list has the line that began it.  Stops when fn
 * returns false.
 */
typedef bool jw_config_value_fn(const char *section, const char *key,
    const char *value, const char *origin, void *arg);
void jw_config_each(
    const struct jw_config *config, jw_config_value_fn *fn, void *arg);

#endif
