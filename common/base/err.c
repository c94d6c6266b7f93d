/*
 * The one table of failures: wire name, exit status, words.
 *
 * Exit statuses are those of sysexits.h.  Each refusal of jwksd to open its
 * database has one that no other refusal to open has, so that a supervisor can
 * tell them apart.  Must never allocate, block or log: it is used when
 * everything else has gone wrong.
 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define KEYS(name) "org.jwksd.keys." name
#define SERVICE(name) "org.varlink.service." name

struct row {
	const char *wire;
	int status;
	const char *text;
};

/* A value that has no row has no text: the unit test looks at each. */
static const struct row rows[] = {
    [JW_OK] = {NULL, EX_OK, "success"},

    [JW_NO_SUCH_KEY_SET] = {KEYS("NoSuchKeySet"), EX_DATAERR,
	"no such key set"},
    [JW_NO_SUCH_KEY] = {KEYS("NoSuchKey"), EX_DATAERR, "no such key"},
    [JW_AMBIGUOUS_KEY] = {KEYS("AmbiguousKey"), EX_DATAERR,
	"several keys begin like that"},
    [JW_CONFLICT] = {KEYS("Conflict"), EX_TEMPFAIL,
	"the key set is not in the expected state"},
    [JW_NOT_READY] = {KEYS("NotReady"), EX_TEMPFAIL, "no standby key is ready"},
    [JW_BAD_STATE] = {KEYS("BadState"), EX_DATAERR,
	"the key is in a state that does not allow it"},
    [JW_NO_ACTIVE_KEY] = {KEYS("NoActiveKey"), EX_TEMPFAIL,
	"the key set has no active key"},
    [JW_BAD_KEY] = {KEYS("BadKey"), EX_DATAERR, "unusable key"},
    [JW_BAD_POLICY] = {KEYS("BadPolicy"), EX_DATAERR,
	"the policy does not hold"},
    [JW_BAD_CLAIMS] = {KEYS("BadClaims"), EX_DATAERR,
	"claims that may not be signed"},
    [JW_BAD_CONFIG] = {KEYS("BadConfig"), EX_CONFIG,
	"mistake in the configuration"},
    [JW_FROZEN] = {KEYS("Frozen"), EX_TEMPFAIL, "rotation is frozen"},
    [JW_NO_SPACE] = {KEYS("NoSpace"), EX_TEMPFAIL, "no space left"},
    [JW_OUTCOME_UNKNOWN] = {KEYS("OutcomeUnknown"), EX_TEMPFAIL,
	"the outcome is unknown; repeat the same request"},
    [JW_STORE_FAILED] = {KEYS("StoreFailed"), EX_IOERR, "the store failed"},
    [JW_OVERLOADED] = {KEYS("Overloaded"), EX_TEMPFAIL,
	"more is asked for than the daemon can do"},

    [JW_PERMISSION_DENIED] = {SERVICE("PermissionDenied"), EX_NOPERM,
	"permission denied"},
    [JW_INVALID_PARAMETER] = {SERVICE("InvalidParameter"), EX_USAGE,
	"invalid parameter"},
    [JW_METHOD_NOT_FOUND] = {SERVICE("MethodNotFound"), EX_USAGE,
	"no such method"},
    [JW_METHOD_NOT_IMPLEMENTED] = {SERVICE("MethodNotImplemented"),
	EX_UNAVAILABLE, "the method is not implemented"},
    [JW_INTERFACE_NOT_FOUND] = {SERVICE("InterfaceNotFound"), EX_USAGE,
	"no such interface"},
    [JW_EXPECTED_MORE] = {SERVICE("ExpectedMore"), EX_USAGE,
	"the method has to be called with more"},

    [JW_NO_MEMORY] = {NULL, EX_OSERR, "out of memory"},
    [JW_IO] = {NULL, EX_IOERR, "input or output failed"},
    [JW_PROTOCOL] = {NULL, EX_PROTOCOL, "the peer broke the protocol"},
    [JW_UNREACHABLE] = {NULL, EX_UNAVAILABLE,
	"no daemon answers on the socket"},
    [JW_USAGE] = {NULL, EX_USAGE, "wrong usage"},
    [JW_LOCKED] = {NULL, EX_TEMPFAIL, "another daemon has the database open"},
    [JW_NEWER_SCHEMA] = {NULL, EX_CONFIG,
	"the database was made by a newer jwksd"},
    [JW_FOREIGN_FILE] = {NULL, EX_DATAERR,
	"the file is not a database of jwksd"},
    [JW_SYMLINK] = {NULL, EX_NOPERM, "the database is a symbolic link"},
    [JW_DATABASE_GONE] = {NULL, EX_NOINPUT,
	"the database that was there is missing"},
    [JW_CORRUPT] = {NULL, EX_PROTOCOL, "the database is damaged"},
    [JW_BAD_KEK] = {NULL, EX_OSFILE, "no usable key-encryption key"},
    [JW_UNSEAL] = {NULL, EX_OSFILE, "a sealed private key does not open"},
    [JW_BUG] = {NULL, EX_SOFTWARE, "internal error"},
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == JW_ERR_COUNT,
    "a row for each value of enum jw_err");

/* A value outside the enum is a bug, and is reported as one. */
static const struct row *
jw_row_of(enum jw_err err)
{
	if ((unsigned)err >= JW_ERR_COUNT)
		return &rows[JW_BUG];
	return &rows[err];
}

const char *
jw_err_wire(enum jw_err err)
{
	return jw_row_of(err)->wire;
}

enum jw_err
jw_err_from_wire(const char *wire)
{
	for (int i = 0; wire != NULL && i < JW_ERR_COUNT; i++)
		if (rows[i].wire != NULL && strcmp(rows[i].wire, wire) == 0)
			return (enum jw_err)i;
	return JW_PROTOCOL;
}

int
jw_err_exit(enum jw_err err)
{
	return jw_row_of(err)->status;
}

enum jw_err
jw_err_errno(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return JW_NO_SPACE;
	return error == ENOMEM ? JW_NO_MEMORY : JW_IO;
}

const char *
jw_err_text(enum jw_err err)
{
	return jw_row_of(err)->text;
}

static void set_why(struct jw_why *why, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
set_why(struct jw_why *why, const char *fmt, va_list args)
{
	if (why != NULL) {
		vsnprintf(why->text, sizeof(why->text), fmt, args);
		why->hint[0] = '\0';
	}
}

void
jw_why_set(struct jw_why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_why(why, fmt, args);
	va_end(args);
}

enum jw_err
jw_fail(enum jw_err err, struct jw_why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_why(why, fmt, args);
	va_end(args);
	return err;
}

void
jw_why_hint(struct jw_why *why, const char *fmt, ...)
{
	va_list args;

	if (why == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(why->hint, sizeof(why->hint), fmt, args);
	va_end(args);
}
