/*
 * The configuration: one table of keys, read with inih.
 *
 * inih forgives much in silence: it joins indented lines, cuts long lines and
 * names, drops what stands after " ;" and takes ':' for '='.  So each line is
 * looked at before inih gets it, and what is not sound is reported and
 * handed on as an empty line, which keeps line numbers right.  Must never let
 * a mistake through silently, nor apply half of a configuration.
 */
#include "common/config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/duration.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLANKS " \t"
#define DIGITS "0123456789"
#define STATE_DIRECTORY "/var/lib/jwksd"
#define RUNTIME_DIRECTORY "/run/jwksd"
#define LISTEN "127.0.0.1:7517"

/* What inih sees instead of a section that is none; its keys are ignored. */
#define NO_SECTION "?"

enum {
	FILE_MAX = 256 * 1024,
	LINE_MAX_OCTETS = 198, /* inih's buffer is 200: newline and NUL */
	VALUE_SIZE = 512,      /* room for any value that fits into a line */
	NAME_MAX_OCTETS = 63,  /* of a misspelt name worth a suggestion */
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

struct origin {
	const char *file; /* NULL: the default */
	int line;
};

/* What jw_config_load() gives out: the public part comes first. */
struct loaded {
	struct jw_config config;
	struct origin *origins; /* by slot */
	char **files;           /* in the order of reading */
	size_t nfiles;
};

struct loader {
	struct loaded *into;
	struct jw_config_errors *errors;
	enum jw_err err; /* JW_NO_MEMORY ends everything */
	bool policy_bad;
	/* the file at hand */
	const char *file;
	const char *at;
	const char *end;
	int line;
	int *seen; /* by slot: the line that gave it, 0 for none */
};

/* ---- values: text ---- */

static char **
text_of(const struct key *key, struct jw_config *config)
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
	(void)snprintf(buf, VALUE_SIZE, "%s", text != NULL ? text : "");
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
	return replace_text(text_of(key, config), value, len);
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
parse_group(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
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
	return replace_text(text_of(key, config), value, len);
}

static bool
is_label(const char *label, size_t len)
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
			if (!is_label(name + start, i - start)) {
				return false;
			}
			start = i + 1;
		}
	}
	/* A last label of digits makes an address, not a name. */
	return is_label(name + start, len - start) &&
	       strspn(name + start, DIGITS) < len - start;
}

static enum jw_err
parse_domain(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
{
	char **text = text_of(key, config);
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
parse_number(const struct key *key, const char *value, struct jw_config *config,
    struct jw_why *why)
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
	(void)snprintf(buf, VALUE_SIZE, "%" PRId32, number);
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
	(void)snprintf(buf, VALUE_SIZE, "%s", log_levels[config->log_level]);
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
	char host[VALUE_SIZE], copy[VALUE_SIZE];
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
	char text[VALUE_SIZE], *save = NULL;
	/* Each address has two octets at least, its separator counted. */
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
	for (size_t i = 0; i < config->nlisten && len < VALUE_SIZE; i++) {
		len += (size_t)snprintf(buf + len, VALUE_SIZE - len, "%s%s",
		    i > 0 ? " " : "", config->listen[i].text);
	}
}

/* ---- the table ---- */

#define MEMBER(name) offsetof(struct jw_config, name)

/* In the order of the documentation, [policy] after them. */
static const struct key keys[] = {
    {"daemon", "state_directory", parse_path, format_text,
	MEMBER(state_directory), 0, VALUE_SIZE},
    {"daemon", "runtime_directory", parse_path, format_text,
	MEMBER(runtime_directory), 0, RUNTIME_PATH_MAX},
    {"daemon", "log_level", parse_log_level, format_log_level,
	MEMBER(log_level), 0, 0},
    {"http", "listen", parse_listen, format_listen, MEMBER(listen), 0, 0},
    {"http", "domain", parse_domain, format_text, MEMBER(domain), 0, 0},
    {"http", "processes", parse_number, format_number, MEMBER(processes), 1,
	64},
    {"http", "max_connections", parse_number, format_number,
	MEMBER(max_connections), 0, 1000000},
    {"store", "path", parse_file_path, format_text, MEMBER(store_path), 0,
	VALUE_SIZE},
    {"access", "admin_group", parse_group, format_text, MEMBER(admin_group), 0,
	0},
    {"access", "sign_group", parse_group, format_text, MEMBER(sign_group), 0,
	0},
    {"access", "key_encryption_key", parse_file_path, format_text,
	MEMBER(key_encryption_key), 0, VALUE_SIZE},
};

static const char *const sections[] = {
    "daemon", "http", "store", "access", "policy"};

static size_t
slot_count(void)
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
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Insertions, deletions, substitutions and swaps of neighbours between two
 * names of at most NAME_MAX_OCTETS, without case.
 */
static size_t
distance(const char *a, const char *b)
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

			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (ca != cb));
			if (i > 1 && j > 1 &&
			    ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2])) {
				row[j] = least(row[j], before[j - 2] + 1);
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
	d = distance(name, candidate);
	if (d > 1 + strlen(candidate) / 4 || d >= *best) {
		return false;
	}
	*best = d;
	return true;
}

