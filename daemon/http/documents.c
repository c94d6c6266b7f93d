/*
 * The table of finished documents: two chained hash tables over the same
 * blocks, by app and path for requests and by key set for the keeper.
 *
 * Must never change a document that an answer may still refer to, and never
 * take in octets that would break a header line.
 */
#include "daemon/http/documents.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/http/limits.h"
#include "daemon/http/resource.h"

enum { BUCKETS_MIN = 16 };

struct http_documents {
	struct http_document **by_path;
	struct http_document **by_key_set;
	size_t buckets; /* a power of two */
	size_t count;
};

/* FNV-1a.  The names are the keeper's, not a client's. */
static uint64_t
hash_more(uint64_t hash, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3ULL;
	return hash ^ (hash >> 29);
}

static uint64_t
hash_path(const char *app, const char *path, size_t path_len)
{
	uint64_t hash;

	hash = hash_more(0xcbf29ce484222325ULL, app, strlen(app) + 1);
	return hash_more(hash, path, path_len);
}

static uint64_t
hash_key_set(const char *key_set)
{
	return hash_more(0xcbf29ce484222325ULL, key_set, strlen(key_set));
}

static bool
is_header_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static bool
is_etag(const char *etag)
{
	size_t len = strlen(etag);

	return len >= 3 && etag[0] == '"' && etag[len - 1] == '"' &&
	       strchr(etag + 1, '"') == etag + len - 1 && is_header_text(etag);
}

static enum jw_err
check(const struct http_document_parts *parts, struct jw_why *why)
{
	const char *fault = NULL;

	if (parts->key_set[0] == '\0' || parts->app[0] == '\0')
		fault = "its key set and app need a name";
	else if (parts->path[0] != '/')
		fault = "its path must begin with /";
	else if (parts->body_len == 0 || parts->body_len > LIMIT_BODY_BYTES)
		fault = "its body must have 1 to 16384 octets";
	else if (!is_etag(parts->etag))
		fault = "its etag must be a quoted string";
	else if (!is_header_text(parts->cache_control))
		fault = "its cacheControl must be a header value";
	if (fault == NULL)
		return JW_OK;
	jw_why_set(why, "a document of the keeper is unusable: %s", fault);
	return JW_INVALID_PARAMETER;
}

static const char *
http_append(char **end, const char *data, size_t len)
{
	char *at = *end;

	memcpy(at, data, len);
	at[len] = '\0';
	*end = at + len + 1;
	return at;
}

static size_t
size_of(const struct http_document_parts *parts)
{
	return sizeof(struct http_document) + strlen(parts->key_set) +
	       strlen(parts->app) + strlen(parts->path) + strlen(parts->etag) +
	       strlen(parts->cache_control) + ROUTE_DATE_SIZE +
	       parts->body_len + 7;
}

enum jw_err
http_document_new(const struct http_document_parts *parts,
    struct http_document **ret_document, struct jw_why *why)
{
	struct http_document *d;
	char date[ROUTE_DATE_SIZE], *end;
	enum jw_err err = check(parts, why);

	if (err != JW_OK)
		return err;
	d = jw_alloc(size_of(parts));
	end = (char *)(d + 1);
	memset(d, 0, sizeof(*d));
	d->references = 1;
	d->version = parts->version;
	d->last_modified = parts->last_modified;
	d->body_len = (uint32_t)parts->body_len;
	d->key_set = http_append(&end, parts->key_set, strlen(parts->key_set));
	d->app = http_append(&end, parts->app, strlen(parts->app));
	d->path = http_append(&end, parts->path, strlen(parts->path));
	d->etag = http_append(&end, parts->etag, strlen(parts->etag));
	d->cache_control = http_append(
	    &end, parts->cache_control, strlen(parts->cache_control));
	http_resource_date_format(parts->last_modified, date);
	d->modified_text = http_append(&end, date, strlen(date));
	d->body = http_append(&end, parts->body, parts->body_len);
	*ret_document = d;
	return JW_OK;
}

struct http_document *
http_document_ref(struct http_document *document)
{
	document->references++;
	return document;
}

void
http_document_unref(struct http_document *document)
{
	if (document != NULL && --document->references == 0)
		free(document);
}

static void
link_in(struct http_documents *documents, struct http_document *d)
{
	size_t mask = documents->buckets - 1;
	struct http_document **path, **key_set;

	path =
	    &documents
		 ->by_path[hash_path(d->app, d->path, strlen(d->path)) & mask];
	key_set = &documents->by_key_set[hash_key_set(d->key_set) & mask];
	d->next_by_path = *path;
	*path = d;
	d->next_by_key_set = *key_set;
	*key_set = d;
}

