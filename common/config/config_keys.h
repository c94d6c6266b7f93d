/*
 * The table of configuration keys, for config.c alone, and how the values of
 * each type are read and written.
 *
 * Keys have indices, in the order of the documentation; the parameters of the
 * policy are the last ones.  Nothing here blocks.
 */
#ifndef JWKSD_COMMON_CONFIG_CONFIG_KEYS_H
#define JWKSD_COMMON_CONFIG_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/config.h"

struct jw_config_key;

struct jw_config_type {
	/* JW_BAD_CONFIG or JW_BAD_POLICY with why. */
	enum jw_err (*parse)(const struct jw_config_key *key, const char *value,
	    struct jw_config *config, struct jw_why *why);
	/* The caller frees. */
	char *(*format)(
	    const struct jw_config_key *key, const struct jw_config *config);
	/* Back to no value at all; NULL for types that own no memory. */
	void (*clear)(
	    const struct jw_config_key *key, struct jw_config *config);
	bool is_list; /* parse() adds to the values that are there */
};

struct jw_config_key {
	const char *section;
	const char *name;
	const struct jw_config_type *type;
	size_t offset;                /* in struct jw_config */
	int32_t minimum, maximum;     /* of a number; octets of a text */
	const struct jw_param *param; /* of the policy's keys, else NULL */
};

extern const struct jw_config_type jw_config_path, jw_config_file_path,
    jw_config_group, jw_config_rules, jw_config_domain, jw_config_number,
    jw_config_log_level, jw_config_listen, jw_config_param;

size_t jw_config_key_count(void);
struct jw_config_key jw_config_key_at(size_t i);
/* jw_config_key_count() when there is no such key. */
size_t jw_config_key_find(const char *section, const char *name);
bool jw_config_section_exists(const char *name);

/* JW_BAD_CONFIG: the name does not exist, and which one was meant. */
enum jw_err jw_config_explain_section(const char *name, struct jw_why *why);
enum jw_err jw_config_explain_key(
    const char *section, const char *name, struct jw_why *why);

/* Read a value into config: lists grow, another one replaces the former. */
enum jw_err jw_config_key_parse(const struct jw_config_key *key,
    const char *value, struct jw_config *config, struct jw_why *why);

/* The values that no file gave, but for numbers and the policy. */
void jw_config_fill_defaults(struct jw_config *config);
void jw_config_done(struct jw_config *config);

#endif
