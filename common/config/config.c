/*
 * The configuration: one table of keys, read with inih.
 *
 * inih forgives much in silence: it joins indented lines, cuts long lines and
 * names, drops what stands after " ;" and takes ':' for '='.  So each line is
 * looked at before inih gets it, and what is not sound is reported and
 * handed on as an empty line, which keeps line numbers right.  Must never let
 * a mistake through silently, nor apply half of a configuration.
 */
#include "common/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/config_keys.h"

#define BLANKS " \t"

/* What inih sees instead of a section that is none; its keys are ignored. */
#define NO_SECTION "?"

enum {
	FILE_MAX = 256 * 1024,
	LINE_MAX_OCTETS = 198, /* inih's buffer is 200: newline and NUL */
};

struct origin {
	const char *file; /* NULL: the default */
	int line;
};

/* What jw_config_load() gives out: the public part comes first. */
struct loaded {
	struct jw_config config;
	struct origin *origins; /* by key */
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
	int *seen; /* by key: the line that gave it, 0 for none */
};

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
jw_report(
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
	jw_report(loader, file, 0, &why);
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
	if (!jw_config_section_exists(line + 1)) {
		jw_config_explain_section(line + 1, why);
		return JW_BAD_CONFIG;
	}
	*close = ']';
	return JW_OK;
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
jw_report_line(struct loader *loader, const struct jw_why *why)
{
	loader->policy_bad = true;
	jw_report(loader, loader->file, loader->line, why);
}

/* Leaves in line, which begins with no blank, what inih is to see. */
static void
jw_check_line(struct loader *loader, char *line, size_t size)
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
		jw_report_line(loader, &why);
		(void)snprintf(
		    line, size, "%s", section ? "[" NO_SECTION "]" : "");
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
	limit = (size_t)size - 2;
	if (limit > LINE_MAX_OCTETS) {
		limit = LINE_MAX_OCTETS;
	}
	text = cut_line(loader, &len);
	if (check_octets(text, len, limit, &why) != JW_OK) {
		jw_report_line(loader, &why);
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
	jw_check_line(loader, buf, (size_t)size - 1);
	len = strlen(buf);
	memcpy(buf + len, "\n", 2);
	return buf;
}

/* ---- values into their places ---- */

static enum jw_err
set_value(struct loader *loader, const char *section, const char *name,
    const char *value, struct jw_why *why)
{
	size_t i = jw_config_key_find(section, name);
	enum jw_err err;

	if (*section == '\0') {
		jw_why_set(why,
		    "%s stands before any section; write [daemon], [http], "
		    "[store], [access] or [policy] above it",
		    name);
		return JW_BAD_CONFIG;
	}
	if (i == jw_config_key_count()) {
		jw_config_explain_key(section, name, why);
		return JW_BAD_CONFIG;
	}
	if (loader->seen[i] != 0) {
		jw_why_set(why,
		    "%s is given twice in this file, first in line %d", name,
		    loader->seen[i]);
		return JW_BAD_CONFIG;
	}
	loader->seen[i] = loader->line;
	err = jw_config_key_parse(i, value, &loader->into->config, why);
	if (err == JW_OK) {
		loader->into->origins[i] =
		    (struct origin){.file = loader->file, .line = loader->line};
	}
	return err;
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
	err = set_value(loader, section, name, value, &why);
	if (err == JW_NO_MEMORY) {
		loader->err = err;
	} else if (err != JW_OK) {
		loader->policy_bad |=
		    strcmp(section, "policy") == 0 || *section == '\0';
		jw_report(loader, loader->file, loader->line, &why);
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
	memset(loader->seen, 0, jw_config_key_count() * sizeof(*loader->seen));
	line = ini_parse_stream(read_line, loader, handle_value, loader);
	if (line == 0 || loader->err != JW_OK) {
		return;
	}
	if (line < 0) {
		loader->err = JW_NO_MEMORY;
		return;
	}
	jw_why_set(&why, "the line makes no sense; write NAME = VALUE");
	jw_report(loader, loader->file, line, &why);
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
		jw_report(loader, path, 0, &why);
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
jw_compare_names(const struct dirent **a, const struct dirent **b)
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
	n = scandir(directory, &names, is_drop_in_name, jw_compare_names);
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

	for (size_t i = 0; i < jw_config_key_count(); i++) {
		struct origin origin = into->origins[i];

		if (origin.file == NULL || jw_config_key_param(i) == NULL) {
			continue;
		}
		if (jw_config_key_param(i) == fault->param) {
			return origin;
		}
		if (strstr(why->text, jw_config_key_name(i)) != NULL &&
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
		jw_report(loader, origin.file, origin.line, &why);
		jw_policy_set(&policy, fault.param,
		    (int32_t)(fault.has_minimum ? fault.minimum
						: fault.maximum));
	}
}

static struct loaded *
loaded_new(void)
{
	struct loaded *into = calloc(1, sizeof(*into));

	if (into == NULL) {
		return NULL;
	}
	into->origins = calloc(jw_config_key_count(), sizeof(*into->origins));
	if (into->origins == NULL) {
		free(into);
		return NULL;
	}
	jw_config_init(&into->config);
	return into;
}

enum jw_err
jw_config_load(const char *file, struct jw_config **ret_config,
    struct jw_config_errors *errors)
{
	const char *path = file != NULL ? file : JW_CONFIG_DEFAULT_FILE;
	struct loader loader = {.into = loaded_new(), .errors = errors};
	enum jw_err err = JW_NO_MEMORY;

	loader.seen = calloc(jw_config_key_count(), sizeof(*loader.seen));
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
		loader.err = jw_config_fill_defaults(&loader.into->config);
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

enum jw_err
jw_config_default(struct jw_config **ret_config)
{
	struct loaded *loaded = loaded_new();
	enum jw_err err = JW_NO_MEMORY;

	if (loaded != NULL)
		err = jw_config_fill_defaults(&loaded->config);
	if (err == JW_OK)
		*ret_config = &loaded->config;
	else
		jw_config_free(loaded != NULL ? &loaded->config : NULL);
	return err;
}

void
jw_config_free(struct jw_config *config)
{
	struct loaded *loaded = (struct loaded *)(void *)config;

	if (config == NULL) {
		return;
	}
	jw_config_done(config);
	for (size_t i = 0; i < loaded->nfiles; i++) {
		free(loaded->files[i]);
	}
	free(loaded->files);
	free(loaded->origins);
	free(loaded);
}

void
jw_config_each(
    const struct jw_config *config, jw_config_value_fn *fn, void *arg)
{
	const struct loaded *loaded =
	    (const struct loaded *)(const void *)config;
	char value[CONFIG_VALUE_SIZE], origin[4096 + 16];

	for (size_t i = 0; i < jw_config_key_count(); i++) {
		const struct origin *from = &loaded->origins[i];

		jw_config_key_format(i, config, value);
		(void)snprintf(origin, sizeof(origin), "default");
		if (from->file != NULL) {
			(void)snprintf(origin, sizeof(origin), "%.4095s:%d",
			    from->file, from->line);
		}
		if (!fn(jw_config_key_section(i), jw_config_key_name(i), value,
			origin, arg)) {
			return;
		}
	}
}