static void
explain_section(const char *name, struct jw_why *why)
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

static void
explain_key(const char *section, const char *name, struct jw_why *why)
{
	struct slot meant = {0};
	size_t best = SIZE_MAX;
	bool here;

	/* Its own section first: elsewhere it has to be nearer. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < slot_count(); i++) {
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

/* ---- mistakes ---- */

void
jw_config_errors_done(struct jw_config_errors *errors)
{
	if (errors == NULL) {
		return;
	}
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->rows[i].file);
		free(errors->rows[i].message);
	}
	free(errors->rows);
	errors->rows = NULL;
	errors->count = 0;
}

/* The place of a file in the order of reading; what is none comes last. */
static size_t
file_rank(const struct loaded *into, const char *file)
{
	size_t i = 0;

	while (i < into->nfiles && strcmp(into->files[i], file) != 0) {
		i++;
	}
	return i;
}

static bool
is_before(const struct loaded *into, struct origin a, struct origin b)
{
	size_t rank_a = file_rank(into, a.file);
	size_t rank_b = file_rank(into, b.file);

	return rank_a != rank_b ? rank_a < rank_b : a.line < b.line;
}

static struct origin
origin_of(const struct jw_config_error *row)
{
	return (struct origin){.file = row->file, .line = row->line};
}

/* Takes row, which it frees when memory is short. */
static enum jw_err
insert_error(const struct loaded *into, struct jw_config_errors *errors,
    struct jw_config_error row)
{
	struct jw_config_error *rows = NULL;
	size_t i = errors->count;

	if (row.file != NULL && row.message != NULL) {
		rows = realloc(errors->rows, (i + 1) * sizeof(*rows));
	}
	if (rows == NULL) {
		free(row.file);
		free(row.message);
		return JW_NO_MEMORY;
	}
	errors->rows = rows;
	for (;
	     i > 0 && is_before(into, origin_of(&row), origin_of(&rows[i - 1]));
	     i--) {
		rows[i] = rows[i - 1];
	}
	rows[i] = row;
	errors->count++;
	return JW_OK;
}

static void
report(
    struct loader *loader, const char *file, int line, const struct jw_why *why)
{
	struct jw_config_error row = {.line = line};
	enum jw_err err;

	row.file = strdup(file);
	if (asprintf(&row.message, "%s%s%s", why->text,
		why->hint[0] != '\0' ? "; " : "", why->hint) < 0) {
		row.message = NULL;
	}
	err = insert_error(loader->into, loader->errors, row);
	if (err != JW_OK) {
		loader->err = err;
	}
}

static void
report_errno(struct loader *loader, const char *file, const char *what)
{
	struct jw_why why = {0};

	jw_why_set(&why, "%s: %s", what, strerror(errno));
	report(loader, file, 0, &why);
}

/* ---- lines ---- */

