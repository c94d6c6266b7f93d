/*
 * Cuts the text of a configuration file into its lines.
 *
 * Must never let a mistake through silently: a value that continues on the
 * next line, a comment behind a value and control bytes are refused, not
 * guessed at.
 */
#include "common/config/reader.h"

#include <string.h>

#define BLANKS " \t"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void
jw_config_reader_init(
    struct jw_config_reader *ret_reader, char *text, size_t len)
{
	*ret_reader = (struct jw_config_reader){.at = text, .end = text + len};
}

static bool
has_control_byte(const char *text, size_t len, struct jw_why *why)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			jw_why_set(why,
			    "octet %zu of the line is the control byte 0x%02x; "
			    "write plain text",
			    i + 1, c);
			return true;
		}
	}
	return false;
}

/* Without the blanks around it. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}

/* The next line without its end, NUL-terminated. */
static char *
cut_line(struct jw_config_reader *reader, size_t *ret_len)
{
	char *text = reader->at;
	char *end = memchr(text, '\n', (size_t)(reader->end - text));

	reader->at = end != NULL ? end + 1 : reader->end;
	if (end == NULL)
		end = reader->end;
	if (end > text && end[-1] == '\r')
		end--;
	*end = '\0';
	if (reader->line++ == 0 &&
	    strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	*ret_len = (size_t)(end - text);
	return text;
}

static void
read_section(char *text, struct jw_config_line *line, struct jw_why *why)
{
	char *close = strchr(text, ']');

	line->is_section = true;
	if (close == NULL) {
		jw_why_set(why, "the section has no ]; write [NAME]");
	} else if (close[1] != '\0') {
		jw_why_set(why,
		    "something stands after the ]; write [NAME] on a line of "
		    "its own");
	} else {
		*close = '\0';
		line->section = text + 1;
	}
}

/* The # or ; with which a comment behind a value would begin, or NULL. */
static const char *
comment_behind(const char *text)
{
	for (text++; *text != '\0'; text++)
		if ((*text == ';' || *text == '#') &&
		    strchr(BLANKS "=", text[-1]) != NULL)
			return text;
	return NULL;
}

static void
read_assignment(char *text, struct jw_config_line *line, struct jw_why *why)
{
	char *equals = text + strcspn(text, "=:");
	const char *comment = comment_behind(text);

	if (*equals == '\0') {
		jw_why_set(why, "there is no =; write NAME = VALUE");
	} else if (*equals == ':') {
		jw_why_set(
		    why, "there is no = before the \":\"; write NAME = VALUE");
	} else if (equals == text) {
		jw_why_set(why, "no name stands before the =");
	} else if (comment != NULL) {
		jw_why_set(why,
		    "\"%c\" begins no comment here; write the comment on a "
		    "line of its own",
		    *comment);
	} else {
		*equals = '\0';
		line->name = trim(text);
		line->value = trim(equals + 1);
	}
}

bool
jw_config_reader_next(struct jw_config_reader *reader,
    struct jw_config_line *ret_line, struct jw_why *why)
{
	char *text;
	size_t len;

	*ret_line = (struct jw_config_line){0};
	while (reader->at < reader->end) {
		text = cut_line(reader, &len);
		if (has_control_byte(text, len, why))
			return true;
		text = trim(text);
		if (strchr("#;", *text) != NULL)
			continue;
		if (*text == '[')
			read_section(text, ret_line, why);
		else
			read_assignment(text, ret_line, why);
		return true;
	}
	return false;
}
