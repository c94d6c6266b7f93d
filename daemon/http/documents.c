/*
 * The table of finished documents: two chained hash tables over the same
 * blocks, by app and path for requests and by key set for the keeper.
 *
 * Must never change a document that an answer may still refer to.
 */
#include "daemon/http/documents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/http/resource.h"

enum { BUCKETS_MIN = 16 };

struct http_documents {
	struct http_document **by_path;
	struct http_document **by_key_set;
	size_t buckets; /* a power of two */
	size_t count;
};

/* FNV-1a.  The names are the keeper's: no client chooses what collides. */
static uint64_t
hash_more(uint64_t hash, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3ULL;
	return hash ^ (hash >> 29);
}

static struct http_document **
path_bucket(const struct http_documents *documents, const char *app,
    const char *path, size_t path_len)
{
	uint64_t hash = hash_more(0xcbf29ce484222325ULL, app, strlen(app) + 1);

	hash = hash_more(hash, path, path_len);
	return &documents->by_path[hash & (documents->buckets - 1)];
}

static struct http_document **
key_set_bucket(const struct http_documents *documents, const char *key_set)
{
	uint64_t hash =
	    hash_more(0xcbf29ce484222325ULL, key_set, strlen(key_set));

	return &documents->by_key_set[hash & (documents->buckets - 1)];
}

static const char *
append_text(char **end, const char *data, size_t len)
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
	       strlen(parts->cache_control) + RESOURCE_DATE_SIZE +
	       parts->body_len + 7;
}

struct http_document *
http_document_new(const struct http_document_parts *parts)
{
	struct http_document *d = jw_zalloc(size_of(parts));
	char date[RESOURCE_DATE_SIZE], *end = (char *)(d + 1);

	d->references = 1;
	d->version = parts->version;
	d->last_modified = parts->last_modified;
	d->body_len = (uint32_t)parts->body_len;
	d->key_set = append_text(&end, parts->key_set, strlen(parts->key_set));
	d->app = append_text(&end, parts->app, strlen(parts->app));
	d->path = append_text(&end, parts->path, strlen(parts->path));
	d->etag = append_text(&end, parts->etag, strlen(parts->etag));
	d->cache_control = append_text(
	    &end, parts->cache_control, strlen(parts->cache_control));
	http_resource_date_format(parts->last_modified, date);
	d->modified_text = append_text(&end, date, strlen(date));
	d->body = append_text(&end, parts->body, parts->body_len);
	assert(end <= (char *)d + size_of(parts));
	return d;
}

struct http_document *
http_document_copy(const struct http_document *document)
{
	return http_document_new(&(const struct http_document_parts){
	    .key_set = document->key_set,
	    .app = document->app,
	    .path = document->path,
	    .body = document->body,
	    .body_len = document->body_len,
	    .etag = document->etag,
	    .cache_control = document->cache_control,
	    .last_modified = document->last_modified,
	    .version = document->version,
	});
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
	struct http_document **path, **key_set;

	path = path_bucket(documents, d->app, d->path, strlen(d->path));
	key_set = key_set_bucket(documents, d->key_set);
	d->next_by_path = *path;
	*path = d;
	d->next_by_key_set = *key_set;
	*key_set = d;
	documents->count++;
}

static struct http_documents
empty_table(size_t buckets)
{
	return (struct http_documents){
	    .by_path = jw_zalloc(buckets * sizeof(struct http_document *)),
	    .by_key_set = jw_zalloc(buckets * sizeof(struct http_document *)),
	    .buckets = buckets,
	};
}

static void
grow(struct http_documents *documents)
{
	struct http_documents old = *documents;
	struct http_document *d, *next;

	*documents = empty_table(old.buckets * 2);
	for (size_t i = 0; i < old.buckets; i++) {
		for (d = old.by_path[i]; d; d = next) {
			next = d->next_by_path;
			link_in(documents, d);
		}
	}
	assert(documents->count == old.count);
	free(old.by_path);
	free(old.by_key_set);
}

struct http_documents *
http_documents_new(void)
{
	struct http_documents *documents = jw_alloc(sizeof(*documents));

	*documents = empty_table(BUCKETS_MIN);
	return documents;
}

void
http_documents_free(struct http_documents *documents)
{
	struct http_document *d, *next;

	if (documents == NULL)
		return;
	for (size_t i = 0; i < documents->buckets; i++) {
		for (d = documents->by_path[i]; d; d = next) {
			next = d->next_by_path;
			http_document_unref(d);
		}
	}
	free(documents->by_path);
	free(documents->by_key_set);
	free(documents);
}

static void
drop(struct http_documents *documents, struct http_document *gone)
{
	struct http_document **at;

	if (gone == NULL)
		return;
	at = path_bucket(documents, gone->app, gone->path, strlen(gone->path));
	while (*at != gone)
		at = &(*at)->next_by_path;
	*at = gone->next_by_path;
	at = key_set_bucket(documents, gone->key_set);
	while (*at != gone)
		at = &(*at)->next_by_key_set;
	*at = gone->next_by_key_set;
	assert(documents->count > 0);
	documents->count--;
	http_document_unref(gone);
}

void
http_documents_put(
    struct http_documents *documents, struct http_document *document)
{
	http_documents_remove(documents, document->key_set);
	drop(documents, http_documents_find(documents, document->app,
			    document->path, strlen(document->path)));
	if (documents->count >= documents->buckets)
		grow(documents);
	link_in(documents, document);
}

void
http_documents_remove(struct http_documents *documents, const char *key_set)
{
	drop(documents, http_documents_of(documents, key_set));
}

struct http_document *
http_documents_of(const struct http_documents *documents, const char *key_set)
{
	struct http_document *d = *key_set_bucket(documents, key_set);

	while (d != NULL && strcmp(d->key_set, key_set) != 0)
		d = d->next_by_key_set;
	return d;
}

struct http_document *
http_documents_find(const struct http_documents *documents, const char *app,
    const char *path, size_t path_len)
{
	struct http_document *d = *path_bucket(documents, app, path, path_len);

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