/* Octets that no line may have; len may be beyond all bounds. */
static enum jw_err
check_octets(const char *text, size_t len, size_t limit, struct jw_why *why)
{
	if (len > limit) {
		jw_why_set(why,
		    "the line is %zu octets long but may be %zu at most", len,
		    limit);
		return JW_BAD_CONFIG;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			jw_why_set(why,
			    "octet %zu of the line is the control byte 0x%02x; "
			    "write plain text",
			    i + 1, c);
			return JW_BAD_CONFIG;
		}
	}
	return JW_OK;
}

/* "[name]" and nothing else.  Puts the name into line. */
static enum jw_err
check_section(char *line, struct jw_why *why)
{
	size_t len = strlen(line);
	char *close = strchr(line, ']');

	if (close == NULL || close != line + len - 1) {
		jw_why_set(why, close == NULL
				    ? "the section has no ]; write [NAME]"
				    : "something stands after the ]; write "
				      "[NAME] on a line of its own");
		return JW_BAD_CONFIG;
	}
	*close = '\0';
	for (size_t i = 0; i < COUNT(sections); i++) {
		if (strcmp(line + 1, sections[i]) == 0) {
			*close = ']';
			return JW_OK;
		}
	}
	explain_section(line + 1, why);
	return JW_BAD_CONFIG;
}

/* "name = value", without a comment behind it. */
static enum jw_err
check_assignment(const char *line, struct jw_why *why)
{
	size_t name = strcspn(line, "=:");

	if (line[name] != '=') {
		jw_why_set(why, line[name] == ':'
				    ? "there is no = before the \":\"; write "
				      "NAME = VALUE"
				    : "there is no =; write NAME = VALUE");
		return JW_BAD_CONFIG;
	}
	if (name == 0) {
		jw_why_set(why, "no name stands before the =");
		return JW_BAD_CONFIG;
	}
	for (const char *p = line; p[0] != '\0'; p++) {
		if ((p[0] == ' ' || p[0] == '\t' || p[0] == '=') &&
		    (p[1] == ';' || p[1] == '#')) {
			jw_why_set(why,
			    "\"%c\" begins no comment here; write the comment "
			    "on a line of its own",
			    p[1]);
			return JW_BAD_CONFIG;
		}
	}
	return JW_OK;
}

/* A line that inih does not get to see: it may have been one of [policy]. */
static void
report_line(struct loader *loader, const struct jw_why *why)
{
	loader->policy_bad = true;
	report(loader, loader->file, loader->line, why);
}

/* Leaves in line, which begins with no blank, what inih is to see. */
static void
check_line(struct loader *loader, char *line)
{
	struct jw_why why = {0};
	bool section = *line == '[';
	enum jw_err err;

	if (*line == '\0' || *line == '#' || *line == ';') {
		*line = '\0';
		return;
	}
	err =
	    section ? check_section(line, &why) : check_assignment(line, &why);
	if (err != JW_OK) {
		report_line(loader, &why);
		strcpy(line, section ? "[" NO_SECTION "]" : "");
	}
}

/* The next line of the file: its text and length, without its end. */
static const char *
cut_line(struct loader *loader, size_t *ret_len)
{
	const char *text = loader->at;
	size_t left = (size_t)(loader->end - text);
	const char *newline = memchr(text, '\n', left);
	size_t len = newline != NULL ? (size_t)(newline - text) : left;

	loader->at = newline != NULL ? newline + 1 : loader->end;
	loader->line++;
	if (len > 0 && text[len - 1] == '\r') {
		len--;
	}
	if (loader->line == 1 && len >= 3 &&
	    memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	*ret_len = len;
	return text;
}

/* What inih reads with, instead of fgets(3). */
static char *
read_line(char *buf, int size, void *arg)
{
	struct loader *loader = arg;
	struct jw_why why = {0};
	const char *text;
	size_t len, limit;

	/* The smallest line that we hand on is "[?]\n". */
	if (loader->err != JW_OK || loader->at == loader->end || size < 8) {
		return NULL;
	}
	limit = least(LINE_MAX_OCTETS, (size_t)size - 2);
	text = cut_line(loader, &len);
	if (check_octets(text, len, limit, &why) != JW_OK) {
		report_line(loader, &why);
		len = 0;
	}
	/* An indented line would continue the one before. */
	while (len > 0 && strchr(BLANKS, *text) != NULL) {
		text++;
		len--;
	}
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL) {
		len--;
	}
	memcpy(buf, text, len);
	buf[len] = '\0';
	check_line(loader, buf);
	len = strlen(buf);
	memcpy(buf + len, "\n", 2);
	return buf;
}

