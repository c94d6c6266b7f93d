/*
 * Who may be wrong about tokens until when.
 *
 * One row for each class of verifier; what it may do, and when that ends, is
 * the daemon's word.
 */
#include <jansson.h>
#include <stdbool.h>

#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
#include "ctl/reply/reply.h"

static const struct verifier_class {
	const char *name, *text;
} verifier_classes[] = {
    {"honoursCacheControl", "honour Cache-Control"},
    {"pollsWithinMaxAge", "poll within verifier_max_age"},
    {"neverExpires", "never let their copy expire"},
};

static void
put_class(const struct ctl *ctl, const struct verifier_class *class,
    int64_t until, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	fprintf(out, "  %-30s  ", class->text);
	if (until == REPLY_NONE)
		fputs("not at all\n", out);
	else if (until == 0)
		fputs("until they meet a kid they have never seen\n", out);
	else
		fprintf(out, "until %s\n",
		    out_text_moment(&ctl->text, until, when));
}

/* An object without a single member says that it does not happen. */
static enum jw_err
put_part(struct ctl *ctl, const json_t *exposure, const char *name,
    const char *headline, FILE *out)
{
	enum { CLASSES = sizeof(verifier_classes) / sizeof(*verifier_classes) };
	int64_t until[CLASSES];
	const json_t *part;
	bool any = false;
	enum jw_err err = reply_object(exposure, name, &part, &ctl->why);

	for (size_t i = 0; i < CLASSES && err == JW_OK; i++) {
		err = reply_number(
		    part, verifier_classes[i].name, &until[i], &ctl->why);
		any = any || (err == JW_OK && until[i] != REPLY_NONE);
	}
	if (err != JW_OK || !any)
		return err;
	fprintf(out, "%s\n", headline);
	for (size_t i = 0; i < CLASSES; i++)
		put_class(ctl, &verifier_classes[i], until[i], out);
	return JW_OK;
}

enum jw_err
call_exposure_print(struct ctl *ctl, const struct json_t *reply, FILE *out)
{
	const json_t *exposure;
	enum jw_err err = reply_object(reply, "exposure", &exposure, &ctl->why);

	if (err == JW_OK)
		err = put_part(ctl, exposure, "acceptOldTokens",
		    "Verifiers may accept tokens of the key that is gone, if "
		    "they",
		    out);
	if (err == JW_OK)
		err = put_part(ctl, exposure, "rejectNewTokens",
		    "Verifiers may reject tokens of the key that signs, if "
		    "they",
		    out);
	return err;
}
