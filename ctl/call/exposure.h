/*
 * Who may be wrong about tokens until when, for people.
 */
#ifndef JWKSD_CTL_CALL_EXPOSURE_H
#define JWKSD_CTL_CALL_EXPOSURE_H

#include <stdio.h>

#include "common/base/err.h"

struct ctl;
struct json_t;

/*
 * Write a reply's member `exposure`, when it is there and says something, to
 * out: a block for each way to be wrong, a line for each class of verifier.
 * JW_PROTOCOL with ctl->why.
 */
enum jw_err call_exposure_print(
    struct ctl *ctl, const struct json_t *reply, FILE *out);

#endif