/* ---- values into their places ---- */

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

static enum jw_err
set_value(
    struct loader *loader, size_t i, const char *value, struct jw_why *why)
{
	struct slot slot = slot_at(i);
	struct jw_config *config = &loader->into->config;
	enum jw_err err = check_value(slot.name, value, why);
	int32_t number;

	if (err == JW_OK && loader->seen[i] != 0) {
		jw_why_set(why,
		    "%s is given twice in this file, first in line %d",
		    slot.name, loader->seen[i]);
		return JW_BAD_CONFIG;
	}
	loader->seen[i] = loader->line;
	if (err != JW_OK) {
		return err;
	}
	if (slot.param == NULL) {
		return slot.key->parse(slot.key, value, config, why);
	}
	err = jw_policy_parse_value(slot.param, value, &number, why);
	if (err == JW_OK) {
		jw_policy_set(&config->policy, slot.param, number);
	}
	return err;
}

static enum jw_err
set_named(struct loader *loader, const char *section, const char *name,
    const char *value, struct jw_why *why)
{
	if (*section == '\0') {
		jw_why_set(why,
		    "%s stands before any section; write [daemon], [http], "
		    "[store], [access] or [policy] above it",
		    name);
		return JW_BAD_CONFIG;
	}
	for (size_t i = 0; i < slot_count(); i++) {
		struct slot slot = slot_at(i);
		enum jw_err err;

		if (strcmp(slot.section, section) != 0 ||
		    strcmp(slot.name, name) != 0) {
			continue;
		}
		err = set_value(loader, i, value, why);
		if (err == JW_OK) {
			loader->into->origins[i] = (struct origin){
			    .file = loader->file, .line = loader->line};
		}
		return err;
	}
	explain_key(section, name, why);
	return JW_BAD_CONFIG;
}

/* inih's handler; 1 is success, mistakes are kept by us. */
static int
handle_value(
    void *arg, const char *section, const char *name, const char *value)
{
	struct loader *loader = arg;
	struct jw_why why = {0};
	enum jw_err err;

	if (strcmp(section, NO_SECTION) == 0) {
		return 1;
	}
	err = set_named(loader, section, name, value, &why);
	if (err == JW_NO_MEMORY) {
		loader->err = err;
	} else if (err != JW_OK) {
		loader->policy_bad |=
		    strcmp(section, "policy") == 0 || *section == '\0';
		report(loader, loader->file, loader->line, &why);
	}
	return 1;
}

/* ---- files ---- */

/* What was found at path; NULL with errno, or with errno 0 and why. */
static char *
slurp(const char *path, size_t *ret_len, struct jw_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = -1;
	int saved;

	if (fd < 0) {
		return NULL;
	}
	if (fstat(fd, &st) != 0) {
		goto out;
	}
	errno = 0;
	/* /dev/null is an empty configuration. */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		jw_why_set(why, "not a regular file");
		goto out;
	}
	text = malloc(FILE_MAX + 1);
	while (text != NULL && len <= FILE_MAX) {
		n = read(fd, text + len, FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			break;
		}
		len += (size_t)n;
	}
	if (n == 0) {
		*ret_len = len;
		goto out;
	}
	if (len > FILE_MAX) {
		errno = 0;
		jw_why_set(why, "longer than %d octets", FILE_MAX);
	}
	free(text);
	text = NULL;
out:
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/* Keeps path, which errors and origins refer to. */
static const char *
remember_file(struct loaded *into, const char *path)
{
	char **files =
	    realloc(into->files, (into->nfiles + 1) * sizeof(*files));
	char *copy = strdup(path);

	if (files != NULL) {
		into->files = files;
	}
	if (files == NULL || copy == NULL) {
		free(copy);
		return NULL;
	}
	files[into->nfiles++] = copy;
	return copy;
}

