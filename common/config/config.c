/*
 * Reads the files of a configuration, keeps where each value came from and
 * puts the mistakes into order.  Must never apply half of a configuration.
 */
#include "common/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/config/config_keys.h"
#include "common/config/reader.h"

enum { FILE_MAX = 256 * 1024 };

struct origin {
	size_t file; /* 1: the first that was read; 0: the default */
	int line;
};

/* A configuration with the origins of its values; the public part is first. */
struct loaded {
	struct jw_config config;
	struct origin *origins; /* by key */
	char **files;           /* in the order of reading */
	size_t nfiles;
};

struct loader {
	struct loaded *into;
	struct jw_config_errors *errors;
	bool policy_bad; /* the arithmetic of the policy cannot be checked */
	/* of the file that is being read, the last of `files` */
	int line;
	const char *section; /* "": none yet; NULL: one that does not exist */
	int *seen;           /* by key: the line that gave it, 0 for none */
};

/* ---- mistakes ---- */

void
jw_config_errors_done(struct jw_config_errors *errors)
{
	if (errors == NULL)
		return;
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->rows[i].file);
		free(errors->rows[i].message);
	}
	free(errors->rows);
	*errors = (struct jw_config_errors){NULL, 0};
}

static bool
is_before(struct origin a, struct origin b)
{
	return a.file != b.file ? a.file < b.file : a.line < b.line;
}

/* In the order of files and lines. */
static void
report(struct loader *loader, struct origin origin, const struct jw_why *why)
{
	struct jw_config_errors *errors = loader->errors;
	size_t n = errors->count++;

	errors->rows =
	    jw_realloc(errors->rows, (n + 1) * sizeof(*errors->rows));
	for (; n > 0 && is_before(origin,
			    (struct origin){errors->rows[n - 1].file_number,
				errors->rows[n - 1].line});
	     n--)
		errors->rows[n] = errors->rows[n - 1];
	errors->rows[n] = (struct jw_config_error){
	    .file = jw_strdup(
		origin.file == 0 ? "" : loader->into->files[origin.file - 1]),
	    .file_number = origin.file,
	    .line = origin.line,
	    .message = jw_asprintf("%s%s%s", why->text,
		why->hint[0] != '\0' ? "; " : "", why->hint),
	};
}

/* Of the file that was read last, as a whole. */
static void
report_errno(struct loader *loader, const char *problem)
{
	struct jw_why why = {0};

	jw_why_set(&why, "%s: %s", problem, strerror(errno));
	report(loader, (struct origin){loader->into->nfiles, 0}, &why);
}

/* ---- lines ---- */

static enum jw_err
set_value(struct loader *loader, const struct jw_config_line *line,
    struct jw_why *why)
{
	struct loaded *into = loader->into;
	size_t i = jw_config_key_find(loader->section, line->name);
	struct jw_config_key key;

	if (*loader->section == '\0')
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s stands before any section; write [daemon], [http], "
		    "[store], [access] or [policy] above it",
		    line->name);
	if (i == jw_config_key_count())
		return jw_config_explain_key(loader->section, line->name, why);
	key = jw_config_key_at(i);
	if (loader->seen[i] == 0) {
		loader->seen[i] = loader->line;
		into->origins[i] = (struct origin){into->nfiles, loader->line};
		/* A list of a file replaces that of an earlier one. */
		if (key.type->is_list)
			key.type->clear(&key, &into->config);
	} else if (!key.type->is_list)
		return jw_fail(JW_BAD_CONFIG, why,
		    "%s is given twice in this file, first in line %d",
		    line->name, loader->seen[i]);
	return jw_config_key_parse(&key, line->value, &into->config, why);
}

/* JW_BAD_CONFIG with why, also for a line that the reader refused. */
static enum jw_err
take_line(struct loader *loader, const struct jw_config_line *line,
    struct jw_why *why)
{
	if (line->name != NULL) {
		return loader->section == NULL ? JW_OK
					       : set_value(loader, line, why);
	}
	if (line->section != NULL && jw_config_section_exists(line->section)) {
		loader->section = line->section;
		return JW_OK;
	}
	if (line->section != NULL)
		jw_config_explain_section(line->section, why);
	if (line->is_section)
		loader->section = NULL;
	return JW_BAD_CONFIG;
}

static void
read_lines(struct loader *loader, char *text, size_t len)
{
	struct jw_config_reader reader;
	struct jw_config_line line;
	struct jw_why why = {0};

	jw_config_reader_init(&reader, text, len);
	loader->section = "";
	memset(loader->seen, 0, jw_config_key_count() * sizeof(*loader->seen));
	while (jw_config_reader_next(&reader, &line, &why)) {
		loader->line = reader.line;
		if (take_line(loader, &line, &why) != JW_OK) {
			/* The line may have been one of [policy]. */
			loader->policy_bad |=
			    line.name == NULL || *loader->section == '\0' ||
			    strcmp(loader->section, "policy") == 0;
			report(loader,
			    (struct origin){loader->into->nfiles, loader->line},
			    &why);
			why = (struct jw_why){0};
		}
	}
	loader->section = NULL;
}

/* ---- files ---- */

/* At most FILE_MAX + 1 octets; -1 with errno. */
static ssize_t
read_all(int fd, char *buf)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, buf + len, FILE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : (ssize_t)len;
}

