/*
 * Every key of the configuration, how its value is read and written, and what
 * a misspelt one may have meant.
 *
 * Pure but for memory.  Must never accept a value that the daemon would only
 * later find to be unusable, where that can be seen from the value alone.
 */
#include "common/config/config_keys.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/duration.h"
#include "common/base/label.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLANKS " \t"
#define DIGITS "0123456789"
#define STATE_DIRECTORY "/var/lib/jwksd"
#define RUNTIME_DIRECTORY "/run/jwksd"
#define LISTEN "127.0.0.1:7517"

enum {
	NAME_MAX_OCTETS = 63, /* of a misspelt name worth a suggestion */
	/* A socket's name has to fit behind it into sun_path. */
	RUNTIME_PATH_MAX = 90,
};

struct key {
	const char *section;
	const char *name;
	enum jw_err (*parse)(const struct key *key, const char *value,
	    struct jw_config *config, struct jw_why *why);
	void (*format)(
	    const struct key *key, const struct jw_config *config, char *buf);
	size_t offset; /* in struct jw_config */
	int32_t minimum;
	int32_t maximum;
};

/* A key of the table, or a parameter of the policy. */
struct slot {
	const char *section;
	const char *name;
	const struct key *key;        /* or NULL */
	const struct jw_param *param; /* or NULL */
};

/* ---- values: text ---- */

static char **
jw_text_of(const struct key *key, struct jw_config *config)
{
	return (char **)(void *)((char *)config + key->offset);
}

static enum jw_err
replace_text(char **text, const char *value, size_t len)
{
	char *copy = strndup(value, len);

	if (copy == NULL) {
		return JW_NO_MEMORY;
	}
	free(*text);
	*text = copy;
	return JW_OK;
}

static void
format_text(const struct key *key, const struct jw_config *config, char *buf)
{
	const char *text;

	memcpy(&text, (const char *)config + key->offset, sizeof(text));
	(void)snprintf(buf, CONFIG_VALUE_SIZE, "%s", text != NULL ? text : "");
}

static enum jw_err
parse_path(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
{
	size_t len = strlen(value);

	if (*value != '/') {
		jw_why_set(why,
		    "%s \"%s\" is not absolute; write the whole path, "
		    "beginning with /",
		    key->name, value);
		return JW_BAD_CONFIG;
	}
	while (len > 1 && value[len - 1] == '/') {
		len--;
	}
	if (len > (size_t)key->maximum) {
		jw_why_set(why,
		    "%s is %zu octets long but may be %" PRId32
		    ", so that the path of a socket in it fits",
		    key->name, len, key->maximum);
		return JW_BAD_CONFIG;
	}
	return replace_text(jw_text_of(key, config), value, len);
}

/* A file: a path that does not end with a slash. */
static enum jw_err
parse_file_path(const struct key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	if (value[strlen(value) - 1] == '/') {
		jw_why_set(why,
		    "%s \"%s\" is a directory; write the path of "
		    "a file",
		    key->name, value);
		return JW_BAD_CONFIG;
	}
	return parse_path(key, value, config, why);
}

static enum jw_err
jw_parse_group(const struct key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t len = strlen(value);

	if (strspn(value, DIGITS) == len) {
		jw_why_set(why,
		    "%s \"%s\" is a number; write the name of the group",
		    key->name, value);
		return JW_BAD_CONFIG;
	}
	for (const char *p = value; *p != '\0'; p++) {
		bool fine = isalnum((unsigned char)*p) || *p == '_' ||
			    (p > value && (*p == '-' || *p == '.'));

		if (!fine || len > 32) {
			jw_why_set(why,
			    "%s \"%s\" is no name of a group; write one name "
			    "of letters, digits, _, - and ., at most 32",
			    key->name, value);
			return JW_BAD_CONFIG;
		}
	}
	return replace_text(jw_text_of(key, config), value, len);
}

/* How many octets at word are the name of a group. */
static size_t
group_len(const char *word)
{
	size_t len = 0;

	while (isalnum((unsigned char)word[len]) || word[len] == '_' ||
	       (len > 0 && (word[len] == '-' || word[len] == '.'))) {
		len++;
	}
	return strspn(word, DIGITS) < len ? len : 0;
}

/* GROUP:KEYSET, where KEYSET is a name, APP/ and a star, or a star. */
static bool
is_rule(char *word)
{
	size_t len = group_len(word);
	char *key_set = word + len + 1;

	if (len == 0 || len > 32 || word[len] != ':') {
		return false;
	}
	if (strcmp(key_set, "*") == 0) {
		return true;
	}
	len = strlen(key_set);
	if (len > 2 && strcmp(key_set + len - 2, "/*") == 0) {
		key_set[len - 2] = '\0';
	}
	return jw_key_set_name_check(key_set, NULL) == JW_OK;
}

static enum jw_err
parse_rules(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
{
	char text[CONFIG_VALUE_SIZE], *save;

	(void)snprintf(text, sizeof(text), "%s", value);
	for (char *word = strtok_r(text, BLANKS ",", &save); word != NULL;
	     word = strtok_r(NULL, BLANKS ",", &save)) {
		if (!is_rule(word)) {
			jw_why_set(why,
			    "%s: \"%s\" is no rule; write GROUP:KEYSET, or "
			    "* for every key set",
			    key->name, word);
			return JW_BAD_CONFIG;
		}
	}
	return replace_text(jw_text_of(key, config), value, strlen(value));
}

static bool
jw_is_label(const char *label, size_t len)
{
	if (len < 1 || len > 63 || label[0] == '-' || label[len - 1] == '-') {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)label[i]) && label[i] != '-') {
			return false;
		}
	}
	return true;
}