static void
parse_text(struct loader *loader, const char *text, size_t len)
{
	struct jw_why why = {0};
	int line;

	loader->at = text;
	loader->end = text + len;
	loader->line = 0;
	memset(loader->seen, 0, slot_count() * sizeof(*loader->seen));
	line = ini_parse_stream(read_line, loader, handle_value, loader);
	if (line == 0 || loader->err != JW_OK) {
		return;
	}
	if (line < 0) {
		loader->err = JW_NO_MEMORY;
		return;
	}
	jw_why_set(&why, "the line makes no sense; write NAME = VALUE");
	report(loader, loader->file, line, &why);
}

static void
load_file(struct loader *loader, const char *path, bool may_be_missing)
{
	struct jw_why why = {0};
	size_t len = 0;
	char *text;

	loader->file = remember_file(loader->into, path);
	if (loader->file == NULL) {
		loader->err = JW_NO_MEMORY;
		return;
	}
	text = slurp(path, &len, &why);
	if (text != NULL) {
		parse_text(loader, text, len);
	} else if (why.text[0] != '\0') {
		report(loader, path, 0, &why);
	} else if (errno == ENOMEM) {
		loader->err = JW_NO_MEMORY;
	} else if (!may_be_missing || errno != ENOENT) {
		report_errno(loader, path, "cannot be read");
	}
	free(text);
}

static int
is_drop_in_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > strlen(".conf") &&
	       strcmp(entry->d_name + len - strlen(".conf"), ".conf") == 0;
}

/* By octets, in whatever locale: not alphasort(3). */
static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
load_drop_in(struct loader *loader, const char *directory, const char *name)
{
	char *path;
	struct stat st;

	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		loader->err = JW_NO_MEMORY;
		return;
	}
	/* One that cannot be looked at is reported by the attempt to read. */
	if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) {
		load_file(loader, path, false);
	}
	free(path);
}

