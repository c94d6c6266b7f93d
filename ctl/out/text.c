/*
 * Times, colours and text for people.
 *
 * Text of the daemon may come from another client of it: must never reach a
 * terminal but through out_text_visible().
 */
#include "ctl/out/text.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/duration.h"
#include "common/base/memory.h"

enum { VISIBLE_MAX = 10 }; /* "\u10ffff" is the longest replacement */

static int
terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static bool
colour_wanted(void)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no != NULL && *no != '\0')
		return false;
	return term != NULL && strcmp(term, "dumb") != 0;
}

void
out_text_init(struct out_text *ret_text)
{
	ret_text->times = TEXT_RELATIVE;
	ret_text->width = terminal_width();
	ret_text->colour = ret_text->width > 0 && colour_wanted();
	ret_text->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	ret_text->now = jw_clock_wall_s();
}

bool
out_text_times_parse(const char *word, enum out_text_times *ret_times)
{
	static const char *const words[] = {
	    [TEXT_RELATIVE] = "relative",
	    [TEXT_ISO] = "iso",
	    [TEXT_UNIX] = "unix",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_times = (enum out_text_times)i;
			return true;
		}
	}
	return false;
}

char *
out_text_time(const struct out_text *text, int64_t when, char *buf)
{
	if (text->times == TEXT_RELATIVE)
		return jw_time_format_relative(when, text->now, buf);
	if (text->times == TEXT_ISO)
		return jw_time_format(when, buf);
	snprintf(buf, TEXT_TIME_SIZE, "%lld", (long long)when);
	return buf;
}

char *
out_text_moment(const struct out_text *text, int64_t when, char *buf)
{
	char iso[JW_TIME_SIZE], relative[JW_TIME_SIZE];

	if (text->times != TEXT_RELATIVE)
		return out_text_time(text, when, buf);
	snprintf(buf, TEXT_TIME_SIZE, "%s (%s)", jw_time_format(when, iso),
	    jw_time_format_relative(when, text->now, relative));
	return buf;
}

const char *
out_text_state_colour(const struct out_text *text, const char *state)
{
	static const struct {
		const char *state, *sequence;
	} rows[] = {
	    {"pending", "\033[33m"},
	    {"published", "\033[33m"},
	    {"ready", "\033[36m"},
	    {"active", "\033[1;32m"},
	    {"retired", "\033[35m"},
	    {"removed", "\033[2m"},
	    {"revoked", "\033[31m"},
	};

	if (!text->colour)
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(state, rows[i].state) == 0)
			return rows[i].sequence;
	return NULL;
}

char *
out_text_state(const struct out_text *text, const char *state, char *buf)
{
	const char *colour = out_text_state_colour(text, state);

	snprintf(buf, TEXT_STATE_SIZE, "%s%.40s%s",
	    colour != NULL ? colour : "", state,
	    colour != NULL ? "\033[0m" : "");
	return buf;
}

const char *
out_text_arrow(const struct out_text *text)
{
	return text->utf8 ? " \xe2\x86\x92 " : " -> ";
}

/*
 * Decode one character of UTF-8 (RFC 3629); returns its length, 0 when the
 * octets are not UTF-8.  A NUL stops every sequence, so this never reads past
 * it.
 */
static size_t
decode(const unsigned char *s, uint32_t *ret_point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t point;

	if (len == 0)
		return 0;
	point = len == 1 ? s[0] : s[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[len] || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return len;
}

/* Zero width, line separators, direction of writing, byte order mark. */
static bool
is_mark(uint32_t point)
{
	return (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0x61c ||
	       point == 0xfeff || (point >= 0xe0000 && point <= 0xe007f);
}

static bool
is_plain(uint32_t point, unsigned flags)
{
	if (point == '\n' || point == '\t')
		return (flags & TEXT_LINES) != 0;
	if (point < 0x20 || (point >= 0x7f && point < 0xa0))
		return false;
	if (point < 0x7f)
		return true;
	return (flags & TEXT_UTF8) != 0 && !is_mark(point);
}

static size_t
replace(uint32_t point, char *out)
{
	static const char names[][3] = {
	    ['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r"};
	int n;

	if (point < sizeof(names) / sizeof(*names) && names[point][0] != '\0')
		n = snprintf(out, VISIBLE_MAX, "%s", names[point]);
	else if (point < 0x80)
		n = snprintf(out, VISIBLE_MAX, "\\x%02x", (unsigned)point);
	else
		n = snprintf(out, VISIBLE_MAX, "\\u%04x", (unsigned)point);
	return (size_t)n;
}

char *
out_text_visible(const char *s, unsigned flags)
{
	/* Signed char would make every octet above 0x7f negative. */
	const unsigned char *in = (const unsigned char *)s;
	char *result = jw_alloc(strlen(s) * VISIBLE_MAX + 1);
	char *out = result;
	uint32_t point;

	while (*in != '\0') {
		size_t len = decode(in, &point);

		if (len == 0) {
			out += snprintf(out, VISIBLE_MAX, "\\x%02x", *in++);
			continue;
		}
		if (is_plain(point, flags)) {
			memcpy(out, in, len);
			out += len;
		} else {
			out += replace(point, out);
		}
		in += len;
	}
	*out = '\0';
	return result;
}
