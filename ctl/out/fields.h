/*
 * Members of a reply as labelled lines: "state      active".
 */
#ifndef JWKSD_CTL_OUT_FIELDS_H
#define JWKSD_CTL_OUT_FIELDS_H

#include "common/base/err.h"

struct json_t;
struct out_text;

enum out_field_type {
	FIELD_STRING,
	FIELD_NUMBER,
	FIELD_MOMENT,  /* as out_text_moment() writes it */
	FIELD_TIME,    /* as out_text_time() does */
	FIELD_YES_NO,  /* a boolean */
	FIELD_STATE,   /* of a key, in its colour */
	FIELD_STRINGS, /* a required array: a line for each, all labelled */
};

struct out_field {
	const char *label; /* at most 10 characters; NULL ends a table */
	const char *member;
	enum out_field_type type;
};

/*
 * Print, on standard output, those members that are there, in the order of
 * the table.  JW_PROTOCOL with why for one of another type.
 */
enum jw_err out_fields(const struct out_text *text,
    const struct out_field *rows, const struct json_t *object,
    struct jw_why *why);

/* The strings of that member of each item, one on a line. */
void out_members(const struct json_t *array, const char *member);

/* One such line, printf-like. */
void out_field(const char *label, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