/* RFC 1123 section 2.1: labels of letters, digits and inner hyphens. */
static bool
is_domain(const char *name, size_t len)
{
	size_t start = 0;

	if (len > 253) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '.') {
			if (!jw_is_label(name + start, i - start)) {
				return false;
			}
			start = i + 1;
		}
	}
	/* A last label of digits makes an address, not a name. */
	return jw_is_label(name + start, len - start) &&
	       strspn(name + start, DIGITS) < len - start;
}

static enum jw_err
parse_domain(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
{
	char **text = jw_text_of(key, config);
	size_t len = strlen(value);
	enum jw_err err;

	if (len > 1 && value[len - 1] == '.') {
		len--;
	}
	if (!is_domain(value, len)) {
		jw_why_set(why,
		    "domain \"%s\" is no DNS name; write one as "
		    "session.example.com, without scheme, port or *",
		    value);
		return JW_BAD_CONFIG;
	}
	err = replace_text(text, value, len);
	for (char *p = *text; err == JW_OK && *p != '\0'; p++) {
		*p = (char)tolower((unsigned char)*p);
	}
	return err;
}

/* ---- values: numbers and words ---- */

static enum jw_err
config_keys_parse_number(const struct key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	size_t digits = strspn(value, DIGITS);
	long number = digits > 0 && digits <= 9 ? strtol(value, NULL, 10) : -1;
	int32_t narrow = (int32_t)number;

	if (value[digits] != '\0' || number < key->minimum ||
	    number > key->maximum) {
		jw_why_set(why,
		    "%s is \"%s\" but must be a number from %" PRId32
		    " to %" PRId32,
		    key->name, value, key->minimum, key->maximum);
		return JW_BAD_CONFIG;
	}
	memcpy((char *)config + key->offset, &narrow, sizeof(narrow));
	return JW_OK;
}

static void
format_number(const struct key *key, const struct jw_config *config, char *buf)
{
	int32_t number;

	memcpy(&number, (const char *)config + key->offset, sizeof(number));
	(void)snprintf(buf, CONFIG_VALUE_SIZE, "%" PRId32, number);
}

static const char *const log_levels[] = {
    "error", "warning", "notice", "info", "debug"};

static enum jw_err
parse_log_level(const struct key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	if (!jw_log_level_parse(value, &config->log_level)) {
		jw_why_set(why,
		    "%s \"%s\" is unknown; it is one of error, warning, "
		    "notice, info, debug",
		    key->name, value);
		return JW_BAD_CONFIG;
	}
	return JW_OK;
}

static void
format_log_level(
    const struct key *key, const struct jw_config *config, char *buf)
{
	(void)key;
	(void)snprintf(
	    buf, CONFIG_VALUE_SIZE, "%s", log_levels[config->log_level]);
}

/* ---- values: addresses ---- */

static void
listen_free(struct jw_listen *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rows[i].path);
		free(rows[i].text);
	}
	free(rows);
}

