/*
 * The table of documents, and what may be in one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/http/documents.h"
#include "daemon/http/limits.h"

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
	struct http_document *document = NULL;

	parts.key_set = key_set;
	parts.app = app;
	parts.path = path;
	parts.version = version;
	assert_int_equal(http_document_new(&parts, &document, NULL), JW_OK);
	return document;
}

static struct http_document *
find(const struct http_documents *documents, const char *app, const char *path)
{
	return http_documents_find(documents, app, path, strlen(path));
}

static void
test_document(void **state)
{
	struct http_document *document = make("k", "a", "/p", 3);

	(void)state;
	assert_string_equal(document->key_set, "k");
	assert_string_equal(document->etag, "\"e\"");
	assert_string_equal(document->cache_control, "public");
	assert_string_equal(
	    document->modified_text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(document->body_len, 2);
	assert_memory_equal(document->body, "{}", 2);
	http_document_unref(document);
}

static void
test_refused(void **state)
{
	static const char *const etags[] = {
	    "", "e", "\"", "\"\"", "\"e", "\"a\"b\"", "\"\n\"", "W/\"e\""};
	struct http_document_parts parts[9];
	struct http_document *document = NULL;
	char large[LIMIT_BODY_BYTES + 1] = {0};
	struct jw_why why;
	size_t i;

	(void)state;
	for (i = 0; i < 9; i++)
		parts[i] = sound;
	parts[0].key_set = "";
	parts[1].app = "";
	parts[2].path = "p";
	parts[3].body_len = 0;
	parts[4].body = large;
	parts[4].body_len = sizeof(large);
	parts[5].cache_control = "a\r\nb: c";
	parts[6].cache_control = "a\x7f";
	for (i = 0; i < 7; i++) {
		why.text[0] = '\0';
		assert_int_equal(http_document_new(&parts[i], &document, &why),
		    JW_INVALID_PARAMETER);
		assert_int_not_equal(why.text[0], '\0');
	}
	for (i = 0; i < sizeof(etags) / sizeof(etags[0]); i++) {
		parts[7].etag = etags[i];
		assert_int_equal(http_document_new(&parts[7], &document, NULL),
		    JW_INVALID_PARAMETER);
	}
	parts[8].body = large;
	parts[8].body_len = LIMIT_BODY_BYTES;
	assert_int_equal(http_document_new(&parts[8], &document, NULL), JW_OK);
	http_document_unref(document);
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
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		http_documents_put(documents, make(name, name, "/p", i));
	}
	for (i = 0; i < 10000; i += 2) {
		snprintf(name, sizeof(name), "n%d", i);
		http_documents_remove(documents, name);
	}
	assert_int_equal(http_documents_count(documents), 5000);
	for (i = 0; i < 10000; i++) {
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
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_reference_outlives_table),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
