/*
 * The table of documents, and their copies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/http/documents.h"

static const struct http_document_parts sound = {
    .key_set = "a",
    .app = "a",
    .path = "/p",
    .body = "{}",
    .body_len = 2,
    .etag = "\"e\"",
    .cache_control = "public",
    .last_modified = 784111777,
    .version = 3,
};

static struct http_document *
make(const char *key_set, const char *app, const char *path, int64_t version)
{
	struct http_document_parts parts = sound;

	parts.key_set = key_set;
	parts.app = app;
	parts.path = path;
	parts.version = version;
	return http_document_new(&parts);
}

static struct http_document *
find(const struct http_documents *documents, const char *app, const char *path)
{
	return http_documents_find(documents, app, path, strlen(path));
}

static void
test_document(void **state)
{
	struct http_document *document = make("k", "a", "/p", 3), *copy;

	(void)state;
	assert_string_equal(document->key_set, "k");
	assert_string_equal(document->etag, "\"e\"");
	assert_string_equal(document->cache_control, "public");
	assert_string_equal(
	    document->modified_text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(document->body_len, 2);
	assert_memory_equal(document->body, "{}", 2);
	copy = http_document_copy(document);
	http_document_unref(document);
	assert_string_equal(copy->path, "/p");
	assert_string_equal(copy->key_set, "k");
	assert_string_equal(copy->app, "a");
	assert_string_equal(copy->etag, "\"e\"");
	assert_string_equal(copy->cache_control, "public");
	assert_int_equal(copy->last_modified, 784111777);
	assert_int_equal(copy->version, 3);
	assert_memory_equal(copy->body, "{}", 2);
	http_document_unref(copy);
}

static void
test_table(void **state)
{
	struct http_documents *documents = http_documents_new();

	(void)state;
	assert_null(find(documents, "a", "/p"));
	http_documents_put(documents, make("a", "a", "/p", 1));
	http_documents_put(documents, make("a/n", "a", "/n", 1));
	http_documents_put(documents, make("b", "b", "/p", 1));
	assert_int_equal(http_documents_count(documents), 3);
	assert_string_equal(http_documents_of(documents, "a/n")->path, "/n");
	assert_null(http_documents_of(documents, "n"));
	assert_string_equal(find(documents, "a", "/n")->key_set, "a/n");
	assert_string_equal(find(documents, "b", "/p")->key_set, "b");
	assert_null(find(documents, "b", "/n"));
	assert_null(find(documents, "ap", "/"));
	http_documents_put(documents, make("a", "a", "/p", 2));
	assert_int_equal(find(documents, "a", "/p")->version, 2);
	assert_int_equal(http_documents_count(documents), 3);
	http_documents_remove(documents, "a");
	http_documents_remove(documents, "a");
	assert_null(find(documents, "a", "/p"));
	assert_int_equal(http_documents_count(documents), 2);
	http_documents_free(documents);
	http_documents_free(NULL);
}

static void
test_moves(void **state)
{
	struct http_documents *documents = http_documents_new();

	(void)state;
	http_documents_put(documents, make("a", "a", "/p", 1));
	http_documents_put(documents, make("a", "a", "/q", 2));
	assert_null(find(documents, "a", "/p"));
	/* another key set takes the same place */
	http_documents_put(documents, make("b", "a", "/q", 1));
	assert_string_equal(find(documents, "a", "/q")->key_set, "b");
	assert_int_equal(http_documents_count(documents), 1);
	http_documents_remove(documents, "a");
	assert_int_equal(http_documents_count(documents), 1);
	http_documents_free(documents);
}

static void
test_reference_outlives_table(void **state)
{
	struct http_documents *documents = http_documents_new();
	struct http_document *document;

	(void)state;
	http_documents_put(documents, make("a", "a", "/p", 1));
	document = http_document_ref(find(documents, "a", "/p"));
	http_documents_put(documents, make("a", "a", "/p", 2));
	http_documents_free(documents);
	assert_int_equal(document->version, 1);
	assert_memory_equal(document->body, "{}", 2);
	http_document_unref(document);
	http_document_unref(NULL);
}

static void
test_many(void **state)
{
	struct http_documents *documents = http_documents_new();
	char name[16];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		http_documents_put(documents, make(name, name, "/p", i));
	}
	for (int i = 0; i < 10000; i += 2) {
		snprintf(name, sizeof(name), "n%d", i);
		http_documents_remove(documents, name);
	}
	assert_int_equal(http_documents_count(documents), 5000);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		if (i % 2 == 0)
			assert_null(find(documents, name, "/p"));
		else
			assert_int_equal(
			    find(documents, name, "/p")->version, i);
	}
	http_documents_free(documents);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_document),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_reference_outlives_table),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
