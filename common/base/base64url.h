/*
 * base64url without padding (RFC 7515 section 2).
 */
#ifndef JWKSD_COMMON_BASE_BASE64URL_H
#define JWKSD_COMMON_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

extern const char jw_base64url_alphabet[]; /* 64 characters and a NUL */
/* What a character stands for; -1: for nothing. */
int jw_base64url_value(char c);

/* NUL-terminated; the caller frees. */
char *jw_base64url(const void *data, size_t len);
/* The length of the text for len octets, without a NUL. */
size_t jw_base64url_size(size_t len);
/* The same text without a NUL, into room of that size; its length. */
size_t jw_base64url_write(const void *data, size_t len, char *text);

/* How many octets a text of len characters stands for. */
size_t jw_base64url_decoded_size(size_t len);
/*
 * Decode into room of that size.  Strict: false for padding, blanks and stray
 * bits.  *data may have been written then.
 */
bool jw_base64url_read(const char *text, size_t len, void *data);
/* The same into new memory, with a NUL behind the data, for the caller to
 * free.  JW_INVALID_PARAMETER. */
enum jw_err jw_base64url_decode(
    const char *text, size_t len, uint8_t **ret_data, size_t *ret_len);

#endif
