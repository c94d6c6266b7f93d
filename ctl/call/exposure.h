/*
 * Which verifiers may decide wrongly about tokens until when, for people.
 */
#ifndef JWKSD_CTL_CALL_EXPOSURE_H
#define JWKSD_CTL_CALL_EXPOSURE_H

#include <stdio.h>

struct ctl;
struct reply_exposure;

/*
 * A block for each way to be wrong that can happen, with a line for each class
 * of verifier.
 */
void call_exposure_print(
    const struct ctl *ctl, const struct reply_exposure *exposure, FILE *out);

#endif