static void
read_file(struct loader *loader, int fd)
{
	char *text = jw_alloc(FILE_MAX + 1);
	struct jw_why why = {0};
	struct stat st;
	ssize_t len = 0;

	/* /dev/null is an empty configuration. */
	if (fstat(fd, &st) != 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))) {
		jw_why_set(&why, "not a regular file");
		report(loader, (struct origin){loader->into->nfiles, 0}, &why);
	} else if ((len = read_all(fd, text)) < 0) {
		report_errno(loader, "cannot be read");
	} else if (len > FILE_MAX) {
		jw_why_set(&why, "longer than %d octets", FILE_MAX);
		report(loader, (struct origin){loader->into->nfiles, 0}, &why);
	} else {
		read_lines(loader, text, (size_t)len);
	}
	free(text);
}

/* Keeps path, to which errors and origins refer. */
static void
remember_file(struct loaded *into, const char *path)
{
	into->files =
	    jw_realloc(into->files, (into->nfiles + 1) * sizeof(*into->files));
	into->files[into->nfiles++] = jw_strdup(path);
}

static void
load_file(struct loader *loader, const char *path, bool may_be_missing)
{
	int fd;

	remember_file(loader->into, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0) {
		read_file(loader, fd);
		close(fd);
	} else if (!may_be_missing || errno != ENOENT) {
		report_errno(loader, "cannot be read");
	}
}

static int
is_drop_in_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > strlen(".conf") &&
	       strcmp(entry->d_name + len - strlen(".conf"), ".conf") == 0;
}

/* By octets, whatever the locale: not alphasort(3). */
static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
load_drop_in(struct loader *loader, const char *directory, const char *name)
{
	char *path = jw_asprintf("%s/%s", directory, name);
	struct stat st;

	/* A failure of stat(2) is reported by the attempt to read. */
	if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
		load_file(loader, path, false);
	free(path);
}

static void
load_drop_ins(struct loader *loader, const char *file)
{
	struct dirent **names = NULL;
	char *directory = jw_asprintf("%s.d", file);
	int n = scandir(directory, &names, is_drop_in_name, compare_names);

	if (n < 0 && errno == ENOMEM)
		jw_out_of_memory(0);
	if (n < 0 && errno != ENOENT) {
		remember_file(loader->into, directory);
		report_errno(loader, "cannot be listed");
	}
	for (int i = 0; i < n; i++) {
		load_drop_in(loader, directory, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	free(directory);
}

/* ---- the whole ---- */

/*
 * Where to report a fault of the policy: the line of the parameter itself or,
 * when that has its default, the last line that gave another parameter which
 * the message names.
 */
static struct origin
origin_of_fault(const struct loaded *into, const struct jw_policy_fault *fault,
    const struct jw_why *why)
{
	struct origin last = {0};

	for (size_t i = 0; i < jw_config_key_count(); i++) {
		struct origin origin = into->origins[i];
		struct jw_config_key key = jw_config_key_at(i);

		if (origin.file == 0 || key.param == NULL)
			continue;
		if (key.param == fault->param)
			return origin;
		if (strstr(why->text, key.name) != NULL &&
		    is_before(last, origin))
			last = origin;
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

	while (jw_policy_check(&policy, &fault, &why) != JW_OK &&
	       fault.param != before) {
		struct origin origin =
		    origin_of_fault(loader->into, &fault, &why);

		before = fault.param;
		report(loader, origin, &why);
		jw_policy_set(&policy, fault.param,
		    (int32_t)(fault.has_minimum ? fault.minimum
						: fault.maximum));
	}
}

static struct loaded *
loaded_new(void)
{
	struct loaded *into = jw_zalloc(sizeof(*into));

	into->origins =
	    jw_zalloc(jw_config_key_count() * sizeof(*into->origins));
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
	struct loader loader = {.into = loaded_new(),
	    .errors = errors,
	    .seen = jw_zalloc(jw_config_key_count() * sizeof(int))};

	load_file(&loader, path, file == NULL);
	load_drop_ins(&loader, path);
	if (!loader.policy_bad)
		check_policy(&loader);
	free(loader.seen);
	if (errors->count > 0) {
		jw_config_free(&loader.into->config);
		return JW_BAD_CONFIG;
	}
	jw_config_fill_defaults(&loader.into->config);
	*ret_config = &loader.into->config;
	return JW_OK;
}

struct jw_config *
jw_config_default(void)
{
	struct loaded *into = loaded_new();

	jw_config_fill_defaults(&into->config);
	return &into->config;
}

void
jw_config_free(struct jw_config *config)
{
	struct loaded *loaded = (struct loaded *)(void *)config;

	if (config == NULL)
		return;
	jw_config_done(config);
	for (size_t i = 0; i < loaded->nfiles; i++)
		free(loaded->files[i]);
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
	bool more = true;

	for (size_t i = 0; more && i < jw_config_key_count(); i++) {
		struct jw_config_key key = jw_config_key_at(i);
		const struct origin *from = &loaded->origins[i];
		char *value = key.type->format(&key, config);
		char *origin =
		    from->file == 0
			? jw_strdup("default")
			: jw_asprintf("%s:%d", loaded->files[from->file - 1],
			      from->line);

		more = fn(key.section, key.name, value, origin, arg);
		free(origin);
		free(value);
	}
}
