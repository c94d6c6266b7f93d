/*
 * Jansson without a failed allocation: its parser ignores one, and would then
 * leave out a character or a member.
 */
#include <jansson.h>
#include <stdlib.h>

#include "common/base/memory.h"

void
varlink_json_init(void)
{
	json_set_alloc_funcs(jw_alloc, free);
}
