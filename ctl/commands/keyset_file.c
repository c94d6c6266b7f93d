/*
 * A file of key sets, understood whole or not at all: every mistake in it is
 * told, so that nobody mends them one by one.
 */
#include "ctl/commands/keyset_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/label.h"
#include "ctl/call/policy_words.h"

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

static enum jw_err
take_words(char *text, struct cmd_keyset_line *line, struct jw_why *why)
{
	bool open = false;
	enum jw_err err = JW_OK;
	char *word;

	while (err == JW_OK && (word = next_word(&text, &open)) != NULL) {
		if (open) {
			jw_why_set(why, "a quote is not closed");
			err = JW_USAGE;
		} else if (line->name == NULL) {
			err = jw_key_set_name_check(word, why) == JW_OK
				  ? JW_OK
				  : JW_USAGE;
			line->name = strdup(word);
			if (line->name == NULL)
				err = JW_NO_MEMORY;
		} else {
			err = call_policy_take(word, line->policy, why);
		}
	}
	return err;
}

static void
line_done(struct cmd_keyset_line *line)
{
	free(line->name);
	json_decref(line->policy);
}

static enum jw_err
cmd_append(struct cmd_keyset_file *file, const struct cmd_keyset_line *line)
{
	size_t room = file->room == 0 ? 64 : file->room * 2;
	struct cmd_keyset_line *grown;

	if (file->count == file->room) {
		grown = realloc(file->lines, room * sizeof(*grown));
		if (grown == NULL)
			return JW_NO_MEMORY;
		file->lines = grown;
		file->room = room;
	}
	file->lines[file->count++] = *line;
	return JW_OK;
}

static void
mistake(struct cmd_keyset_file *file, cmd_keyset_file_mistake_fn *tell,
    long number, const struct jw_why *why)
{
	file->mistakes++;
	tell(file, number, why);
}

/* A line with a mistake is told of, and left out. */
static enum jw_err
take_line(struct cmd_keyset_file *file, char *text, size_t len, long number,
    cmd_keyset_file_mistake_fn *tell)
{
	struct cmd_keyset_line line = {
	    .policy = json_object(), .number = number};
	struct jw_why why = {"", ""};
	enum jw_err err = JW_NO_MEMORY;

	if (strlen(text) != len) {
		jw_why_set(&why, "the line has a NUL octet");
		err = JW_USAGE;
	} else if (line.policy != NULL) {
		err = take_words(text, &line, &why);
	}
	if (err == JW_OK && line.name != NULL)
		err = cmd_append(file, &line);
	if (err != JW_OK || line.name == NULL)
		line_done(&line);
	if (err != JW_USAGE)
		return err;
	mistake(file, tell, number, &why);
	return JW_OK;
}

/* ---- names that are there twice ---- */

static int
compare(const void *a, const void *b)
{
	const struct cmd_keyset_line *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	if (order != 0)
		return order;
	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static int
compare_numbers(const void *a, const void *b)
{
	const struct cmd_keyset_line *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* Move the later ones of each name to the front, ordered by line. */
static size_t
gather_repeated(const struct cmd_keyset_line **sorted, size_t count)
{
	size_t n = 0;

	for (size_t i = 1; i < count; i++) {
		const struct cmd_keyset_line *line = sorted[i];

		if (strcmp(sorted[i - 1]->name, line->name) == 0) {
			sorted[i] = sorted[i - 1];
			sorted[n++] = line;
		}
	}
	qsort(sorted, n, sizeof(*sorted), compare_numbers);
	return n;
}

static enum jw_err
check_names(struct cmd_keyset_file *file, cmd_keyset_file_mistake_fn *tell)
{
	const struct cmd_keyset_line **sorted =
	    calloc(file->count + 1, sizeof(*sorted));
	struct jw_why why = {"", ""};
	size_t repeated;

	if (sorted == NULL)
		return JW_NO_MEMORY;
	for (size_t i = 0; i < file->count; i++)
		sorted[i] = &file->lines[i];
	qsort(sorted, file->count, sizeof(*sorted), compare);
	repeated = gather_repeated(sorted, file->count);
	for (size_t i = 0; i < repeated; i++) {
		jw_why_set(&why, "%s is there twice", sorted[i]->name);
		mistake(file, tell, sorted[i]->number, &why);
	}
	free(sorted);
	return JW_OK;
}

/* ---- the whole ---- */

static enum jw_err
take_lines(
    struct cmd_keyset_file *file, FILE *in, cmd_keyset_file_mistake_fn *tell)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	long number = 0;
	enum jw_err err = JW_OK;

	while (err == JW_OK && (len = getline(&text, &size, in)) >= 0)
		err = take_line(file, text, (size_t)len, ++number, tell);
	free(text);
	return err;
}

static enum jw_err
unreadable(const struct cmd_keyset_file *file, struct jw_why *why)
{
	jw_why_set(why, "cannot read %s: %s", file->path, strerror(errno));
	return JW_IO;
}

static enum jw_err
judge(const struct cmd_keyset_file *file, struct jw_why *why)
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
cmd_keyset_file_read(const char *path, cmd_keyset_file_mistake_fn *tell,
    struct cmd_keyset_file *ret_file, struct jw_why *why)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	enum jw_err err;

	memset(ret_file, 0, sizeof(*ret_file));
	ret_file->path = is_stdin ? "standard input" : path;
	if (in == NULL)
		return unreadable(ret_file, why);
	err = take_lines(ret_file, in, tell);
	if (err == JW_OK && ferror(in))
		err = unreadable(ret_file, why);
	if (!is_stdin)
		fclose(in);
	if (err == JW_OK)
		err = check_names(ret_file, tell);
	return err == JW_OK ? judge(ret_file, why) : err;
}

void
cmd_keyset_file_done(struct cmd_keyset_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		line_done(&file->lines[i]);
	free(file->lines);
}
