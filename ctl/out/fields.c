/*
 * Members of a reply as labelled lines.  The strings are fit for a terminal
 * already.
 */
#include "ctl/out/fields.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/out/text.h"
#include "ctl/reply/members.h"

void
out_field(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("%-11s", label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static enum jw_err
print_string(const struct out_text *text, const struct out_field *row,
    const json_t *object, struct jw_why *why)
{
	char state[TEXT_STATE_SIZE];
	const char *value;
	enum jw_err err = reply_string(object, row->member, &value, why);

	if (err == JW_OK && value != NULL)
		out_field(row->label, "%s",
		    row->type == FIELD_STATE
			? out_text_state(text, value, state)
			: value);
	return err;
}

static enum jw_err
print_number(const struct out_text *text, const struct out_field *row,
    const json_t *object, struct jw_why *why)
{
	char when[TEXT_TIME_SIZE];
	int64_t value;
	enum jw_err err = reply_number(object, row->member, &value, why);

	if (err != JW_OK || value == REPLY_NONE)
		return err;
	if (row->type == FIELD_NUMBER)
		out_field(row->label, "%" PRId64, value);
	else
		out_field(row->label, "%s",
		    row->type == FIELD_TIME
			? out_text_time(text, value, when)
			: out_text_moment(text, value, when));
	return JW_OK;
}

static enum jw_err
print_yes_no(
    const struct out_field *row, const json_t *object, struct jw_why *why)
{
	bool yes;
	enum jw_err err = reply_bool(object, row->member, &yes, why);

	if (err == JW_OK && json_object_get(object, row->member) != NULL)
		out_field(row->label, "%s", yes ? "yes" : "no");
	return err;
}

static enum jw_err
print_strings(
    const struct out_field *row, const json_t *object, struct jw_why *why)
{
	const json_t *array, *item;
	size_t i;
	enum jw_err err = reply_array(object, row->member, &array, why);

	if (err != JW_OK)
		return err;
	json_array_foreach (array, i, item)
		if (json_is_string(item))
			out_field(row->label, "%s", json_string_value(item));
	return JW_OK;
}

enum jw_err
out_fields(const struct out_text *text, const struct out_field *rows,
    const struct json_t *object, struct jw_why *why)
{
	enum jw_err err = JW_OK;

	for (; err == JW_OK && rows->label != NULL; rows++)
		if (rows->type == FIELD_STRING || rows->type == FIELD_STATE)
			err = print_string(text, rows, object, why);
		else if (rows->type == FIELD_YES_NO)
			err = print_yes_no(rows, object, why);
		else if (rows->type == FIELD_STRINGS)
			err = print_strings(rows, object, why);
		else
			err = print_number(text, rows, object, why);
	return err;
}

void
out_members(const struct json_t *array, const char *member)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		const char *value =
		    json_string_value(json_object_get(item, member));

		if (value != NULL)
			printf("%s\n", value);
	}
}