static enum jw_err
parse_unix(const char *text, struct jw_listen *ret_row, struct jw_why *why)
{
	const char *path = text + strlen("unix:");
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (*path != '/' || strlen(path) >= room) {
		jw_why_set(why,
		    "listen \"%s\": after unix: stands an absolute path of at "
		    "most %zu octets",
		    text, room - 1);
		return JW_BAD_CONFIG;
	}
	ret_row->kind = JW_LISTEN_UNIX;
	ret_row->path = strdup(path);
	return ret_row->path != NULL ? JW_OK : JW_NO_MEMORY;
}

/* Words for the usual slips; port is what stands behind the last colon. */
static void
explain_address(
    const char *text, const char *host, const char *port, struct jw_why *why)
{
	if (strcmp(host, "*") == 0 || *host == '\0') {
		jw_why_set(why,
		    "listen \"%s\": for every address write 0.0.0.0:%s or "
		    "[::]:%s",
		    text, port, port);
	} else if (strcasecmp(host, "localhost") == 0) {
		jw_why_set(why,
		    "listen \"%s\": names are not looked up; write "
		    "127.0.0.1:%s or [::1]:%s",
		    text, port, port);
	} else if (strchr(host, ':') != NULL && *host != '[') {
		jw_why_set(why,
		    "listen \"%s\": an IPv6 address stands in brackets, as in "
		    "[::1]:7517",
		    text);
	} else {
		jw_why_set(why,
		    "listen \"%s\" is no address; write a numeric "
		    "ADDRESS:PORT, [ADDRESS]:PORT or unix:/PATH",
		    text);
	}
}

static enum jw_err
no_port(const char *text, struct jw_why *why)
{
	if (text[strspn(text, DIGITS)] == '\0') {
		jw_why_set(why,
		    "listen \"%s\" is a port alone; write 127.0.0.1:%s", text,
		    text);
	} else {
		jw_why_set(why,
		    "listen \"%s\" has no port; write it after a colon, as in "
		    "127.0.0.1:7517",
		    text);
	}
	return JW_BAD_CONFIG;
}

/* host is numeric, IPv6 in brackets; kept as inet_ntop(3) writes it. */
static bool
read_host(char *host, char *ret_host, size_t size)
{
	size_t len = strlen(host);
	struct in6_addr address;
	int family = AF_INET;

	if (*host == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		host++;
		family = AF_INET6;
	}
	return inet_pton(family, host, &address) == 1 &&
	       inet_ntop(family, &address, ret_host, (socklen_t)size) != NULL;
}

static enum jw_err
parse_inet(const char *text, struct jw_listen *ret_row, struct jw_why *why)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon != NULL ? colon + 1 : "";
	size_t digits = strspn(port, DIGITS);
	char host[CONFIG_VALUE_SIZE], copy[CONFIG_VALUE_SIZE];
	long number;

	if (colon == NULL || text[strlen(text) - 1] == ']') {
		return no_port(text, why);
	}
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	(void)snprintf(copy, sizeof(copy), "%s", host);
	if (!read_host(copy, ret_row->host, sizeof(ret_row->host))) {
		explain_address(text, host, port, why);
		return JW_BAD_CONFIG;
	}
	number = digits > 0 && digits <= 5 ? strtol(port, NULL, 10) : -1;
	if (port[digits] != '\0' || number < 0 || number > UINT16_MAX) {
		jw_why_set(why,
		    "listen \"%s\": a port is a number from 0 to 65535", text);
		return JW_BAD_CONFIG;
	}
	ret_row->kind = JW_LISTEN_INET;
	ret_row->port = (uint16_t)number;
	return JW_OK;
}

