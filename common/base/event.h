/*
 * The kinds of event that a log speaks of, each with an id for ever: the
 * journal's MESSAGE_ID, by which its catalog explains the event.
 *
 * To add one: a row here and in event.c, and its entry in
 * packaging/systemd/jwksd.catalog; a test holds the three together.
 */
#ifndef JWKSD_COMMON_BASE_EVENT_H
#define JWKSD_COMMON_BASE_EVENT_H

enum jw_event {
	JW_EVENT_NONE, /* an ordinary line */

	/* of the daemon */
	JW_EVENT_REFUSED_TO_START,
	JW_EVENT_DEGRADED,
	JW_EVENT_READY,
	JW_EVENT_STOPPING,
	JW_EVENT_RELOADED,
	JW_EVENT_BAD_CONFIG,
	JW_EVENT_STORE_FAILED,
	JW_EVENT_KEY_PAIR_FAILED,
	JW_EVENT_NOT_PUBLISHED,
	JW_EVENT_CLOCK_JUMPED,
	JW_EVENT_CLOCK_TRUSTED,
	JW_EVENT_OUTAGE,
	JW_EVENT_FROZEN,
	JW_EVENT_THAWED,

	/* of a generation: its new state */
	JW_EVENT_CREATED,
	JW_EVENT_PUBLISHED,
	JW_EVENT_STANDBY_READY,
	JW_EVENT_ACTIVATED,
	JW_EVENT_RETIRED,
	JW_EVENT_REMOVED,
	JW_EVENT_REVOKED,

	JW_EVENT_COUNT
};

/* 32 hexadecimal digits; NULL for JW_EVENT_NONE. */
const char *jw_event_id(enum jw_event event);

#endif
