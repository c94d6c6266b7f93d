/*
 * Mistakes of a configuration, for the log and as an error of the interfaces.
 */
#ifndef JWKSD_DAEMON_SETTINGS_MISTAKES_H
#define JWKSD_DAEMON_SETTINGS_MISTAKES_H

#include <stddef.h>

struct json_t;
struct jw_config_error;
struct jw_config_errors;

/* "FILE:LINE: MESSAGE", or the message alone where no line has it. */
void settings_mistakes_format(
    const struct jw_config_error *mistake, char *buf, size_t size);

/* The first 512 octets of a text; one that is not UTF-8 is left out. */
struct json_t *settings_mistakes_text(const char *text);

/*
 * The parameters of BadConfig: the first mistake, and the rest in `others`, as
 * many as fit in a reply.  NULL: there is no mistake.
 */
struct json_t *settings_mistakes_json(const struct jw_config_errors *mistakes);

#endif