static bool
set_buckets(struct http_documents *documents, size_t buckets)
{
	struct http_document **by_path, **by_key_set;

	by_path = calloc(buckets, sizeof(struct http_document *));
	by_key_set = calloc(buckets, sizeof(struct http_document *));
	if (by_path == NULL || by_key_set == NULL) {
		free(by_path);
		free(by_key_set);
		return false;
	}
	free(documents->by_path);
	free(documents->by_key_set);
	documents->by_path = by_path;
	documents->by_key_set = by_key_set;
	documents->buckets = buckets;
	return true;
}

/* Longer chains are all that a failure costs. */
static void
grow(struct http_documents *documents)
{
	struct http_documents old = *documents;
	struct http_document *d, *next;
	size_t i;

	documents->by_path = NULL;
	documents->by_key_set = NULL;
	if (!set_buckets(documents, old.buckets * 2)) {
		*documents = old;
		return;
	}
	for (i = 0; i < old.buckets; i++) {
		for (d = old.by_path[i]; d; d = next) {
			next = d->next_by_path;
			link_in(documents, d);
		}
	}
	free(old.by_path);
	free(old.by_key_set);
}

struct http_documents *
http_documents_new(void)
{
	struct http_documents *documents = calloc(1, sizeof(*documents));

	if (documents != NULL && !set_buckets(documents, BUCKETS_MIN)) {
		free(documents);
		documents = NULL;
	}
	return documents;
}

void
http_documents_free(struct http_documents *documents)
{
	struct http_document *d, *next;
	size_t i;

	if (documents == NULL)
		return;
	for (i = 0; i < documents->buckets; i++) {
		for (d = documents->by_path[i]; d; d = next) {
			next = d->next_by_path;
			http_document_unref(d);
		}
	}
	free(documents->by_path);
	free(documents->by_key_set);
	free(documents);
}

/* The table's reference is the caller's then. */
static void
unlink_out(struct http_documents *documents, struct http_document *gone)
{
	size_t mask = documents->buckets - 1;
	struct http_document **at;

	at = &documents->by_path[hash_path(gone->app, gone->path,
				     strlen(gone->path)) &
				 mask];
	while (*at != gone)
		at = &(*at)->next_by_path;
	*at = gone->next_by_path;
	at = &documents->by_key_set[hash_key_set(gone->key_set) & mask];
	while (*at != gone)
		at = &(*at)->next_by_key_set;
	*at = gone->next_by_key_set;
	documents->count--;
}

void
http_documents_put(
    struct http_documents *documents, struct http_document *document)
{
	struct http_document *other;

	http_documents_remove(documents, document->key_set);
	other = http_documents_find(
	    documents, document->app, document->path, strlen(document->path));
	if (other != NULL) {
		unlink_out(documents, other);
		http_document_unref(other);
	}
	if (documents->count >= documents->buckets)
		grow(documents);
	link_in(documents, document);
	documents->count++;
}

static struct http_document *
find_key_set(const struct http_documents *documents, const char *key_set)
{
	struct http_document *d;

	d = documents
		->by_key_set[hash_key_set(key_set) & (documents->buckets - 1)];
	while (d != NULL && strcmp(d->key_set, key_set) != 0)
		d = d->next_by_key_set;
	return d;
}

struct http_document *
http_documents_take(struct http_documents *documents, const char *key_set)
{
	struct http_document *d = find_key_set(documents, key_set);

	if (d != NULL)
		unlink_out(documents, d);
	return d;
}

void
http_documents_remove(struct http_documents *documents, const char *key_set)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): unlinked by then */
	http_document_unref(http_documents_take(documents, key_set));
}

bool
http_documents_has(const struct http_documents *documents, const char *key_set)
{
	return find_key_set(documents, key_set) != NULL;
}

struct http_document *
http_documents_find(const struct http_documents *documents, const char *app,
    const char *path, size_t path_len)
{
	struct http_document *d;

	d = documents->by_path[hash_path(app, path, path_len) &
			       (documents->buckets - 1)];
	for (; d; d = d->next_by_path) {
		if (strlen(d->path) == path_len &&
		    memcmp(d->path, path, path_len) == 0 &&
		    strcmp(d->app, app) == 0)
			return d;
	}
	return NULL;
}

size_t
http_documents_count(const struct http_documents *documents)
{
	return documents->count;
}
