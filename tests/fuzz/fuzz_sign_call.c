/*
 * Any octets as a call of org.jwksd.sign: what the quick reader takes, the
 * parser of all of JSON takes as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "daemon/verbs/sign_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_call parsed;
	struct verbs_sign_call call;

	if (!verbs_sign_call_read((const char *)data, size, &call))
		return 0;
	if (varlink_call_parse((const char *)data, size, &parsed, NULL) !=
	    JW_OK)
		abort();
	if (parsed.fault.what != NULL)
		abort();
	varlink_call_done(&parsed);
	return 0;
}
