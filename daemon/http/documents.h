/*
 * Finished documents in memory, found by app and path.  A table is plain
 * data; one document is one block of memory and is never changed: answers in
 * flight keep theirs by a reference.
 */
#ifndef JWKSD_HTTP_DOCUMENTS_H
#define JWKSD_HTTP_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a document is made from; all strings are copied.  They come from the
 * keeper and are not checked. */
struct http_document_parts {
	const char *key_set;
	const char *app;
	const char *path;
	const char *body;
	size_t body_len;
	const char *etag; /* with its quotes */
	const char *cache_control;
	int64_t last_modified;
	int64_t version;
};

struct http_document {
	struct http_document *next_by_path;
	struct http_document *next_by_key_set;
	int64_t last_modified;
	int64_t version;
	const char *app;
	const char *path;
	const char *key_set;
	const char *etag;
	const char *cache_control;
	const char *modified_text; /* of the header line */
	const char *body;
	uint32_t body_len;
	uint32_t references;
};

/* Ends the process when memory is short, as everything here does. */
struct http_document *http_document_new(
    const struct http_document_parts *parts);
struct http_document *http_document_copy(const struct http_document *document);
struct http_document *http_document_ref(struct http_document *document);
void http_document_unref(struct http_document *document);

struct http_documents;

struct http_documents *http_documents_new(void);
void http_documents_free(struct http_documents *documents);

/*
 * Put a document in place of its key set's former one and of any other at
 * the same app and path.  Takes over the caller's reference.
 */
void http_documents_put(
    struct http_documents *documents, struct http_document *document);
/* Nothing happens for a key set without a document. */
void http_documents_remove(
    struct http_documents *documents, const char *key_set);
/* Of a key set, and at a path of an app.  NULL: none.  The table's own
 * reference. */
struct http_document *http_documents_of(
    const struct http_documents *documents, const char *key_set);
struct http_document *http_documents_find(
    const struct http_documents *documents, const char *app, const char *path,
    size_t path_len);
size_t http_documents_count(const struct http_documents *documents);

#endif
