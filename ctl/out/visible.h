/*
 * Replies for people.
 */
#ifndef JWKSD_CTL_OUT_VISIBLE_H
#define JWKSD_CTL_OUT_VISIBLE_H

struct json_t;
struct out_text;

/*
 * A copy of a reply in which every string is fit for a terminal, as
 * out_text_visible() makes it.  The caller drops it.
 */
struct json_t *out_visible(
    const struct out_text *text, const struct json_t *reply);

#endif
