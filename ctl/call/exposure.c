/*
 * Which verifiers may decide wrongly about tokens until when.
 *
 * Only the daemon knows; must never compute a time here.
 */
#include "ctl/call/exposure.h"

#include "ctl/call/context.h"
#include "ctl/reply/reply.h"

static void
print_verifiers(
    const struct ctl *ctl, const char *verifiers, int64_t until, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	fprintf(out, "  %-30s  ", verifiers);
	if (until == REPLY_NONE)
		fputs("not at all\n", out);
	else if (until == 0)
		fputs("until they see a kid that is new to them\n", out);
	else
		fprintf(out, "until %s\n",
		    out_text_moment(&ctl->text, until, when));
}

static void
print_part(const struct ctl *ctl, const char *heading,
    const int64_t until[REPLY_VERIFIERS], FILE *out)
{
	static const char *const verifiers[REPLY_VERIFIERS] = {
	    [REPLY_HONOUR_CACHE_CONTROL] = "honour Cache-Control",
	    [REPLY_POLL_WITHIN_MAX_AGE] = "poll within verifier_max_age",
	    [REPLY_NEVER_EXPIRE] = "never let their copy expire",
	};
	bool any = false;

	for (size_t i = 0; i < REPLY_VERIFIERS; i++)
		any = any || until[i] != REPLY_NONE;
	if (!any)
		return;
	fprintf(out, "%s\n", heading);
	for (size_t i = 0; i < REPLY_VERIFIERS; i++)
		print_verifiers(ctl, verifiers[i], until[i], out);
}

void
call_exposure_print(
    const struct ctl *ctl, const struct reply_exposure *exposure, FILE *out)
{
	print_part(ctl,
	    "Verifiers may accept tokens of the key that is gone, if they",
	    exposure->accept_old_tokens, out);
	print_part(ctl,
	    "Verifiers may reject tokens of the key that signs, if they",
	    exposure->reject_new_tokens, out);
}