static void
load_drop_ins(struct loader *loader, const char *file)
{
	struct dirent **names = NULL;
	char *directory;
	int n;

	if (asprintf(&directory, "%s.d", file) < 0) {
		loader->err = JW_NO_MEMORY;
		return;
	}
	n = scandir(directory, &names, is_drop_in_name, compare_names);
	if (n < 0 && errno == ENOMEM) {
		loader->err = JW_NO_MEMORY;
	} else if (n < 0 && errno != ENOENT) {
		report_errno(loader, directory, "cannot be listed");
	}
	for (int i = 0; i < n; i++) {
		if (loader->err == JW_OK) {
			load_drop_in(loader, directory, names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
	free(directory);
}

/* ---- the whole ---- */

/*
 * Where to report a fault: the line of the parameter itself or, when that is
 * a default, the last line that gave another one which the message names.
 */
static struct origin
blame(const struct loaded *into, const struct jw_policy_fault *fault,
    const struct jw_why *why)
{
	struct origin last = {.file = "", .line = 0};

	for (size_t i = COUNT(keys); i < slot_count(); i++) {
		struct origin origin = into->origins[i];

		if (origin.file == NULL) {
			continue;
		}
		if (slot_at(i).param == fault->param) {
			return origin;
		}
		if (strstr(why->text, slot_at(i).name) != NULL &&
		    (*last.file == '\0' || is_before(into, last, origin))) {
			last = origin;
		}
	}
	return last;
}

/* Every fault: each is mended in a copy, to find the next. */
static void
check_policy(struct loader *loader)
{
	struct jw_policy policy = loader->into->config.policy;
	const struct jw_param *before = NULL;
	struct jw_policy_fault fault;
	struct jw_why why = {0};
	struct origin origin;

	while (jw_policy_check(&policy, &fault, &why) != JW_OK &&
	       fault.param != before) {
		before = fault.param;
		origin = blame(loader->into, &fault, &why);
		report(loader, origin.file, origin.line, &why);
		jw_policy_set(&policy, fault.param,
		    (int32_t)(fault.has_minimum ? fault.minimum
						: fault.maximum));
	}
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
static enum jw_err
fill_defaults(struct jw_config *config)
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
	if (err == JW_OK && config->nlisten == 0) {
		err = parse_listen(NULL, LISTEN, config, NULL);
	}
	return err;
}

static struct loaded *
loaded_new(void)
{
	struct loaded *into = calloc(1, sizeof(*into));

	if (into == NULL) {
		return NULL;
	}
	into->origins = calloc(slot_count(), sizeof(*into->origins));
	if (into->origins == NULL) {
		free(into);
		return NULL;
	}
	into->config.log_level = JW_LOG_INFO;
	into->config.processes = 1;
	jw_policy_init(&into->config.policy);
	return into;
}

enum jw_err
jw_config_load(const char *file, struct jw_config **ret_config,
    struct jw_config_errors *errors)
{
	const char *path = file != NULL ? file : JW_CONFIG_DEFAULT_FILE;
	struct loader loader = {.into = loaded_new(), .errors = errors};
	enum jw_err err = JW_NO_MEMORY;

	loader.seen = calloc(slot_count(), sizeof(*loader.seen));
	if (loader.into == NULL || loader.seen == NULL) {
		goto out;
	}
	load_file(&loader, path, file == NULL);
	if (loader.err == JW_OK) {
		load_drop_ins(&loader, path);
	}
	if (loader.err == JW_OK && !loader.policy_bad) {
		check_policy(&loader);
	}
	if (loader.err == JW_OK && errors->count == 0) {
		loader.err = fill_defaults(&loader.into->config);
	}
	err = loader.err;
	if (err == JW_OK && errors->count > 0) {
		err = JW_BAD_CONFIG;
	}
	if (err == JW_OK) {
		*ret_config = &loader.into->config;
		loader.into = NULL;
	}
out:
	jw_config_free(loader.into != NULL ? &loader.into->config : NULL);
	free(loader.seen);
	return err;
}

void
jw_config_free(struct jw_config *config)
{
	struct loaded *loaded = (struct loaded *)(void *)config;

	if (config == NULL) {
		return;
	}
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].format == format_text) {
			free(*text_of(&keys[i], config));
		}
	}
	listen_free(config->listen, config->nlisten);
	for (size_t i = 0; i < loaded->nfiles; i++) {
		free(loaded->files[i]);
	}
	free(loaded->files);
	free(loaded->origins);
	free(loaded);
}

static void
format_param(
    const struct jw_param *param, const struct jw_policy *policy, char *buf)
{
	int32_t value = jw_policy_get(policy, param);

	if (param->kind == JW_PARAM_DURATION) {
		(void)jw_duration_format(value, buf);
	} else if (param->kind == JW_PARAM_ALGORITHM) {
		(void)snprintf(buf, VALUE_SIZE, "%s", jw_alg_name(value));
	} else if (param->kind == JW_PARAM_MODE) {
		(void)snprintf(buf, VALUE_SIZE, "%s", jw_mode_name(value));
	} else {
		(void)snprintf(buf, VALUE_SIZE, "%" PRId32, value);
	}
}

void
jw_config_each(
    const struct jw_config *config, jw_config_value_fn *fn, void *arg)
{
	const struct loaded *loaded =
	    (const struct loaded *)(const void *)config;
	char value[VALUE_SIZE], origin[4096 + 16];

	for (size_t i = 0; i < slot_count(); i++) {
		struct slot slot = slot_at(i);
		const struct origin *from = &loaded->origins[i];

		if (slot.key != NULL) {
			slot.key->format(slot.key, config, value);
		} else {
			format_param(slot.param, &config->policy, value);
		}
		(void)snprintf(origin, sizeof(origin), "default");
		if (from->file != NULL) {
			(void)snprintf(origin, sizeof(origin), "%.4095s:%d",
			    from->file, from->line);
		}
		if (!fn(slot.section, slot.name, value, origin, arg)) {
			return;
		}
	}
}
