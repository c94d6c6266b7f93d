/*
 * Every key of the configuration, its default, and which key a misspelt name
 * may have meant.  Pure but for memory.
 */
#include "common/config/config_keys.h"

#include <limits.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/nearest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STATE_DIRECTORY "/var/lib/jwksd"
#define RUNTIME_DIRECTORY "/run/jwksd"
#define LISTEN "127.0.0.1:7517"

enum {
	RUNTIME_PATH_MAX = 90, /* and the name of a socket fits into sun_path */
	PATH_LENGTH_MAX = PATH_MAX - 64, /* and names of files fit behind it */
};

#define MEMBER(name) offsetof(struct jw_config, name)

/* In the order of the documentation; those of [policy] come after them. */
static const struct jw_config_key keys[] = {
    {"daemon", "state_directory", &jw_config_path, MEMBER(state_directory), 0,
	PATH_LENGTH_MAX, NULL},
    {"daemon", "runtime_directory", &jw_config_path, MEMBER(runtime_directory),
	0, RUNTIME_PATH_MAX, NULL},
    {"daemon", "log_level", &jw_config_log_level, MEMBER(log_level), 0, 0,
	NULL},
    {"http", "listen", &jw_config_listen, MEMBER(listen), 0, 0, NULL},
    {"http", "domain", &jw_config_domain, MEMBER(domain), 0, 0, NULL},
    {"http", "processes", &jw_config_number, MEMBER(processes), 0, 64, NULL},
    {"http", "max_connections", &jw_config_number, MEMBER(max_connections), 0,
	1000000, NULL},
    {"store", "path", &jw_config_file_path, MEMBER(store_path), 0,
	PATH_LENGTH_MAX, NULL},
    {"store", "anchor", &jw_config_path, MEMBER(anchor), 0, PATH_LENGTH_MAX,
	NULL},
    {"access", "admin_group", &jw_config_group, MEMBER(admin_group), 0, 0,
	NULL},
    {"access", "sign_group", &jw_config_group, MEMBER(sign_group), 0, 0, NULL},
    {"access", "sign_rules", &jw_config_rules, MEMBER(sign_rules), 0, 0, NULL},
    {"access", "key_encryption_key", &jw_config_file_path,
	MEMBER(key_encryption_key), 0, PATH_LENGTH_MAX, NULL},
};

static const char *const sections[] = {
    "daemon", "http", "store", "access", "policy"};

size_t
jw_config_key_count(void)
{
	size_t nparams;

	jw_policy_params(&nparams);
	return COUNT(keys) + nparams;
}

struct jw_config_key
jw_config_key_at(size_t i)
{
	size_t nparams;
	const struct jw_param *params = jw_policy_params(&nparams);

	if (i < COUNT(keys))
		return keys[i];
	return (struct jw_config_key){.section = "policy",
	    .name = params[i - COUNT(keys)].snake,
	    .type = &jw_config_param,
	    .param = &params[i - COUNT(keys)]};
}

size_t
jw_config_key_find(const char *section, const char *name)
{
	size_t i = 0;

	for (; i < jw_config_key_count(); i++) {
		struct jw_config_key key = jw_config_key_at(i);

		if (strcmp(key.section, section) == 0 &&
		    strcmp(key.name, name) == 0)
			break;
	}
	return i;
}

bool
jw_config_section_exists(const char *name)
{
	size_t i = 0;

	while (i < COUNT(sections) && strcmp(sections[i], name) != 0)
		i++;
	return i < COUNT(sections);
}

enum jw_err
jw_config_explain_section(const char *name, struct jw_why *why)
{
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, name);
	for (size_t i = 0; i < COUNT(sections); i++)
		jw_nearest_consider(&nearest, sections[i]);
	if (nearest.best != NULL)
		return jw_fail(JW_BAD_CONFIG, why,
		    "unknown section [%s]; did you mean [%s]?", name,
		    nearest.best);
	return jw_fail(JW_BAD_CONFIG, why,
	    "unknown section [%s]; there are [daemon], [http], [store], "
	    "[access] and [policy]",
	    name);
}

/* The key whose name is nearest, without a name when none is near. */
static struct jw_config_key
find_meant(const char *section, const char *name)
{
	struct jw_config_key meant = {0};
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, name);
	/* Of equally near ones, that of the section itself is meant. */
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		for (size_t i = 0; i < jw_config_key_count(); i++) {
			struct jw_config_key key = jw_config_key_at(i);

			if ((strcmp(key.section, section) != 0) != elsewhere)
				continue;
			jw_nearest_consider(&nearest, key.name);
			if (nearest.best == key.name)
				meant = key;
		}
	}
	return meant;
}

enum jw_err
jw_config_explain_key(const char *section, const char *name, struct jw_why *why)
{
	struct jw_config_key meant = find_meant(section, name);

	if (meant.name == NULL)
		return jw_fail(JW_BAD_CONFIG, why,
		    "unknown key %s in [%s]; jwksd.conf(5) lists the keys",
		    name, section);
	if (strcmp(meant.section, section) == 0)
		return jw_fail(JW_BAD_CONFIG, why,
		    "unknown key %s in [%s]; did you mean %s?", name, section,
		    meant.name);
	if (strcmp(meant.name, name) == 0)
		return jw_fail(JW_BAD_CONFIG, why,
		    "unknown key %s in [%s]; it belongs to [%s]", name, section,
		    meant.section);
	return jw_fail(JW_BAD_CONFIG, why,
	    "unknown key %s in [%s]; did you mean %s in [%s]?", name, section,
	    meant.name, meant.section);
}

enum jw_err
jw_config_key_parse(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t len = strlen(value);

	if (len == 0)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s has no value; leave the line out for the default",
		    key->name);
	if ((*value == '"' || *value == '\'') && value[len - 1] == *value)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s: write the value without quotes", key->name);
	return key->type->parse(key, value, config, why);
}

static void
default_text(char **text, const char *directory, const char *name)
{
	if (*text == NULL)
		*text = jw_asprintf("%s%s", directory, name);
}

void
jw_config_fill_defaults(struct jw_config *config)
{
	const char *state;

	default_text(&config->state_directory, STATE_DIRECTORY, "");
	default_text(&config->runtime_directory, RUNTIME_DIRECTORY, "");
	/* "/" keeps its slash. */
	state = config->state_directory;
	if (strcmp(state, "/") == 0)
		state = "";
	default_text(&config->store_path, state, "/jwksd.db");
	default_text(&config->key_encryption_key, state, "/jwksd.kek");
	/* Beside the state directory, so that nothing takes both. */
	default_text(&config->anchor, state,
	    *state == '\0' ? "/jwksd.anchor" : ".anchor");
	if (config->nlisten == 0)
		jw_config_listen.parse(NULL, LISTEN, config, NULL);
}

void
jw_config_done(struct jw_config *config)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if (keys[i].type->clear != NULL)
			keys[i].type->clear(&keys[i], config);
}