static bool
same_address(const struct jw_listen *a, const struct jw_listen *b)
{
	if (a->kind != b->kind) {
		return false;
	}
	if (a->kind == JW_LISTEN_UNIX) {
		return strcmp(a->path, b->path) == 0;
	}
	/* Port 0 is another one each time. */
	return a->port != 0 && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

/* rows has room for one more; it is counted even when it is half done. */
static enum jw_err
add_address(
    const char *text, struct jw_listen *rows, size_t *count, struct jw_why *why)
{
	struct jw_listen *row = &rows[(*count)++];
	enum jw_err err;

	row->text = strdup(text);
	if (row->text == NULL) {
		return JW_NO_MEMORY;
	}
	err = strncmp(text, "unix:", 5) == 0 ? parse_unix(text, row, why)
					     : parse_inet(text, row, why);
	for (size_t i = 0; err == JW_OK && i + 1 < *count; i++) {
		if (same_address(&rows[i], row)) {
			jw_why_set(
			    why, "listen \"%s\" stands there twice", text);
			err = JW_BAD_CONFIG;
		}
	}
	return err;
}

static enum jw_err
parse_listen(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
{
	char text[CONFIG_VALUE_SIZE], *save = NULL;
	/* Each address has two octets at jw_least, its separator counted. */
	struct jw_listen *rows = calloc(strlen(value) / 2 + 1, sizeof(*rows));
	enum jw_err err = rows != NULL ? JW_OK : JW_NO_MEMORY;
	size_t count = 0;

	(void)key;
	(void)snprintf(text, sizeof(text), "%s", value);
	for (char *word = strtok_r(text, BLANKS ",", &save);
	     err == JW_OK && word != NULL;
	     word = strtok_r(NULL, BLANKS ",", &save)) {
		err = add_address(word, rows, &count, why);
	}
	if (err == JW_OK && count == 0) {
		jw_why_set(why, "listen has no address; write one as " LISTEN);
		err = JW_BAD_CONFIG;
	}
	if (err != JW_OK) {
		listen_free(rows, count);
		return err;
	}
	listen_free(config->listen, config->nlisten);
	config->listen = rows;
	config->nlisten = count;
	return JW_OK;
}

static void
format_listen(const struct key *key, const struct jw_config *config, char *buf)
{
	size_t len = 0;

	(void)key;
	buf[0] = '\0';
	for (size_t i = 0; i < config->nlisten && len < CONFIG_VALUE_SIZE;
	     i++) {
		len += (size_t)snprintf(buf + len, CONFIG_VALUE_SIZE - len,
		    "%s%s", i > 0 ? " " : "", config->listen[i].text);
	}
}

/* ---- the table ---- */

#define MEMBER(name) offsetof(struct jw_config, name)

/* In the order of the documentation, [policy] after them. */
static const struct key keys[] = {
    {"daemon", "state_directory", parse_path, format_text,
	MEMBER(state_directory), 0, CONFIG_VALUE_SIZE},
    {"daemon", "runtime_directory", parse_path, format_text,
	MEMBER(runtime_directory), 0, RUNTIME_PATH_MAX},
    {"daemon", "log_level", parse_log_level, format_log_level,
	MEMBER(log_level), 0, 0},
    {"http", "listen", parse_listen, format_listen, MEMBER(listen), 0, 0},
    {"http", "domain", parse_domain, format_text, MEMBER(domain), 0, 0},
    {"http", "processes", config_keys_parse_number, format_number,
	MEMBER(processes), 1, 64},
    {"http", "max_connections", config_keys_parse_number, format_number,
	MEMBER(max_connections), 0, 1000000},
    {"store", "path", parse_file_path, format_text, MEMBER(store_path), 0,
	CONFIG_VALUE_SIZE},
    {"store", "anchor", parse_path, format_text, MEMBER(anchor), 0,
	CONFIG_VALUE_SIZE},
    {"access", "admin_group", jw_parse_group, format_text, MEMBER(admin_group),
	0, 0},
    {"access", "sign_group", jw_parse_group, format_text, MEMBER(sign_group), 0,
	0},
    {"access", "sign_rules", parse_rules, format_text, MEMBER(sign_rules), 0,
	0},
    {"access", "key_encryption_key", parse_file_path, format_text,
	MEMBER(key_encryption_key), 0, CONFIG_VALUE_SIZE},
};

static const char *const sections[] = {
    "daemon", "http", "store", "access", "policy"};

size_t
jw_config_key_count(void)
{
	size_t nparams;

	(void)jw_policy_params(&nparams);
	return COUNT(keys) + nparams;
}

static struct slot
slot_at(size_t i)
{
	size_t nparams;
	const struct jw_param *params = jw_policy_params(&nparams);

	if (i < COUNT(keys)) {
		return (struct slot){.section = keys[i].section,
		    .name = keys[i].name,
		    .key = &keys[i]};
	}
	return (struct slot){.section = "policy",
	    .name = params[i - COUNT(keys)].snake,
	    .param = &params[i - COUNT(keys)]};
}

/* ---- what was meant ---- */

static size_t
jw_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Insertions, deletions, substitutions and swaps of neighbours between two
 * names of at most NAME_MAX_OCTETS, without case.
 */
static size_t
jw_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_OCTETS + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t na = strlen(a), nb = strlen(b);

	for (size_t j = 0; j <= nb; j++) {
		above[j] = j;
	}
	for (size_t i = 1; i <= na; i++) {
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);

			row[j] = jw_least(above[j], row[j - 1]) + 1;
			row[j] = jw_least(row[j], above[j - 1] + (ca != cb));
			if (i > 1 && j > 1 &&
			    ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2])) {
				row[j] = jw_least(row[j], before[j - 2] + 1);
			}
		}
		size_t *free_row = before;

		before = above;
		above = row;
		row = free_row;
	}
	return above[nb];
}

