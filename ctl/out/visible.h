/*
 * Replies for people.
 */
#ifndef JWKSD_CTL_OUT_VISIBLE_H
#define JWKSD_CTL_OUT_VISIBLE_H

struct json_t;

/*
 * A copy of a reply in which every string is fit for a terminal (flags as for
 * out_text_visible()).  The caller drops it; NULL when memory is short.
 */
struct json_t *out_visible(const struct json_t *reply, unsigned flags);

#endif
