/*
 * Every way in which something can fail, declared once.
 *
 * A function that can fail returns enum jw_err; JW_OK is 0.  Each value has a
 * row in one table (err.c): its name on the wire, if it has one, the exit
 * status of a program that fails with it (sysexits.h), and a short text for
 * people.  Nothing here blocks, allocates or logs.
 */
#ifndef JWKSD_COMMON_BASE_ERR_H
#define JWKSD_COMMON_BASE_ERR_H

enum jw_err {
	JW_OK = 0,

	/* org.jwksd.keys.* */
	JW_NO_SUCH_KEY_SET,
	JW_NO_SUCH_KEY,
	JW_AMBIGUOUS_KEY,
	JW_CONFLICT,
	JW_NOT_READY,
	JW_BAD_STATE,
	JW_NO_ACTIVE_KEY,
	JW_BAD_KEY,
	JW_BAD_POLICY,
	JW_BAD_CLAIMS,
	JW_BAD_CONFIG,
	JW_FROZEN,
	JW_NO_SPACE,
	JW_OUTCOME_UNKNOWN,
	JW_STORE_FAILED,
	JW_OVERLOADED,

	/* org.varlink.service.* */
	JW_PERMISSION_DENIED,
	JW_INVALID_PARAMETER,
	JW_METHOD_NOT_FOUND,
	JW_METHOD_NOT_IMPLEMENTED,
	JW_INTERFACE_NOT_FOUND,
	JW_EXPECTED_MORE,

	/* these have no name on the wire */
	JW_NO_MEMORY,
	JW_IO,            /* a system call failed; errno says more */
	JW_PROTOCOL,      /* the peer broke the framing: drop it */
	JW_UNREACHABLE,   /* no daemon behind the socket */
	JW_USAGE,         /* the command line is wrong */
	JW_LOCKED,        /* another daemon has the database open */
	JW_NEWER_SCHEMA,  /* the database was made by a newer jwksd */
	JW_FOREIGN_FILE,  /* the file is some other program's database */
	JW_SYMLINK,       /* the path of the database is a symbolic link */
	JW_DATABASE_GONE, /* a database is missing where one was */
	JW_CORRUPT,       /* the database fails its integrity check */
	JW_BAD_KEK,       /* key-encryption key missing, wrong or readable */
	JW_UNSEAL,        /* a sealed private key does not open */
	JW_BUG,           /* an assumption of ours does not hold */

	JW_ERR_COUNT
};

/* The qualified varlink error, "org.jwksd.keys.Conflict"; NULL without one. */
const char *jw_err_wire(enum jw_err err);

/* The value for a qualified varlink error; JW_PROTOCOL for an unknown one. */
enum jw_err jw_err_from_wire(const char *wire);

/* The exit status of a program that fails with err; 0 for JW_OK. */
int jw_err_exit(enum jw_err err);

/* JW_NO_SPACE, JW_NO_MEMORY or JW_IO for errno after a system call. */
enum jw_err jw_err_errno(int error);

/* A few words for people, lower case, without a full stop. */
const char *jw_err_text(enum jw_err err);

/*
 * Why something failed, in words: one line with the problem and the right
 * value, and a hint where one helps (else empty).  Functions that take one
 * accept NULL, and fill it only on failure.
 */
struct jw_why {
	char text[512];
	char hint[256];
};

/* Both are printf-like, truncate silently and accept why == NULL. */
void jw_why_set(struct jw_why *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void jw_why_hint(struct jw_why *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As jw_why_set(), and returns err. */
enum jw_err jw_fail(enum jw_err err, struct jw_why *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
