/*
 * base64url without padding (RFC 7515 section 2).  Must never take a text that
 * another encoder would have written differently.
 */
#include "common/base/base64url.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

const char jw_base64url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";

size_t
jw_base64url_size(size_t len)
{
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* 1 in each octet of those of values, all below 64, that is at least this. */
static uint64_t
at_least(uint64_t values, unsigned least)
{
	return (values + EACH(128 - least)) >> 7 & EACH(1);
}

/*
 * The characters for 48 bits, the first one on top, without a look into the
 * alphabet: of a token's octets nearly all come through here.
 */
static uint64_t
eight_characters(uint64_t bits)
{
	uint64_t v = (bits & 0xffffff000000) << 8 | (bits & 0xffffff);

	v = (v & 0x00fff00000fff000) << 4 | (v & 0x00000fff00000fff);
	v = (v & 0x0fc00fc00fc00fc0) << 2 | (v & 0x003f003f003f003f);
	/* Each octet ends as a character: none carries into the next. */
	return v + EACH('A') + at_least(v, 26) * ('a' - 'A' - 26) -
	       at_least(v, 52) * ('a' + 26 - '0') -
	       at_least(v, 62) * ('0' + 10 - '-') +
	       at_least(v, 63) * ('_' - '-' - 1);
}

size_t
jw_base64url_write(const void *octets, size_t len, char *text)
{
	const uint8_t *data = octets;
	char *at = text;
	uint64_t word;
	uint32_t bits;
	size_t i;

	/* Eight octets are looked at, six taken. */
	for (i = 0; i + sizeof(word) <= len; i += 6, at += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		word = htobe64(eight_characters(be64toh(word) >> 16));
		memcpy(at, &word, sizeof(word));
	}
	for (; i + 2 < len; i += 3) {
		bits = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 |
		       data[i + 2];
		*at++ = jw_base64url_alphabet[bits >> 18];
		*at++ = jw_base64url_alphabet[bits >> 12 & 63];
		*at++ = jw_base64url_alphabet[bits >> 6 & 63];
		*at++ = jw_base64url_alphabet[bits & 63];
	}
	if (i == len)
		return (size_t)(at - text);
	bits = (uint32_t)data[i] << 16;
	if (i + 1 < len)
		bits |= (uint32_t)data[i + 1] << 8;
	*at++ = jw_base64url_alphabet[bits >> 18];
	*at++ = jw_base64url_alphabet[bits >> 12 & 63];
	if (i + 1 < len)
		*at++ = jw_base64url_alphabet[bits >> 6 & 63];
	return (size_t)(at - text);
}

size_t
jw_base64url_decoded_size(size_t len)
{
	return len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1);
}

int
jw_base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

bool
jw_base64url_read(const char *text, size_t len, void *octets)
{
	uint8_t *data = octets;
	uint32_t bits = 0;
	int have = 0;

	if (len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		int value = jw_base64url_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*data++ = (uint8_t)(bits >> have);
		}
	}
	/* Two texts for the same octets would be two names for one key. */
	return (bits & ((1U << have) - 1)) == 0;
}

char *
jw_base64url(const void *data, size_t len)
{
	char *text = jw_alloc(jw_base64url_size(len) + 1);

	text[jw_base64url_write(data, len, text)] = '\0';
	return text;
}

enum jw_err
jw_base64url_decode(
    const char *text, size_t len, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data = jw_alloc(jw_base64url_decoded_size(len) + 1);

	if (!jw_base64url_read(text, len, data)) {
		explicit_bzero(data, jw_base64url_decoded_size(len) + 1);
		free(data);
		return JW_INVALID_PARAMETER;
	}
	data[jw_base64url_decoded_size(len)] = '\0';
	*ret_data = data;
	*ret_len = jw_base64url_decoded_size(len);
	return JW_OK;
}
