/*
 * Output for people.  Here: times, colours, and text from elsewhere that must
 * not reach a terminal as it is.
 */
#ifndef JWKSD_CTL_OUT_TEXT_H
#define JWKSD_CTL_OUT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum out_text_times { TEXT_RELATIVE, TEXT_ISO, TEXT_UNIX };

enum {
	TEXT_TIME_SIZE = 96,  /* room for any time written here */
	TEXT_STATE_SIZE = 64, /* room for any state in its colour */
};

struct out_text {
	enum out_text_times times;
	bool colour;
	bool utf8;   /* the locale shows more than ASCII */
	int width;   /* columns of the terminal; 0: not a terminal */
	int64_t now; /* seconds since the epoch */
};

/*
 * From the environment (NO_COLOR, TERM), the locale, standard output and the
 * clock; relative times.  setlocale() has been called.
 */
void out_text_init(struct out_text *ret_text);

/* "relative", "iso" or "unix"; false for other words. */
bool out_text_times_parse(const char *word, enum out_text_times *ret_times);

/* For a table: "in 25h 1min", "2026-11-23T21:16:29Z" or "1795468589". */
char *out_text_time(const struct out_text *text, int64_t when, char *buf);

/* For a sentence: the same, but "2026-11-23T21:16:29Z (in 1d 1h)". */
char *out_text_moment(const struct out_text *text, int64_t when, char *buf);

/* The escape sequence for a state's colour; NULL for none. */
const char *out_text_state_colour(
    const struct out_text *text, const char *state);

/* A state in its colour; longer ones than any of ours are cut. */
char *out_text_state(const struct out_text *text, const char *state, char *buf);

/* " -> " or, where the locale has it, an arrow. */
const char *out_text_arrow(const struct out_text *text);

enum {
	TEXT_UTF8 = 1 << 0,  /* leave printable UTF-8 alone */
	TEXT_LINES = 1 << 1, /* leave newlines and tabs alone */
};

/*
 * A copy in which nothing can steer a terminal: control characters, C1, marks
 * that change the direction of writing and octets that are not UTF-8 become
 * "\n", "\x1b" or "\u202e"; without TEXT_UTF8 all that is not ASCII does.
 * The caller frees it.
 */
char *out_text_visible(const char *s, unsigned flags);

#endif
