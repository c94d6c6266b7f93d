/*
 * The table of configuration keys: the own part of config.c, for nobody else.
 *
 * A key is named by its index, in the order of the documentation; the
 * parameters of the policy are the last ones.  Nothing here blocks.
 */
#ifndef JWKSD_COMMON_CONFIG_CONFIG_KEYS_H
#define JWKSD_COMMON_CONFIG_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config/config.h"

enum { CONFIG_VALUE_SIZE = 512 }; /* room for any value that fits in a line */

size_t jw_config_key_count(void);
const char *jw_config_key_section(size_t i);
const char *jw_config_key_name(size_t i);
/* NULL for a key that is none of the policy's. */
const struct jw_param *jw_config_key_param(size_t i);

/* jw_config_key_count() when there is no such key. */
size_t jw_config_key_find(const char *section, const char *name);
bool jw_config_section_exists(const char *name);

/* Why a name that does not exist does not, and what was meant. */
void jw_config_explain_section(const char *name, struct jw_why *why);
void jw_config_explain_key(
    const char *section, const char *name, struct jw_why *why);

/*
 * Read a value of at most 198 octets into config, in place of the one before.
 * JW_BAD_CONFIG or JW_BAD_POLICY with why, or JW_NO_MEMORY.
 */
enum jw_err jw_config_key_parse(
    size_t i, const char *value, struct jw_config *config, struct jw_why *why);
/* Write a value to buf of CONFIG_VALUE_SIZE; "" for one that is not set. */
void jw_config_key_format(size_t i, const struct jw_config *config, char *buf);

/* Nothing set but numbers and the policy; jw_config_fill_defaults() the rest.
 */
void jw_config_init(struct jw_config *ret_config);
enum jw_err jw_config_fill_defaults(struct jw_config *config);
void jw_config_done(struct jw_config *config);

#endif
