/*
 * The consequences of another domain of the HTTP front.  The URL that a domain
 * gives to a key set answered with a key set of the app "default" before, as
 * every Host does that is no app: verifiers may have copies of that one.
 */
#ifndef JWKSD_DAEMON_KEEPER_DOMAIN_H
#define JWKSD_DAEMON_KEEPER_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;
struct lc_exposure;

/* The domain that is in force from now on (NULL: none); kept in the store, and
 * compared with that of the last start. */
void keeper_note_domain(struct keeper *keeper, const char *domain);

/* May any verifier have such a copy now? */
bool keeper_domain_is_new(const struct keeper *keeper, int64_t now);

/* Who may reject the tokens of a key set of that name, and until when, since
 * its URL at the domain is new; false: none. */
bool keeper_expose_url(const struct keeper *keeper, const char *key_set,
    int64_t now, struct lc_exposure *ret_exposure);

/* The same for all key sets: the exposure that ends last. */
bool keeper_expose_urls(
    const struct keeper *keeper, int64_t now, struct lc_exposure *ret_exposure);

/* The same for all key sets, if the domain became another one at `now`. */
bool keeper_expose_domain(
    const struct keeper *keeper, int64_t now, struct lc_exposure *ret_exposure);

#endif
