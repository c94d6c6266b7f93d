/*
 * What may stand where the cursor is, for the completion of shells.
 */
#ifndef JWKSD_CTL_COMPLETE_H
#define JWKSD_CTL_COMPLETE_H

#include <stddef.h>

struct ctl;

/* The hidden command that shells call: jwksctl __complete WORD... */
#define COMPLETE_COMMAND "__complete"

/*
 * Print the candidates for the last of the words (those behind the program's
 * name; the last may be ""), one a line: WORD, a tab, what it is.  Asks the
 * daemon where names of its own are wanted, and says nothing when it does not
 * answer.
 */
void ctl_complete(struct ctl *ctl, const char *const *words, size_t count);

#endif