/* Is `candidate` nearer to name than *best, and near enough to be meant? */
static bool
is_nearer(const char *name, const char *candidate, size_t *best)
{
	size_t d;

	if (strlen(name) > NAME_MAX_OCTETS) {
		return false;
	}
	d = jw_distance(name, candidate);
	if (d > 1 + strlen(candidate) / 4 || d >= *best) {
		return false;
	}
	*best = d;
	return true;
}

void
jw_config_explain_section(const char *name, struct jw_why *why)
{
	const char *meant = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < COUNT(sections); i++) {
		if (is_nearer(name, sections[i], &best)) {
			meant = sections[i];
		}
	}
	if (meant != NULL) {
		jw_why_set(why, "unknown section [%s]; did you mean [%s]?",
		    name, meant);
		return;
	}
	jw_why_set(why,
	    "unknown section [%s]; there are [daemon], [http], [store], "
	    "[access] and [policy]",
	    name);
}

void
jw_config_explain_key(const char *section, const char *name, struct jw_why *why)
{
	struct slot meant = {0};
	size_t best = SIZE_MAX;
	bool here;

	/* Its own section first: elsewhere it has to be nearer. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < jw_config_key_count(); i++) {
			struct slot slot = slot_at(i);

			here = strcmp(slot.section, section) == 0;
			if (here == (pass == 0) &&
			    is_nearer(name, slot.name, &best)) {
				meant = slot;
			}
		}
	}
	if (meant.name == NULL) {
		jw_why_set(why,
		    "unknown key %s in [%s]; jwksd.conf(5) lists the keys",
		    name, section);
		return;
	}
	here = strcmp(meant.section, section) == 0;
	if (strcmp(meant.name, name) == 0) {
		jw_why_set(why, "unknown key %s in [%s]; it belongs to [%s]",
		    name, section, meant.section);
		return;
	}
	jw_why_set(why, "unknown key %s in [%s]; did you mean %s%s%s%s?", name,
	    section, meant.name, here ? "" : " in [", here ? "" : meant.section,
	    here ? "" : "]");
}

/* ---- one key ---- */

const char *
jw_config_key_section(size_t i)
{
	return slot_at(i).section;
}

const char *
jw_config_key_name(size_t i)
{
	return slot_at(i).name;
}

const struct jw_param *
jw_config_key_param(size_t i)
{
	return slot_at(i).param;
}

size_t
jw_config_key_find(const char *section, const char *name)
{
	size_t i = 0;

	while (i < jw_config_key_count() &&
	       (strcmp(slot_at(i).section, section) != 0 ||
		   strcmp(slot_at(i).name, name) != 0)) {
		i++;
	}
	return i;
}

bool
jw_config_section_exists(const char *name)
{
	for (size_t i = 0; i < COUNT(sections); i++) {
		if (strcmp(sections[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static enum jw_err
check_value(const char *name, const char *value, struct jw_why *why)
{
	size_t len = strlen(value);

	if (len == 0) {
		jw_why_set(why,
		    "%s has no value; leave the line out for the default",
		    name);
		return JW_BAD_CONFIG;
	}
	if ((*value == '"' || *value == '\'') && value[len - 1] == *value) {
		jw_why_set(why, "%s: write the value without quotes", name);
		return JW_BAD_CONFIG;
	}
	return JW_OK;
}

enum jw_err
jw_config_key_parse(
    size_t i, const char *value, struct jw_config *config, struct jw_why *why)
{
	struct slot slot = slot_at(i);
	enum jw_err err = check_value(slot.name, value, why);
	int32_t number;

	if (err != JW_OK) {
		return err;
	}
	if (slot.key != NULL) {
		return slot.key->parse(slot.key, value, config, why);
	}
	err = jw_policy_parse_value(slot.param, value, &number, why);
	if (err == JW_OK) {
		jw_policy_set(&config->policy, slot.param, number);
	}
	return err;
}

static void
format_param(
    const struct jw_param *param, const struct jw_policy *policy, char *buf)
{
	int32_t value = jw_policy_get(policy, param);

	if (param->kind == JW_PARAM_DURATION) {
		(void)jw_duration_format(value, buf);
	} else if (param->kind == JW_PARAM_ALGORITHM) {
		(void)snprintf(
		    buf, CONFIG_VALUE_SIZE, "%s", jw_alg_name(value));
	} else if (param->kind == JW_PARAM_MODE) {
		(void)snprintf(
		    buf, CONFIG_VALUE_SIZE, "%s", jw_mode_name(value));
	} else {
		(void)snprintf(buf, CONFIG_VALUE_SIZE, "%" PRId32, value);
	}
}

void
jw_config_key_format(size_t i, const struct jw_config *config, char *buf)
{
	struct slot slot = slot_at(i);

	if (slot.key != NULL) {
		slot.key->format(slot.key, config, buf);
	} else {
		format_param(slot.param, &config->policy, buf);
	}
}

/* ---- all values ---- */

void
jw_config_init(struct jw_config *ret_config)
{
	*ret_config =
	    (struct jw_config){.log_level = JW_LOG_INFO, .processes = 1};
	jw_policy_init(&ret_config->policy);
}

static enum jw_err
default_text(char **text, const char *directory, const char *name)
{
	if (*text != NULL) {
		return JW_OK;
	}
	if (asprintf(text, "%s%s", directory, name) < 0) {
		*text = NULL;
		return JW_NO_MEMORY;
	}
	return JW_OK;
}

/* What no file gave, except for the policy. */
enum jw_err
jw_config_fill_defaults(struct jw_config *config)
{
	const char *state = "";
	enum jw_err err;

	err = default_text(&config->state_directory, STATE_DIRECTORY, "");
	if (err == JW_OK) {
		err = default_text(
		    &config->runtime_directory, RUNTIME_DIRECTORY, "");
	}
	if (err == JW_OK) {
		/* For "/", which keeps its slash. */
		state = strcmp(config->state_directory, "/") == 0
			    ? ""
			    : config->state_directory;
		err = default_text(&config->store_path, state, "/jwksd.db");
	}
	if (err == JW_OK) {
		err = default_text(
		    &config->key_encryption_key, state, "/jwksd.kek");
	}
	if (err == JW_OK) {
		/* Beside the state directory, so that nothing takes both. */
		err = default_text(&config->anchor, state,
		    state[0] == '\0' ? "/jwksd.anchor" : ".anchor");
	}
	if (err == JW_OK && config->nlisten == 0) {
		err = parse_listen(NULL, LISTEN, config, NULL);
	}
	return err;
}

void
jw_config_done(struct jw_config *config)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].format == format_text) {
			free(*jw_text_of(&keys[i], config));
		}
	}
	listen_free(config->listen, config->nlisten);
}
