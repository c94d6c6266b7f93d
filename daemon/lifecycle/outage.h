/*
 * Was the set servable all the time?  Pure: called when fronts begin and stop
 * serving, it says when an outage has ended.  Its memory over a restart of the
 * keeper is one line of text.
 *
 * An outage is a time in which verifiers could not read the set again.  No
 * outage: the keeper restarts while its front serves on (the front says since
 * when); a front restarts within seconds behind a listener that stays open
 * (connections wait in its backlog).
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_OUTAGE_H
#define JWKSD_DAEMON_LIFECYCLE_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SERVABLE_REFUSED =
	    -1, /* in place of a time: connections of clients were refused */
	SERVABLE_GRACE = 10, /* seconds that a backlog may wait */
	SERVABLE_TEXT_SIZE = 64,
};

struct lc_outage {
	int64_t since;  /* a front has been serving since then; 0: never did */
	int64_t until;  /* the last time at which it is known to have served */
	bool serving;   /* now */
	bool clean;     /* the end at `until` was noticed, not guessed */
	bool listening; /* the listener stayed open after that end */
};

/*
 * A front has read every document, and serves them from now on. reported: since
 * when it says it has been serving without a gap; 0: it is new;
 * SERVABLE_REFUSED: it is new, and connections were refused before.  Returns
 * when an outage ended (rounded up); 0: there was none.
 */
int64_t lc_outage_begin(
    struct lc_outage *servable, int64_t now, int64_t reported);

/* No front serves any more. listening: another process holds the listener
 * open. */
void lc_outage_end(struct lc_outage *servable, int64_t now, bool listening);

/* SERVABLE_TEXT_SIZE octets; and back (false: makes no sense). */
void lc_outage_format(const struct lc_outage *servable, char *ret_text);
bool lc_outage_parse(const char *text, struct lc_outage *ret_servable);

#endif
