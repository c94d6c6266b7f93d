/*
 * Words that may stand at the cursor, for the completion of shells.
 */
#ifndef JWKSD_CTL_COMPLETE_H
#define JWKSD_CTL_COMPLETE_H

struct ctl;

/* The hidden command that shells call: jwksctl __complete WORD... */
#define COMPLETE_COMMAND "__complete"

/*
 * Print the candidates for the last word of argv, one a line: WORD, a tab, its
 * meaning.  argv[0] is no word of the line; the last word may be "".  Asks the
 * daemon for names of its own, and prints none when it does not answer.
 */
void ctl_complete(struct ctl *ctl, int argc, char *const argv[]);

#endif
