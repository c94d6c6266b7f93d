/*
 * How the values of the configuration are read and written, but for addresses.
 *
 * Pure but for memory.  Must never accept a value that the daemon would only
 * later find to be unusable, where that can be seen from the value alone.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/base/label.h"
#include "common/base/memory.h"
#include "common/config/config_keys.h"

#define SEPARATORS " \t,"
#define DIGITS "0123456789"

enum { GROUP_NAME_MAX = 32 };

/* ---- texts ---- */

static char **
text_of(const struct jw_config_key *key, struct jw_config *config)
{
	return (char **)(void *)((char *)config + key->offset);
}

/* Cut to len. */
static void
replace_text(char **text, const char *value, size_t len)
{
	free(*text);
	*text = jw_asprintf("%.*s", (int)len, value);
}

static char *
format_text(const struct jw_config_key *key, const struct jw_config *config)
{
	const char *text;

	memcpy(&text, (const char *)config + key->offset, sizeof(text));
	return jw_strdup(text != NULL ? text : "");
}

static void
clear_text(const struct jw_config_key *key, struct jw_config *config)
{
	char **text = text_of(key, config);

	free(*text);
	*text = NULL;
}

static enum jw_err
parse_path(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t len = strlen(value);

	if (*value != '/')
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s \"%s\" is not absolute; write the whole path, "
		    "beginning with /",
		    key->name, value);
	while (len > 1 && value[len - 1] == '/')
		len--;
	if (len > (size_t)key->maximum)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s is %zu octets long but may be %" PRId32
		    ", so that the path of a %s in it fits",
		    key->name, len, key->maximum,
		    strcmp(key->name, "runtime_directory") == 0 ? "socket"
								: "file");
	replace_text(text_of(key, config), value, len);
	return JW_OK;
}

static enum jw_err
parse_file_path(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	if (value[strlen(value) - 1] == '/')
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s \"%s\" is a directory; write the path of "
		    "a file",
		    key->name, value);
	return parse_path(key, value, config, why);
}

/* How many octets at text could be the name of a group. */
static size_t
group_length(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) || text[len] == '_' ||
	       (len > 0 && (text[len] == '-' || text[len] == '.')))
		len++;
	return strspn(text, DIGITS) < len && len <= GROUP_NAME_MAX ? len : 0;
}

static enum jw_err
parse_group(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t len = strlen(value);

	if (strspn(value, DIGITS) == len)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s \"%s\" is a number; write the name of the group",
		    key->name, value);
	if (group_length(value) != len)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s \"%s\" is not the name of a group; write one name of "
		    "letters, digits, _, - and ., at most 32",
		    key->name, value);
	replace_text(text_of(key, config), value, len);
	return JW_OK;
}

/* GROUP:KEYSET, where KEYSET is a name, APP/ and a star, or a star. */
static bool
is_rule(char *word)
{
	size_t len = group_length(word);
	char *key_set = word + len + 1;

	if (len == 0 || word[len] != ':')
		return false;
	if (strcmp(key_set, "*") == 0)
		return true;
	len = strlen(key_set);
	if (len > 2 && strcmp(key_set + len - 2, "/*") == 0)
		key_set[len - 2] = '\0';
	return jw_key_set_name_check(key_set, NULL) == JW_OK;
}

/* Cuts text, and cuts the star off its rules. */
static enum jw_err
check_rules(char *text, struct jw_why *why)
{
	char *save = NULL;

	for (char *word = strtok_r(text, SEPARATORS, &save); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save)) {
		if (!is_rule(word))
			return jw_fail(JW_BAD_CONFIG, why,
			    "sign_rules: \"%s\" is not a rule; write "
			    "GROUP:KEYSET, or * for every key set",
			    word);
	}
	return JW_OK;
}

static enum jw_err
parse_rules(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	char **rules = text_of(key, config), *before = *rules;
	char *copy = jw_strdup(value);
	enum jw_err err = check_rules(copy, why);

	free(copy);
	if (err == JW_OK) {
		*rules = jw_asprintf("%s%s%s", before != NULL ? before : "",
		    before != NULL ? " " : "", value);
		free(before);
	}
	return err;
}

/* RFC 1123 section 2.1: labels of letters, digits and inner hyphens. */
static bool
is_domain(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;

	/* A last label of digits makes an address, not a name. */
	return jw_is_host_name(name, strlen(name), JW_LABEL_LOWER) &&
	       last[strspn(last, DIGITS)] != '\0';
}

static enum jw_err
parse_domain(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	char **domain = text_of(key, config);
	size_t len = strlen(value);

	if (len > 1 && value[len - 1] == '.')
		len--;
	replace_text(domain, value, len);
	for (char *p = *domain; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (is_domain(*domain))
		return JW_OK;
	return jw_fail(JW_BAD_CONFIG, why,
	    "domain \"%s\" is not a DNS name; write one as "
	    "session.example.com, "
	    "without scheme, port or *",
	    value);
}

/* ---- numbers and words ---- */

static enum jw_err
parse_number(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t digits = strspn(value, DIGITS);
	long number = digits > 0 && digits <= 9 ? strtol(value, NULL, 10) : -1;
	int32_t narrow = (int32_t)number;

	if (value[digits] != '\0' || number < key->minimum ||
	    number > key->maximum)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s is \"%s\" but must be a number from %" PRId32
		    " to %" PRId32,
		    key->name, value, key->minimum, key->maximum);
	memcpy((char *)config + key->offset, &narrow, sizeof(narrow));
	return JW_OK;
}

static char *
format_number(const struct jw_config_key *key, const struct jw_config *config)
{
	int32_t number;

	memcpy(&number, (const char *)config + key->offset, sizeof(number));
	return jw_asprintf("%" PRId32, number);
}

static enum jw_err
parse_log_level(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	if (!jw_log_level_parse(value, &config->log_level))
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s \"%s\" is unknown; it is one of error, warning, "
		    "notice, info, debug",
		    key->name, value);
	return JW_OK;
}

static char *
format_log_level(
    const struct jw_config_key *key, const struct jw_config *config)
{
	(void)key;
	return jw_strdup(jw_log_level_name(config->log_level));
}

static enum jw_err
parse_param(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	int32_t number;
	enum jw_err err =
	    jw_policy_parse_value(key->param, value, &number, why);

	if (err == JW_OK)
		jw_policy_set(&config->policy, key->param, number);
	return err;
}

static char *
format_param(const struct jw_config_key *key, const struct jw_config *config)
{
	int32_t value = jw_policy_get(&config->policy, key->param);
	char text[JW_DURATION_SIZE];

	return jw_strdup(jw_policy_format_value(key->param, value, text));
}

const struct jw_config_type
    jw_config_path = {parse_path, format_text, clear_text, false},
    jw_config_file_path = {parse_file_path, format_text, clear_text, false},
    jw_config_group = {parse_group, format_text, clear_text, false},
    jw_config_rules = {parse_rules, format_text, clear_text, true},
    jw_config_domain = {parse_domain, format_text, clear_text, false},
    jw_config_number = {parse_number, format_number, NULL, false},
    jw_config_log_level = {parse_log_level, format_log_level, NULL, false},
    jw_config_param = {parse_param, format_param, NULL, false};
