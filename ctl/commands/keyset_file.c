/*
 * Read a file of key sets, all of it or nothing.  Every mistake is reported,
 * so that one run suffices to find them all.
 */
#include "ctl/commands/keyset_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/label.h"
#include "common/base/memory.h"
#include "ctl/call/policy_words.h"
#include "ctl/out/text.h"

/* ---- words ---- */

/*
 * The next word, unquoted where it stands; NULL at the end or a comment.
 * *text is behind it.  *ret_open: a quote was not closed.
 */
static char *
next_word(char **text, bool *ret_open)
{
	char *in = *text + strspn(*text, " \t\r\n"), *word = in, *out = in;
	bool quoted = false;

	if (*in == '\0' || *in == '#')
		return NULL;
	for (; *in != '\0' && (quoted || strchr(" \t\r\n", *in) == NULL);
	     in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*text = in + (*in != '\0');
	*out = '\0';
	*ret_open = quoted;
	return word;
}

/* ---- lines ---- */

/* False with why for a mistake. */
static bool
take_words(char *text, struct cmd_keyset_line *line, struct jw_why *why)
{
	enum jw_err err = JW_OK;
	bool open = false;
	char *word;

	while (err == JW_OK && (word = next_word(&text, &open)) != NULL) {
		if (open) {
			jw_why_set(why, "a quote is not closed");
			err = JW_USAGE;
		} else if (line->name == NULL) {
			err = jw_key_set_name_check(word, why);
			line->name = jw_strdup(word);
		} else {
			err = call_policy_take(word, line->policy, why);
		}
	}
	return err == JW_OK;
}

static void
line_done(struct cmd_keyset_line *line)
{
	free(line->name);
	json_decref(line->policy);
}

static void
add_line(struct cmd_keyset_file *file, const struct cmd_keyset_line *line)
{
	if (file->count == file->room) {
		file->room = file->room == 0 ? 64 : file->room * 2;
		file->lines =
		    jw_realloc(file->lines, file->room * sizeof(*file->lines));
	}
	file->lines[file->count++] = *line;
}

void
cmd_keyset_file_report(const struct cmd_keyset_file *file, long number,
    bool utf8, const struct jw_why *why)
{
	unsigned flags = utf8 ? TEXT_UTF8 : 0;
	char *text = out_text_visible(why->text, flags);
	char *hint = out_text_visible(why->hint, flags);

	fprintf(stderr, "jwksctl: %s:%ld: %s%s%s%s\n", file->path, number, text,
	    hint[0] != '\0' ? " (" : "", hint, hint[0] != '\0' ? ")" : "");
	free(text);
	free(hint);
}

static void
mistake(struct cmd_keyset_file *file, long number, const struct jw_why *why)
{
	file->mistakes++;
	cmd_keyset_file_report(file, number, false, why);
}

/* A line with a mistake is reported and left out. */
static void
take_line(struct cmd_keyset_file *file, char *text, size_t len, long number)
{
	struct cmd_keyset_line line = {
	    .policy = json_object(), .number = number};
	struct jw_why why = {"", ""};
	bool sound = strlen(text) == len;

	if (!sound)
		jw_why_set(&why, "the line has a NUL byte");
	else
		sound = take_words(text, &line, &why);
	if (!sound)
		mistake(file, number, &why);
	if (sound && line.name != NULL)
		add_line(file, &line);
	else
		line_done(&line);
}

/* ---- names ---- */

static int
compare_lines(const void *a, const void *b)
{
	const struct cmd_keyset_line *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	if (order != 0)
		return order;
	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static void
sort_names(struct cmd_keyset_file *file)
{
	file->by_name = jw_alloc((file->count + 1) * sizeof(*file->by_name));
	for (size_t i = 0; i < file->count; i++)
		file->by_name[i] = &file->lines[i];
	qsort(
	    file->by_name, file->count, sizeof(*file->by_name), compare_lines);
}

/* The mistakes are reported in the order of lines. */
static void
check_names(struct cmd_keyset_file *file)
{
	struct jw_why why = {"", ""};

	for (size_t i = 1; i < file->count; i++)
		if (strcmp(file->by_name[i - 1]->name,
			file->by_name[i]->name) == 0)
			file->by_name[i]->seen = true;
	for (size_t i = 0; i < file->count; i++) {
		if (!file->lines[i].seen)
			continue;
		jw_why_set(&why, "%s is given twice", file->lines[i].name);
		mistake(file, file->lines[i].number, &why);
	}
}

static int
compare_name(const void *name, const void *line)
{
	const struct cmd_keyset_line *const *y = line;

	return strcmp(name, (*y)->name);
}

struct cmd_keyset_line *
cmd_keyset_file_find(const struct cmd_keyset_file *file, const char *name)
{
	struct cmd_keyset_line **found = bsearch(name, file->by_name,
	    file->count, sizeof(*file->by_name), compare_name);

	return found == NULL ? NULL : *found;
}

/* ---- the whole ---- */

static void
take_lines(struct cmd_keyset_file *file, FILE *in)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	long number = 0;

	while ((len = getline(&text, &size, in)) >= 0)
		take_line(file, text, (size_t)len, ++number);
	free(text);
}

static enum jw_err
unreadable(const struct cmd_keyset_file *file, struct jw_why *why)
{
	jw_why_set(why, "cannot read %s: %s", file->path, strerror(errno));
	return JW_IO;
}

static enum jw_err
report_mistakes(const struct cmd_keyset_file *file, struct jw_why *why)
{
	if (file->mistakes > 0)
		jw_why_set(why, "%s has %zu mistake%s: nothing was sent",
		    file->path, file->mistakes, file->mistakes == 1 ? "" : "s");
	else if (file->count == 0)
		jw_why_set(why, "%s names no key set", file->path);
	else
		return JW_OK;
	jw_why_hint(why, "one key set a line, like"
			 " `acme/step-up algorithm=ES384 rotation_period=14d`");
	return JW_USAGE;
}

enum jw_err
cmd_keyset_file_read(
    const char *path, struct cmd_keyset_file *ret_file, struct jw_why *why)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	enum jw_err err = JW_OK;

	memset(ret_file, 0, sizeof(*ret_file));
	ret_file->path = is_stdin ? "standard input" : path;
	if (in == NULL)
		return unreadable(ret_file, why);
	take_lines(ret_file, in);
	if (ferror(in))
		err = unreadable(ret_file, why);
	if (!is_stdin)
		fclose(in);
	if (err != JW_OK)
		return err;
	sort_names(ret_file);
	check_names(ret_file);
	return report_mistakes(ret_file, why);
}

void
cmd_keyset_file_done(struct cmd_keyset_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		line_done(&file->lines[i]);
	free(file->by_name);
	free(file->lines);
}
