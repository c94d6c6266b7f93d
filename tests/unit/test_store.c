/*
 * daemon/store: what is committed comes back, what is refused is left as it
 * was, and a failing disk loses nothing that was acknowledged.  fdatasync()
 * here stands before the C library's, so that a commit can fail on purpose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/refusal.h"
#include "daemon/store/sql_text.h"
#include "daemon/store/store.h"
#include "tests/unit/place.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1800000000)
#define JWK "{\"kty\":\"OKP\"}"

/* ---- faults ---- */

static int failing_syncs;
static int passing_syncs;  /* before those */
static size_t own_pwrites; /* octets that SQLite did not write */

int
fdatasync(int fd)
{
	struct stat st;

	/* SQLite does not mind the failed sync of a directory. */
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return (int)syscall(SYS_fdatasync, fd);
	if (failing_syncs > 0 && passing_syncs > 0) {
		passing_syncs--;
	} else if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static int64_t disk_left = -1; /* octets; -1: a large disk */

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t at)
{
	own_pwrites += len;
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

static ssize_t
short_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	if (disk_left >= 0 && disk_left < (int64_t)len) {
		errno = ENOSPC;
		return -1;
	}
	if (disk_left >= 0)
		disk_left -= (int64_t)len;
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

static void
install_short_disk(void)
{
	static const char *const names[] = {"pwrite", "pwrite64"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < COUNT(names); i++)
		vfs->xSetSystemCall(
		    vfs, names[i], (sqlite3_syscall_ptr)short_pwrite);
}

/* ---- a directory for each test ---- */

struct place {
	char dir[64];
	char path[96];
};

static int
setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	assert_true(place_make(place->dir, sizeof(place->dir)));
	snprintf(place->path, sizeof(place->path), "%s/test.db", place->dir);
	failing_syncs = 0;
	passing_syncs = 0;
	disk_left = -1;
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;
	DIR *dir = opendir(place->dir);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name,
			    entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(dir);
	rmdir(place->dir);
	free(place);
	return 0;
}

static bool
is_there(const struct place *place, const char *suffix)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", place->path, suffix);
	return store_exists(name);
}

/* The whole file; at most 1 MiB. */
static size_t
slurp(const char *path, char **ret_data)
{
	char *data = malloc(1 << 20);
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	assert_non_null(data);
	n = fread(data, 1, 1 << 20, f);
	fclose(f);
	*ret_data = data;
	return n;
}

static void
spill(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Another program at the file, while no store has it open. */
static void
outside(const char *path, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static int64_t
ask_outside(const char *path, const char *sql)
{
	sqlite3_stmt *st;
	int64_t value;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return value;
}

static struct store *
open_store(const char *path)
{
	struct store *store = NULL;
	struct jw_why why = {"", ""};

	if (store_open(path, NULL, NOW, &store, &why) != JW_OK)
		fail_msg("%s", why.text);
	assert_non_null(store);
	return store;
}

/* Refused with err, a line that says says, and not one octet changed. */
static void
expect_refused(const char *path, enum jw_err err, const char *says)
{
	struct store *store = NULL;
	struct jw_why why = {"", ""};
	char *before, *after;
	size_t n = slurp(path, &before), m;

	assert_int_equal(store_open(path, NULL, NOW, &store, &why), err);
	assert_null(store);
	if (strstr(why.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	m = slurp(path, &after);
	assert_int_equal(m, n);
	assert_memory_equal(after, before, n);
	free(before);
	free(after);
}

/* ---- rows ---- */

static struct key_set_facts
plain_facts(void)
{
	struct key_set_facts facts = {.next_number = 1};

	jw_policy_init(&facts.policy);
	return facts;
}

static void
make_kid(char *kid, int n)
{
	snprintf(kid, MODEL_KID_SIZE, "%043d", n);
}

/* A pending key; the number is the kid's too. */
static struct key
plain_key(int number)
{
	static char jwk[] = JWK;
	struct key key = {
	    .facts = {.number = number, .created_at = NOW}, .jwk = jwk};

	make_kid(key.kid, number);
	return key;
}

/* One key set with keys 1..n, sealed "sealed"; returns its id. */
static int64_t
commit_set(struct store *store, const char *name, int first, int n)
{
	struct key_set set = {.id = 0};
	struct key_set_facts facts = plain_facts();
	struct key keys[8];
	struct store_new_key created[8];
	struct store_change change = {
	    .set = &set,
	    .facts = &facts,
	    .now = NOW,
	    .created = created,
	    .ncreated = (size_t)n,
	    .actor = {-1, -1, -1},
	};
	int64_t id = 0;

	snprintf(set.name, sizeof(set.name), "%s", name);
	for (int i = 0; i < n; i++) {
		keys[i] = plain_key(first + i);
		created[i] = (struct store_new_key){.key = &keys[i],
		    .sealed = (const uint8_t *)"sealed",
		    .sealed_len = 6};
	}
	if (store_commit(store, &change, &id) != JW_OK)
		fail_msg("%s", store_message(store));
	return id;
}

/* A change of key set `id` that updates gens. */
static enum jw_err
update(struct store *store, int64_t id, int64_t revision,
    const struct generation *gens, size_t n)
{
	struct key_set set = {.id = id, .name = "x", .revision = revision};
	struct key_set_facts facts = plain_facts();
	struct store_change change = {
	    .set = &set,
	    .facts = &facts,
	    .now = NOW,
	    .updated = gens,
	    .nupdated = n,
	    .reason = "it leaked",
	    .actor = {-1, -1, -1},
	};
	int64_t same = 0;
	enum jw_err err = store_commit(store, &change, &same);

	assert_int_equal(same, err == JW_OK ? id : 0);
	return err;
}

struct loaded {
	size_t count;
	struct key_set sets[8];
};

static enum jw_err
take_set(struct key_set *set, void *arg)
{
	struct loaded *loaded = arg;

	assert_true(loaded->count < COUNT(loaded->sets));
	loaded->sets[loaded->count++] = *set;
	return JW_OK;
}

static struct loaded
load(struct store *store)
{
	struct loaded loaded = {.count = 0};

	if (store_load(store, take_set, &loaded) != JW_OK)
		fail_msg("%s", store_message(store));
	return loaded;
}

static void
loaded_done(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->count; i++)
		store_set_done(&loaded->sets[i]);
}

static int64_t
count_rows(struct store *store, const char *path, const char *sql)
{
	store_close(store);
	return ask_outside(path, sql);
}

/* ---- opening ---- */

static void
new_database_is_whole_and_named(void **state)
{
	struct place *place = *state;
	struct store *store;
	char *created = NULL, uuid[64];
	struct loaded loaded;

	assert_false(store_exists(place->path));
	store = open_store(place->path);
	assert_true(store_exists(place->path));
	assert_int_equal(strlen(store_uuid(store)), 36);
	assert_int_equal(store_uuid(store)[14], '4');
	snprintf(uuid, sizeof(uuid), "%s", store_uuid(store));
	assert_int_equal(store_meta_get(store, "created_at", &created), JW_OK);
	assert_string_equal(created, "1800000000");
	free(created);
	loaded = load(store);
	assert_int_equal(loaded.count, 0);
	store_close(store);
	store = open_store(place->path);
	assert_string_equal(store_uuid(store), uuid);
	store_close(store);
	assert_int_equal(
	    ask_outside(place->path, "PRAGMA application_id"), 0x4a574b53);
	assert_int_equal(ask_outside(place->path, "PRAGMA user_version"), 3);
	assert_false(is_there(place, ".before-1"));
	store_close(NULL);
}

static void
database_is_private(void **state)
{
	struct place *place = *state;
	struct store *store;
	mode_t old = umask(077);
	struct stat st;

	store = open_store(place->path);
	umask(old);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	store_close(store);
}

/* WAL as the header says; exclusive, since there is no -shm file and nobody
 * else gets in. */
static void
settings_are_in_force(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	sqlite3 *db;
	char *data;

	commit_set(store, "default", 1, 1);
	assert_true(is_there(place, "-wal"));
	assert_false(is_there(place, "-shm"));
	assert_true(slurp(place->path, &data) > 100);
	assert_int_equal(data[18], 2);
	assert_int_equal(data[19], 2);
	free(data);
	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL),
	    SQLITE_BUSY);
	sqlite3_close(db);
	store_close(store);
	assert_false(is_there(place, "-wal"));
}

/* synchronous=FULL: each commit is synced before it is acknowledged. */
static void
commit_is_synced(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);

	commit_set(store, "default", 1, 1);
	failing_syncs = 1;
	assert_int_equal(update(store, 1, 1, NULL, 0), JW_OUTCOME_UNKNOWN);
	assert_int_equal(failing_syncs, 0);
	store_close(store);
}

static void
foreign_file_is_refused(void **state)
{
	struct place *place = *state;

	outside(place->path, "PRAGMA application_id = 1;"
			     "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
	expect_refused(place->path, JW_FOREIGN_FILE, "not a database of jwksd");
	unlink(place->path);
	outside(place->path, "CREATE TABLE t (x)");
	expect_refused(place->path, JW_FOREIGN_FILE, "not a database of jwksd");
	unlink(place->path);
	outside(place->path, "PRAGMA user_version = 1");
	expect_refused(place->path, JW_FOREIGN_FILE, "not a database of jwksd");
}

/* What a crashed program left in its log is not ours to bring home. */
static void
foreign_log_is_left_alone(void **state)
{
	struct place *place = *state;
	char wal[128], *before, *after;
	size_t n, m;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db;

		sqlite3_open(place->path, &db);
		sqlite3_exec(db,
		    "PRAGMA journal_mode = WAL; CREATE TABLE t (x);"
		    "INSERT INTO t VALUES (1)",
		    NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(wal, sizeof(wal), "%s-wal", place->path);
	n = slurp(wal, &before);
	assert_true(n > 0);
	expect_refused(place->path, JW_FOREIGN_FILE, "not a database of jwksd");
	m = slurp(wal, &after);
	assert_int_equal(m, n);
	assert_memory_equal(before, after, n);
	free(before);
	free(after);
}

static void
newer_schema_is_refused(void **state)
{
	struct place *place = *state;

	store_close(open_store(place->path));
	outside(place->path, "PRAGMA user_version = 999");
	expect_refused(place->path, JW_NEWER_SCHEMA, "schema 999");
}

static void
text_file_is_refused(void **state)
{
	struct place *place = *state;
	char text[4096];

	memset(text, 'x', sizeof(text));
	spill(place->path, text, sizeof(text));
	expect_refused(place->path, JW_FOREIGN_FILE, place->path);
}

static void
garbage_is_refused_whatever_it_is(void **state)
{
	struct place *place = *state;
	char *data;
	size_t n;

	store_close(open_store(place->path));
	n = slurp(place->path, &data);
	srand(7);
	for (int i = 0; i < 60; i++) {
		struct store *store = NULL;
		struct jw_why why = {"", ""};
		char *copy = malloc(n);
		enum jw_err err;

		assert_non_null(copy);
		memcpy(copy, data, n);
		/* The header stays: it looks like ours. */
		for (int j = 0; j < 200; j++)
			copy[100 + (size_t)rand() % (n - 100)] = (char)rand();
		spill(place->path, copy, n);
		free(copy);
		err = store_open(place->path, NULL, NOW, &store, &why);
		if (err != JW_OK)
			assert_int_not_equal(why.text[0], '\0');
		assert_true(err == JW_OK || err == JW_CORRUPT ||
			    err == JW_STORE_FAILED || err == JW_CONFLICT);
		store_close(err == JW_OK ? store : NULL);
	}
	free(data);
}

static void
damaged_database_is_refused(void **state)
{
	struct place *place = *state;
	char *data;
	size_t n;

	store_close(open_store(place->path));
	n = slurp(place->path, &data);
	memset(data + 8192, 0xa5, 4096);
	spill(place->path, data, n);
	free(data);
	expect_refused(place->path, JW_CORRUPT, place->path);
}

static void
symbolic_link_is_refused(void **state)
{
	struct place *place = *state;
	char name[128];

	store_close(open_store(place->path));
	snprintf(name, sizeof(name), "%s/link.db", place->dir);
	assert_int_equal(symlink(place->path, name), 0);
	expect_refused(name, JW_SYMLINK, "symbolic link");
	unlink(place->path);
	unlink(name);
	/* Nor one that leads nowhere: nothing is made at its end. */
	assert_int_equal(symlink(place->path, name), 0);
	assert_true(store_exists(name));
	assert_int_equal(
	    store_open(name, NULL, NOW, &(struct store *){NULL}, NULL),
	    JW_SYMLINK);
	assert_false(store_exists(place->path));
}

static void
directory_and_fifo_are_refused(void **state)
{
	struct place *place = *state;
	struct store *store = NULL;
	struct jw_why why = {"", ""};

	assert_int_equal(mkdir(place->path, 0700), 0);
	assert_int_equal(
	    store_open(place->path, NULL, NOW, &store, &why), JW_FOREIGN_FILE);
	assert_non_null(strstr(why.text, "not a regular file"));
	assert_int_equal(rmdir(place->path), 0);
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(
	    store_open(place->path, NULL, NOW, &store, &why), JW_FOREIGN_FILE);
	assert_null(store);
}

static void
missing_directory_is_named(void **state)
{
	struct place *place = *state;
	struct store *store = NULL;
	struct jw_why why = {"", ""};
	char name[128];

	snprintf(name, sizeof(name), "%s/none/test.db", place->dir);
	assert_int_equal(
	    store_open(name, NULL, NOW, &store, &why), JW_STORE_FAILED);
	assert_non_null(strstr(why.text, "/none/test.db"));
	assert_int_not_equal(why.hint[0], '\0');
	assert_null(store);
}

static void
second_daemon_is_refused(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	char name[160];
	pid_t pid;
	int status;

	commit_set(store, "default", 1, 1);
	expect_refused(place->path, JW_LOCKED, "another jwksd");
	/* By whatever name. */
	snprintf(name, sizeof(name), "%s/./test.db", place->dir);
	expect_refused(name, JW_LOCKED, "another jwksd");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *other = NULL;

		_exit(store_open(place->path, NULL, NOW, &other, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), JW_LOCKED);
	commit_set(store, "other", 2, 1);
	store_close(store);
	store = open_store(place->path);
	store_close(store);
}

static void
empty_file_is_a_new_database(void **state)
{
	struct place *place = *state;
	struct store *store;

	spill(place->path, "", 0);
	store = open_store(place->path);
	commit_set(store, "default", 1, 1);
	store_close(store);
}

/* ---- round trips ---- */

/* A column by its name, as another program sees it. */
static void
expect_column(const struct place *place, const char *table, const char *column,
    int64_t value)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT %s FROM %s", column, table);
	if (ask_outside(place->path, sql) != value)
		fail_msg("%s.%s is not %lld", table, column, (long long)value);
}

/*
 * Each column of a key set gets a value of its own, so that two that are
 * swapped on the way in or out do not go unseen.
 */
static void
every_column_of_a_key_set_comes_back(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct key_set set = {.name = "app/step-up"};
	struct key_set_facts facts = {
	    .next_number = 101,
	    .version = 102,
	    .version_at = 103,
	    .wanted_at = 104,
	    .copies_until = 105,
	    .tokens_until = 106,
	    .cached_until = 107,
	    .polled_until = 108,
	    .withdrawn_at = 109,
	    .follows_at = 110,
	    .frozen = true,
	};
	struct store_change change = {
	    .set = &set, .facts = &facts, .now = NOW, .actor = {-1, -1, -1}};
	struct loaded loaded;
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);
	int64_t id = 0;

	for (size_t i = 0; i < n; i++) {
		int32_t value = 1000 + (int32_t)i;

		if (params[i].kind == JW_PARAM_ALGORITHM)
			value = JW_ALG_PS384;
		if (params[i].kind == JW_PARAM_MODE)
			value = JW_MODE_MANUAL;
		if (params[i].kind == JW_PARAM_BITS)
			value = 3072;
		jw_policy_set(&facts.policy, &params[i], value);
	}
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	/* Twice: inserted, then updated with other values. */
	for (int round = 0; round < 2; round++) {
		store_close(store);
		for (size_t i = 0; i < n; i++)
			if (params[i].kind == JW_PARAM_DURATION ||
			    params[i].kind == JW_PARAM_NUMBER)
				expect_column(place, "key_set", params[i].snake,
				    jw_policy_get(&facts.policy, &params[i]));
		expect_column(
		    place, "key_set", "next_number", facts.next_number);
		expect_column(place, "key_set", "version", facts.version);
		expect_column(place, "key_set", "version_at", facts.version_at);
		expect_column(place, "key_set", "wanted_at", facts.wanted_at);
		expect_column(
		    place, "key_set", "copies_until", facts.copies_until);
		expect_column(
		    place, "key_set", "tokens_until", facts.tokens_until);
		expect_column(
		    place, "key_set", "cached_until", facts.cached_until);
		expect_column(
		    place, "key_set", "polled_until", facts.polled_until);
		expect_column(
		    place, "key_set", "withdrawn_at", facts.withdrawn_at);
		expect_column(place, "key_set", "follows_at", facts.follows_at);
		expect_column(place, "key_set", "frozen", facts.frozen);
		store = open_store(place->path);
		loaded = load(store);
		assert_int_equal(loaded.count, 1);
		assert_int_equal(loaded.sets[0].id, id);
		assert_int_equal(loaded.sets[0].revision, 1 + round);
		assert_string_equal(loaded.sets[0].name, "app/step-up");
		for (size_t i = 0; i < n; i++)
			if (jw_policy_get(
				&loaded.sets[0].facts.policy, &params[i]) !=
			    jw_policy_get(&facts.policy, &params[i]))
				fail_msg("%s", params[i].snake);
		assert_int_equal(
		    loaded.sets[0].facts.next_number, facts.next_number);
		assert_int_equal(loaded.sets[0].facts.version, facts.version);
		assert_int_equal(
		    loaded.sets[0].facts.version_at, facts.version_at);
		assert_int_equal(
		    loaded.sets[0].facts.wanted_at, facts.wanted_at);
		assert_int_equal(
		    loaded.sets[0].facts.copies_until, facts.copies_until);
		assert_int_equal(
		    loaded.sets[0].facts.tokens_until, facts.tokens_until);
		assert_int_equal(
		    loaded.sets[0].facts.cached_until, facts.cached_until);
		assert_int_equal(
		    loaded.sets[0].facts.polled_until, facts.polled_until);
		assert_int_equal(
		    loaded.sets[0].facts.withdrawn_at, facts.withdrawn_at);
		assert_int_equal(
		    loaded.sets[0].facts.follows_at, facts.follows_at);
		assert_int_equal(loaded.sets[0].facts.removed_at, 0);
		assert_int_equal(loaded.sets[0].facts.frozen, facts.frozen);
		set = loaded.sets[0];
		set.keys = NULL;
		set.nkeys = 0;
		loaded_done(&loaded);
		for (size_t i = 0; i < n; i++)
			if (params[i].kind == JW_PARAM_DURATION ||
			    params[i].kind == JW_PARAM_NUMBER)
				jw_policy_set(&facts.policy, &params[i],
				    2000 + (int32_t)i);
		facts.policy.algorithm = JW_ALG_ED25519;
		facts.policy.mode = JW_MODE_FROZEN;
		facts.policy.rsa_bits = 4096;
		facts.next_number = 201;
		facts.version = 202;
		facts.version_at = 203;
		facts.wanted_at = 0;
		facts.copies_until = 205;
		facts.tokens_until = 206;
		facts.cached_until = 207;
		facts.polled_until = 208;
		facts.withdrawn_at = 209;
		facts.follows_at = 210;
		facts.frozen = false;
		if (round == 0)
			assert_int_equal(
			    store_commit(store, &change, &id), JW_OK);
	}
	store_close(store);
}

/* Once for each that is gone; those that live are not touched. */
static void
withdrawals_are_kept(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	int64_t gone = commit_set(store, "gone", 1, 1);
	struct key_set set = {.id = gone, .revision = 1};
	struct key_set_facts facts = plain_facts();
	struct store_change change = {
	    .set = &set, .facts = &facts, .now = NOW, .actor = {-1, -1, -1}};
	int64_t id = 0;

	snprintf(set.name, sizeof(set.name), "gone");
	commit_set(store, "here", 5, 1);
	facts.removed_at = NOW;
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	assert_int_equal(store_withdrawn(store, NOW + 7), JW_OK);
	assert_int_equal(store_withdrawn(store, NOW + 8), JW_OK);
	store_close(store);
	assert_int_equal(
	    ask_outside(place->path, "SELECT sum(withdrawn_at) FROM key_set"),
	    NOW + 7);
}

/*
 * A database of schema 1: what was known of copies is known still, and the
 * removed have been read.
 */
static void
older_schema_is_brought_up_to_date(void **state)
{
	struct place *place = *state;

	outside(place->path, sql_texts[0].text);
	outside(place->path,
	    "PRAGMA application_id = 0x4a574b53; PRAGMA user_version = 1;"
	    "INSERT INTO meta VALUES ('uuid', 'of-schema-1');"
	    "WITH sets (name, removed) AS"
	    " (VALUES ('default', NULL), ('gone', 77))"
	    "INSERT INTO key_set SELECT NULL, name, 1, 'ES256', 2048, 'auto',"
	    " 9, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0, 1, 1, 8, 1, 1, NULL, NULL,"
	    " 1234, NULL, removed, 0 FROM sets");
	store_close(open_store(place->path));
	assert_int_equal(ask_outside(place->path, "PRAGMA user_version"), 3);
	assert_int_equal(
	    ask_outside(place->path,
		"SELECT min(cached_until + polled_until) FROM key_set"),
	    2 * 1234);
	assert_int_equal(
	    ask_outside(place->path, "SELECT sum(withdrawn_at) FROM key_set"),
	    78);
}

static const struct {
	const char *name;
	size_t offset;
} gen_times[] = {
#define MEMBER(m)                                  \
	{                                          \
#m, offsetof(struct generation, m) \
	}
    MEMBER(created_at),
    MEMBER(published_at),
    MEMBER(ready_at),
    MEMBER(activated_at),
    MEMBER(retired_at),
    MEMBER(absent_until),
    MEMBER(max_exp),
    MEMBER(publish_due),
    MEMBER(ready_due),
    MEMBER(rotate_due),
    MEMBER(destroy_due),
    MEMBER(remove_due),
    /* These three bury it, or take its private half. */
    MEMBER(destroyed_at),
    MEMBER(removed_at),
    MEMBER(revoked_at),
};

enum { HARMLESS = 12 };

static int64_t *
gen_time(struct generation *gen, size_t i)
{
	return (int64_t *)(void *)((char *)gen + gen_times[i].offset);
}

static void
expect_gen(const struct generation *is, const struct generation *want)
{
	struct generation a = *is, b = *want;

	for (size_t i = 0; i < COUNT(gen_times); i++)
		if (*gen_time(&a, i) != *gen_time(&b, i))
			fail_msg("%s", gen_times[i].name);
	assert_int_equal(a.number, b.number);
	assert_int_equal(a.activations, b.activations);
	assert_int_equal(a.retirements, b.retirements);
	assert_int_equal(a.alg, b.alg);
	assert_int_equal(a.verify_only, b.verify_only);
	assert_int_equal(a.spread, 0);
}

static bool
copy_key(int64_t set_id, const struct key *key, void *arg)
{
	struct key *copy = arg;

	assert_int_equal(set_id, 1);
	assert_non_null(key->jwk);
	copy->facts = key->facts;
	memcpy(copy->kid, key->kid, sizeof(copy->kid));
	free(copy->reason);
	copy->reason = key->reason == NULL ? NULL : strdup(key->reason);
	return true;
}

static void
every_column_of_a_generation_comes_back(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct key_set set = {.name = "default"};
	struct key_set_facts facts = plain_facts();
	struct key key = plain_key(1), found = {.jwk = NULL};
	struct store_new_key created = {.key = &key};
	struct store_change change = {.set = &set,
	    .facts = &facts,
	    .now = NOW,
	    .created = &created,
	    .ncreated = 1,
	    .actor = {-1, -1, -1}};
	struct loaded loaded;
	int64_t id = 0;

	for (size_t i = 0; i < HARMLESS; i++)
		*gen_time(&key.facts, i) = 100 + (int64_t)i;
	key.facts.activations = 5;
	key.facts.retirements = 4;
	key.facts.alg = JW_ALG_RS512;
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	store_close(store);
	store = open_store(place->path);
	loaded = load(store);
	assert_int_equal(loaded.count, 1);
	assert_int_equal(loaded.sets[0].nkeys, 1);
	assert_string_equal(loaded.sets[0].keys[0].kid, key.kid);
	assert_string_equal(loaded.sets[0].keys[0].jwk, JWK);
	assert_null(loaded.sets[0].keys[0].reason);
	expect_gen(&loaded.sets[0].keys[0].facts, &key.facts);
	loaded_done(&loaded);

	for (size_t i = 0; i < COUNT(gen_times); i++)
		*gen_time(&key.facts, i) = 300 + (int64_t)i;
	key.facts.activations = 7;
	key.facts.retirements = 6;
	assert_int_equal(update(store, 1, 1, &key.facts, 1), JW_OK);
	assert_int_equal(
	    store_each_key(store, 1, INT64_MAX, copy_key, &found), JW_OK);
	expect_gen(&found.facts, &key.facts);
	assert_string_equal(found.kid, key.kid);
	assert_string_equal(found.reason, "it leaked");
	free(found.reason);
	store_close(store);
	for (size_t i = 0; i < COUNT(gen_times); i++)
		expect_column(place, "generation", gen_times[i].name,
		    *gen_time(&key.facts, i));
	expect_column(place, "generation", "activations", 7);
	expect_column(place, "generation", "retirements", 6);
	expect_column(place, "generation", "verify_only", 0);
	store = open_store(place->path);
	loaded = load(store);
	assert_int_equal(loaded.count, 1);
	assert_int_equal(loaded.sets[0].nkeys, 0);
	loaded_done(&loaded);
	/* Back to nothing: 0 is NULL and comes back as 0. */
	found = (struct key){.jwk = NULL};
	for (size_t i = 1; i < COUNT(gen_times); i++)
		*gen_time(&key.facts, i) = 0;
	key.facts.activations = key.facts.retirements = 0;
	assert_int_equal(update(store, 1, 2, &key.facts, 1), JW_OK);
	assert_int_equal(
	    store_each_key(store, 1, INT64_MAX, copy_key, &found), JW_OK);
	expect_gen(&found.facts, &key.facts);
	free(found.reason);
	assert_int_equal(
	    count_rows(store, place->path,
		"SELECT count(*) FROM generation WHERE published_at IS NULL"
		" AND revoked_at IS NULL AND max_exp IS NULL"),
	    1);
}

static void
verify_only_comes_back(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	int64_t id = commit_set(store, "default", 1, 1);
	struct generation gen = plain_key(1).facts;
	struct loaded loaded;

	gen.verify_only = true;
	assert_int_equal(update(store, id, 1, &gen, 1), JW_OK);
	loaded = load(store);
	assert_true(loaded.sets[0].keys[0].facts.verify_only);
	loaded_done(&loaded);
	store_close(store);
}

static void
key_sets_get_their_own_keys_in_order(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gone = plain_key(22).facts;
	struct loaded loaded;

	commit_set(store, "a", 10, 3);
	commit_set(store, "b", 20, 0);
	commit_set(store, "c", 21, 3);
	gone.removed_at = gone.destroyed_at = NOW;
	assert_int_equal(update(store, 3, 1, &gone, 1), JW_OK);
	loaded = load(store);
	assert_int_equal(loaded.count, 3);
	assert_int_equal(loaded.sets[0].nkeys, 3);
	assert_int_equal(loaded.sets[1].nkeys, 0);
	assert_int_equal(loaded.sets[2].nkeys, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loaded.sets[0].keys[i].facts.number, 10 + i);
	assert_int_equal(loaded.sets[2].keys[0].facts.number, 21);
	assert_int_equal(loaded.sets[2].keys[1].facts.number, 23);
	loaded_done(&loaded);
	store_close(store);
}

static enum jw_err
refuse_set(struct key_set *set, void *arg)
{
	(*(int *)arg)++;
	store_set_done(set);
	return JW_NO_MEMORY;
}

static void
load_stops_at_the_first_refusal(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	int calls = 0;

	commit_set(store, "a", 1, 1);
	commit_set(store, "b", 2, 1);
	assert_int_equal(store_load(store, refuse_set, &calls), JW_NO_MEMORY);
	assert_int_equal(calls, 1);
	store_close(store);
}

static void
more_generations_than_fit_are_corrupt(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct loaded loaded = {.count = 0};

	commit_set(store, "a", 1, 1);
	store_close(store);
	outside(place->path,
	    "WITH n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<33)"
	    "INSERT INTO generation (key_set_id, number, kid, alg, jwk,"
	    " created_at, activations, retirements, verify_only)"
	    " SELECT 1, i, printf('%043d', i), 'ES256', '{}', 1, 0, 0, 0"
	    " FROM n");
	store = open_store(place->path);
	assert_int_equal(store_load(store, take_set, &loaded), JW_CORRUPT);
	assert_int_equal(loaded.count, 0);
	store_close(store);
}

static void
rows_without_sense_are_corrupt(void **state)
{
	static const char *const sql[] = {
	    "UPDATE key_set SET algorithm = 'none'",
	};

	struct place *place = *state;
	for (size_t i = 0; i < COUNT(sql); i++) {
		struct store *store = open_store(place->path);
		struct loaded loaded = {.count = 0};

		commit_set(store, "a", 1, 2);
		store_close(store);
		outside(place->path, sql[i]);
		store = open_store(place->path);
		assert_int_equal(
		    store_load(store, take_set, &loaded), JW_CORRUPT);
		assert_non_null(strstr(store_message(store), "key set a"));
		store_close(store);
		unlink(place->path);
	}
}

/* ---- finding ---- */

struct found {
	int count;
	int stop_after;
	int64_t numbers[20];
};

static bool
note_key(int64_t set_id, const struct key *key, void *arg)
{
	struct found *found = arg;

	assert_true(set_id > 0);
	found->numbers[found->count++] = key->facts.number;
	return found->count != found->stop_after;
}

static void
tombstones_are_found_too(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gone = plain_key(2).facts;
	struct found all = {0}, one = {0}, none = {0},
		     first = {.stop_after = 1};
	char kid[MODEL_KID_SIZE];

	commit_set(store, "a", 1, 3);
	commit_set(store, "b", 4, 1);
	gone.removed_at = gone.destroyed_at = NOW;
	assert_int_equal(update(store, 1, 1, &gone, 1), JW_OK);
	assert_int_equal(
	    store_each_key(store, 1, INT64_MAX, note_key, &all), JW_OK);
	assert_int_equal(all.count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(all.numbers[i], 3 - i);
	assert_int_equal(
	    store_each_key(store, 1, INT64_MAX, note_key, &first), JW_OK);
	assert_int_equal(first.count, 1);
	assert_int_equal(
	    store_each_key(store, 9, INT64_MAX, note_key, &none), JW_OK);
	assert_int_equal(none.count, 0);
	make_kid(kid, 2);
	assert_int_equal(store_find_kid(store, kid, note_key, &one), JW_OK);
	assert_int_equal(one.count, 1);
	assert_int_equal(one.numbers[0], 2);
	memset(&all, 0, sizeof(all));
	assert_int_equal(store_find_kid(store, "000", note_key, &all), JW_OK);
	assert_int_equal(all.count, 4);
	assert_int_equal(store_find_kid(store, "1", note_key, &none), JW_OK);
	assert_int_equal(
	    store_find_kid(store, "00'; --", note_key, &none), JW_OK);
	assert_int_equal(store_find_kid(store, "%", note_key, &none), JW_OK);
	assert_int_equal(none.count, 0);
	store_close(store);
}

/* ---- committing ---- */

static void
another_revision_is_a_conflict(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct loaded loaded;

	commit_set(store, "a", 1, 1);
	gen.published_at = NOW;
	assert_int_equal(update(store, 1, 2, &gen, 1), JW_CONFLICT);
	assert_int_equal(update(store, 7, 1, &gen, 1), JW_CONFLICT);
	loaded = load(store);
	assert_int_equal(loaded.sets[0].revision, 1);
	assert_int_equal(loaded.sets[0].keys[0].facts.published_at, 0);
	loaded_done(&loaded);
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OK);
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_CONFLICT);
	assert_int_equal(update(store, 1, 2, &gen, 1), JW_OK);
	store_close(store);
}

/* A commit of one new key, n, to key set 1 at a revision. */
static enum jw_err
add_key(struct store *store, int64_t revision, int number, int kid)
{
	struct key_set set = {.id = 1, .revision = revision, .name = "a"};
	struct key_set_facts facts = plain_facts();
	struct key key = plain_key(number);
	struct store_new_key created = {.key = &key};
	struct store_audit audit = {.event = "pending"};
	struct store_request request = {"id-1", "m", "asked", "outcome"};
	struct store_change change = {.set = &set,
	    .facts = &facts,
	    .now = NOW,
	    .created = &created,
	    .ncreated = 1,
	    .audit = &audit,
	    .naudit = 1,
	    .request = &request,
	    .actor = {1, 2, 3}};
	int64_t id;

	facts.version = 99;
	make_kid(key.kid, kid);
	return store_commit(store, &change, &id);
}

static void
kid_is_never_used_again(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gone = plain_key(1).facts,
			  revoked = plain_key(2).facts;
	struct generation both[2];
	char *asked = NULL, *outcome = NULL;
	struct loaded loaded;

	commit_set(store, "a", 1, 3);
	gone.removed_at = gone.destroyed_at = NOW;
	revoked.revoked_at = revoked.destroyed_at = NOW;
	both[0] = gone;
	both[1] = revoked;
	assert_int_equal(update(store, 1, 1, both, 2), JW_OK);
	for (int kid = 1; kid <= 3; kid++)
		assert_int_equal(add_key(store, 2, 4, kid), JW_CONFLICT);
	/* Nor a number. */
	assert_int_equal(add_key(store, 2, 1, 9), JW_CONFLICT);
	/* All of it was taken back, request and audit too. */
	assert_int_equal(store_request_find(store, "id-1", &asked, &outcome),
	    JW_NO_SUCH_KEY);
	loaded = load(store);
	assert_int_equal(loaded.sets[0].revision, 2);
	assert_int_equal(loaded.sets[0].facts.version, 0);
	assert_int_equal(loaded.sets[0].nkeys, 1);
	loaded_done(&loaded);
	assert_int_equal(add_key(store, 2, 4, 4), JW_OK);
	assert_int_equal(
	    count_rows(store, place->path, "SELECT count(*) FROM audit"), 1);
}

static void
request_id_is_taken_once(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	char *asked = NULL, *outcome = NULL;

	commit_set(store, "a", 1, 1);
	assert_int_equal(add_key(store, 1, 2, 2), JW_OK);
	assert_int_equal(add_key(store, 2, 3, 3), JW_CONFLICT);
	assert_int_equal(
	    store_request_find(store, "id-1", &asked, &outcome), JW_OK);
	assert_string_equal(asked, "asked");
	assert_string_equal(outcome, "outcome");
	free(asked);
	free(outcome);
	asked = outcome = NULL;
	assert_int_equal(store_request_find(store, "id-2", &asked, &outcome),
	    JW_NO_SUCH_KEY);
	assert_null(asked);
	assert_null(outcome);
	assert_int_equal(store_request_prune(store, NOW, 0), JW_OK);
	assert_int_equal(
	    store_request_find(store, "id-1", &asked, &outcome), JW_OK);
	free(asked);
	free(outcome);
	assert_int_equal(store_request_prune(store, NOW + 1, 0), JW_OK);
	assert_int_equal(store_request_find(store, "id-1", &asked, &outcome),
	    JW_NO_SUCH_KEY);
	store_close(store);
}

/* However old the clock makes them. */
static void
latest_requests_are_kept(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	char id[16], *asked = NULL, *outcome = NULL;

	for (int i = 1; i <= 5; i++) {
		struct store_request request = {id, "Rotate", "{}", "{}"};
		struct store_change change = {
		    .now = NOW - i, .actor = {-1, -1, -1}, .request = &request};

		snprintf(id, sizeof(id), "id-%d", i);
		assert_int_equal(
		    store_meta_commit(store, "x", "y", &change), JW_OK);
	}
	assert_int_equal(store_request_prune(store, NOW + 1, 5), JW_OK);
	assert_int_equal(store_request_prune(store, NOW + 1, 3), JW_OK);
	for (int i = 1; i <= 5; i++) {
		snprintf(id, sizeof(id), "id-%d", i);
		assert_int_equal(
		    store_request_find(store, id, &asked, &outcome),
		    i <= 2 ? JW_NO_SUCH_KEY : JW_OK);
		free(asked);
		free(outcome);
		asked = outcome = NULL;
	}
	store_close(store);
}

static void
second_signer_is_refused_by_the_database(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gens[2] = {plain_key(1).facts, plain_key(2).facts};
	struct loaded loaded;

	commit_set(store, "a", 1, 2);
	for (int i = 0; i < 2; i++) {
		gens[i].published_at = NOW;
		gens[i].activations = 1;
	}
	assert_int_equal(update(store, 1, 1, gens, 2), JW_CONFLICT);
	assert_int_equal(update(store, 1, 1, gens, 1), JW_OK);
	assert_int_equal(update(store, 1, 2, gens + 1, 1), JW_CONFLICT);
	/* Hand over in one transaction, in either order of rows. */
	gens[0].retirements = 1;
	assert_int_equal(update(store, 1, 2, gens, 2), JW_OK);
	gens[0].activations = 2;
	gens[1].retirements = 1;
	assert_int_equal(update(store, 1, 3, gens, 2), JW_OK);
	loaded = load(store);
	assert_int_equal(loaded.sets[0].keys[0].facts.activations, 2);
	assert_int_equal(loaded.sets[0].keys[1].facts.retirements, 1);
	loaded_done(&loaded);
	store_close(store);
}

static void
living_name_is_taken_once(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct key_set set = {.name = "a"};
	struct key_set_facts facts = plain_facts();
	struct store_change change = {
	    .set = &set, .facts = &facts, .now = NOW, .actor = {-1, -1, -1}};
	struct loaded loaded;
	int64_t id = 0;

	commit_set(store, "a", 1, 1);
	assert_int_equal(store_commit(store, &change, &id), JW_CONFLICT);
	assert_int_equal(id, 0);
	set.id = 1;
	set.revision = 1;
	facts.removed_at = NOW;
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	loaded = load(store);
	assert_int_equal(loaded.count, 0);
	set.id = 0;
	facts.removed_at = 0;
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	assert_int_equal(id, 2);
	store_close(store);
}

static void
unknown_row_is_our_mistake(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(9).facts;

	commit_set(store, "a", 1, 1);
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_BUG);
	store_close(store);
}

static void
sealed_key_is_erased_with_its_fact(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	uint8_t *blob = NULL;
	size_t len = 0;

	commit_set(store, "a", 1, 1);
	assert_int_equal(store_sealed(store, 1, 1, &blob, &len), JW_OK);
	assert_int_equal(len, 6);
	assert_memory_equal(blob, "sealed", 6);
	free(blob);
	blob = NULL;
	gen.published_at = NOW;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OK);
	assert_int_equal(store_sealed(store, 1, 1, &blob, &len), JW_OK);
	free(blob);
	blob = NULL;
	gen.destroyed_at = NOW;
	assert_int_equal(update(store, 1, 2, &gen, 1), JW_OK);
	assert_int_equal(
	    store_sealed(store, 1, 1, &blob, &len), JW_NO_SUCH_KEY);
	assert_int_equal(
	    store_sealed(store, 1, 2, &blob, &len), JW_NO_SUCH_KEY);
	assert_int_equal(
	    store_sealed(store, 2, 1, &blob, &len), JW_NO_SUCH_KEY);
	assert_null(blob);
	assert_int_equal(count_rows(store, place->path,
			     "SELECT count(*) FROM generation"
			     " WHERE sealed IS NULL"),
	    1);
}

static void
audit_says_who_and_what(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct key_set set = {.name = "a"};
	struct key_set_facts facts = plain_facts();
	struct store_request request = {"id-7", "m", "asked", "outcome"};
	struct store_audit audit[2] = {
	    {.event = "rotate", .cause = "c1"},
	    {.generation = 5,
		.kid = "K",
		.event = "active",
		.from_state = "ready",
		.to_state = "active",
		.cause = "c2"},
	};
	struct store_change change = {.set = &set,
	    .facts = &facts,
	    .now = NOW,
	    .audit = audit,
	    .naudit = 2,
	    .audit_reason = "why not",
	    .request = &request,
	    .actor = {11, 12, 13}};
	int64_t id = 0;

	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	set.id = id;
	set.revision = 1;
	change.actor = (struct store_actor){-1, -1, -1};
	change.request = NULL;
	change.naudit = 1;
	assert_int_equal(store_commit(store, &change, &id), JW_OK);
	store_close(store);
	assert_int_equal(ask_outside(place->path,
			     "SELECT count(*) FROM audit WHERE seq = 2 AND "
			     "at = 1800000000 AND key_set = 'a' AND "
			     "generation = 5 AND kid = 'K' AND "
			     "event = 'active' AND from_state = 'ready' AND "
			     "to_state = 'active' AND cause = 'c2' AND "
			     "uid = 11 AND gid = 12 AND pid = 13 AND "
			     "request_id = 'id-7' AND reason = 'why not'"),
	    1);
	assert_int_equal(ask_outside(place->path,
			     "SELECT count(*) FROM audit WHERE seq = 1 AND "
			     "generation IS NULL AND kid IS NULL AND "
			     "from_state IS NULL AND cause = 'c1'"),
	    1);
	assert_int_equal(ask_outside(place->path,
			     "SELECT count(*) FROM audit WHERE seq = 3 AND "
			     "uid IS NULL AND gid IS NULL AND pid IS NULL AND "
			     "request_id IS NULL"),
	    1);
}

static void
audit_says_what_was_refused(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct store_refusal rows[] = {
	    {.at = NOW,
		.actor = {11, 12, 13},
		.event = "refused",
		.cause = "c",
		.method = "m",
		.outcome = "e",
		.key_set = "a",
		.generation = 5,
		.kid = "K",
		.request_id = "id-7",
		.reason = "why",
		.count = 3},
	    {.at = NOW + 1,
		.actor = {-1, -1, -1},
		.event = "refused",
		.cause = "c2",
		.count = 9},
	};

	assert_int_equal(store_audit_refusals(store, rows, 2), JW_OK);
	/* All or none. */
	rows[1].count = 0;
	assert_int_equal(store_audit_refusals(store, rows, 2), JW_BUG);
	store_close(store);
	assert_int_equal(
	    ask_outside(place->path, "SELECT count(*) FROM audit"), 2);
	assert_int_equal(ask_outside(place->path,
			     "SELECT count(*) FROM audit WHERE seq = 1 AND "
			     "at = 1800000000 AND key_set = 'a' AND "
			     "generation = 5 AND kid = 'K' AND "
			     "event = 'refused' AND cause = 'c' AND "
			     "uid = 11 AND gid = 12 AND pid = 13 AND "
			     "request_id = 'id-7' AND reason = 'why' AND "
			     "method = 'm' AND outcome = 'e' AND count = 3"),
	    1);
	assert_int_equal(ask_outside(place->path,
			     "SELECT count(*) FROM audit WHERE seq = 2 AND "
			     "key_set IS NULL AND generation IS NULL AND "
			     "kid IS NULL AND uid IS NULL AND "
			     "method IS NULL AND outcome IS NULL AND "
			     "count = 9"),
	    1);
}

static void
meta_is_kept_and_replaced(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	char *value = NULL;

	assert_int_equal(store_meta_get(store, "x", &value), JW_NO_SUCH_KEY);
	assert_null(value);
	assert_int_equal(store_meta_set(store, "x", "1"), JW_OK);
	assert_int_equal(store_meta_set(store, "x", "2'; --"), JW_OK);
	store_close(store);
	store = open_store(place->path);
	assert_int_equal(store_meta_get(store, "x", &value), JW_OK);
	assert_string_equal(value, "2'; --");
	free(value);
	store_close(store);
}

/* ---- failing disks ---- */

/* The commit may be there or not, but as a whole, and the rest always is. */
static void
failed_sync_leaves_the_outcome_open(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct loaded loaded;
	bool there;

	commit_set(store, "a", 1, 2);
	gen.published_at = NOW;
	failing_syncs = 1;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OUTCOME_UNKNOWN);
	assert_int_not_equal(store_message(store)[0], '\0');
	store_close(store);
	store = open_store(place->path);
	loaded = load(store);
	assert_int_equal(loaded.count, 1);
	assert_int_equal(loaded.sets[0].nkeys, 2);
	there = loaded.sets[0].revision == 2;
	assert_int_equal(
	    loaded.sets[0].keys[0].facts.published_at, there ? NOW : 0);
	loaded_done(&loaded);
	assert_int_equal(update(store, 1, there ? 2 : 1, &gen, 1), JW_OK);
	store_close(store);
}

static void
full_disk_loses_nothing(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct loaded loaded;
	int64_t revision = 1;
	bool failed = false;

	commit_set(store, "a", 1, 2);
	for (disk_left = 0; disk_left < 12000 && revision == 1;
	     disk_left += 700) {
		int64_t left = disk_left;
		enum jw_err err = update(store, 1, 1, &gen, 1);

		if (err == JW_OK)
			revision++;
		else
			assert_int_equal(err, JW_NO_SPACE);
		failed |= err != JW_OK;
		disk_left = left;
	}
	assert_true(failed);
	disk_left = -1;
	loaded = load(store);
	assert_int_equal(loaded.sets[0].revision, revision);
	assert_int_equal(loaded.sets[0].nkeys, 2);
	loaded_done(&loaded);
	assert_int_equal(update(store, 1, revision, &gen, 1), JW_OK);
	store_close(store);
	store = open_store(place->path);
	loaded = load(store);
	assert_int_equal(loaded.sets[0].revision, revision + 1);
	loaded_done(&loaded);
	store_close(store);
}

static void
full_disk_makes_no_database(void **state)
{
	struct place *place = *state;
	struct store *store = NULL;
	struct jw_why why = {"", ""};

	disk_left = 1000;
	assert_int_equal(
	    store_open(place->path, NULL, NOW, &store, &why), JW_NO_SPACE);
	assert_null(store);
	assert_non_null(strstr(why.text, place->path));
	disk_left = -1;
	store_close(open_store(place->path));
}

static void
file_size_limit_loses_nothing(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct rlimit old, tight;
	struct generation gen = plain_key(1).facts;
	struct loaded loaded;
	enum jw_err err = JW_OK;
	int64_t revision = 1;

	commit_set(store, "a", 1, 2);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 200 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 500 && err == JW_OK; i++) {
		err = update(store, 1, revision, &gen, 1);
		revision += err == JW_OK;
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_not_equal(err, JW_OK);
	store_close(store);
	store = open_store(place->path);
	loaded = load(store);
	/* What was acknowledged, and at most the one in doubt. */
	assert_in_range(loaded.sets[0].revision, revision,
	    revision + (err == JW_OUTCOME_UNKNOWN));
	assert_int_equal(loaded.sets[0].nkeys, 2);
	loaded_done(&loaded);
	store_close(store);
}

/* As a kill -9 leaves it: the log is not brought home. */
static void
acknowledged_survives_a_sudden_end(void **state)
{
	struct place *place = *state;
	struct store *store;
	struct loaded loaded;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		store = open_store(place->path);
		commit_set(store, "a", 1, 2);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(is_there(place, "-wal"));
	store = open_store(place->path);
	loaded = load(store);
	assert_int_equal(loaded.count, 1);
	assert_int_equal(loaded.sets[0].nkeys, 2);
	loaded_done(&loaded);
	store_close(store);
}

/* Is the text in the file with that suffix?  A file that is not there has
 * nothing. */
static bool
file_has(const struct place *place, const char *suffix, const char *text)
{
	char name[128], *data;
	bool found;
	size_t n;

	if (!is_there(place, suffix))
		return false;
	snprintf(name, sizeof(name), "%s%s", place->path, suffix);
	n = slurp(name, &data);
	found = memmem(data, n, text, strlen(text)) != NULL;
	free(data);
	return found;
}

/* In another process, which is killed before it can scrub. */
static void
destroy_and_be_killed(const struct place *place)
{
	struct generation gen = plain_key(1).facts;
	struct store *store;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		store = open_store(place->path);
		commit_set(store, "a", 1, 2);
		gen.destroyed_at = NOW;
		if (update(store, 1, 1, &gen, 1) == JW_OK)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
start_scrubs_what_a_kill_left(void **state)
{
	struct place *place = *state;
	struct store *store;
	struct generation second = plain_key(2).facts;

	destroy_and_be_killed(place);
	assert_true(file_has(place, "-wal", "sealed"));
	store = open_store(place->path);
	assert_false(file_has(place, "-wal", "sealed"));
	/* The other key has it as well, and keeps it. */
	assert_true(file_has(place, "", "sealed"));
	second.destroyed_at = NOW;
	assert_int_equal(update(store, 1, 2, &second, 1), JW_OK);
	assert_int_equal(store_scrub(store), JW_OK);
	assert_false(file_has(place, "-wal", "sealed"));
	store_close(store);
}

/* No answer from pages of which nothing says that they are on the disk. */
static void
nothing_is_answered_in_doubt(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct loaded loaded = {.count = 0};
	struct jw_why why = {"", ""};
	char *value = NULL, *other = NULL;
	uint8_t *blob = NULL;
	size_t len = 0;
	int64_t number = 0;

	commit_set(store, "a", 1, 2);
	assert_int_equal(store_meta_set(store, "known", "yes"), JW_OK);
	assert_false(store_in_doubt(store));
	failing_syncs = 1000;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OUTCOME_UNKNOWN);
	for (int i = 0; i < 3; i++) {
		assert_true(store_in_doubt(store));
		assert_int_equal(update(store, 1, 1, &gen, 1), JW_STORE_FAILED);
		assert_int_equal(
		    store_load(store, take_set, &loaded), JW_STORE_FAILED);
		assert_int_equal(loaded.count, 0);
		assert_int_equal(
		    store_meta_get(store, "known", &value), JW_STORE_FAILED);
		assert_int_equal(
		    store_meta_set(store, "known", "no"), JW_STORE_FAILED);
		assert_int_equal(
		    store_request_find(store, "id", &value, &other),
		    JW_STORE_FAILED);
		assert_int_equal(
		    store_request_prune(store, NOW + 1, 0), JW_STORE_FAILED);
		assert_int_equal(
		    store_sealed(store, 1, 1, &blob, &len), JW_STORE_FAILED);
		assert_int_equal(
		    store_next_number(store, "a", &number), JW_STORE_FAILED);
		assert_int_equal(
		    store_find_kid(store, "0", NULL, NULL), JW_STORE_FAILED);
		assert_int_equal(
		    store_each_key(store, 1, 9, NULL, NULL), JW_STORE_FAILED);
		store_scrub(store);
		assert_non_null(strstr(store_message(store), "disk"));
		assert_string_not_equal(store_uuid(store), "");
		assert_int_equal(
		    store_recover(store, NOW, &why), JW_STORE_FAILED);
		assert_non_null(strstr(why.text, place->path));
	}
	failing_syncs = 0;
	assert_int_equal(store_recover(store, NOW, &why), JW_OK);
	assert_false(store_in_doubt(store));
	assert_int_equal(store_meta_get(store, "known", &value), JW_OK);
	assert_string_equal(value, "yes");
	free(value);
	loaded = load(store);
	assert_in_range(loaded.sets[0].revision, 1, 2);
	assert_int_equal(
	    update(store, 1, loaded.sets[0].revision, &gen, 1), JW_OK);
	loaded_done(&loaded);
	store_close(store);
}

/* A sync for the log, one for the database, one for a commit of our own: as
 * long as one of them fails it is in doubt. */
static void
every_sync_of_a_recovery_counts(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct jw_why why = {"", ""};
	int failed = 0;

	commit_set(store, "a", 1, 2);
	failing_syncs = 1;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OUTCOME_UNKNOWN);
	for (;; failed++) {
		failing_syncs = 1;
		passing_syncs = failed;
		if (store_recover(store, NOW, &why) == JW_OK)
			break;
		assert_int_equal(failing_syncs, 0);
		assert_true(store_in_doubt(store));
		assert_in_range(failed, 0, 9);
	}
	assert_in_range(failed, 3, 9);
	assert_int_equal(failing_syncs, 1);
	failing_syncs = passing_syncs = 0;
	assert_false(store_in_doubt(store));
	store_close(store);
}

/* The log is written again, not merely synced. */
static void
recovery_writes_the_log_again(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path);
	struct generation gen = plain_key(1).facts;
	struct jw_why why = {"", ""};
	size_t len;
	char name[128], *log;

	commit_set(store, "a", 1, 2);
	failing_syncs = 1;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OUTCOME_UNKNOWN);
	snprintf(name, sizeof(name), "%s-wal", place->path);
	len = slurp(name, &log);
	free(log);
	assert_true(len > 0);
	own_pwrites = 0;
	assert_int_equal(store_recover(store, NOW, &why), JW_OK);
	assert_in_range(own_pwrites, len, len + 64);
	store_close(store);
}

/* Another database in its place is not ours, and neither is none; ours may
 * come back. */
static void
recovery_takes_only_the_same_database(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place->path), *other;
	struct generation gen = plain_key(1).facts;
	struct jw_why why = {"", ""};
	char name[128], moved[128];

	commit_set(store, "a", 1, 2);
	snprintf(name, sizeof(name), "%s/other.db", place->dir);
	other = open_store(name);
	store_close(other);
	failing_syncs = 1;
	assert_int_equal(update(store, 1, 1, &gen, 1), JW_OUTCOME_UNKNOWN);
	snprintf(moved, sizeof(moved), "%s.moved", place->path);
	assert_int_equal(rename(place->path, moved), 0);
	assert_int_equal(store_recover(store, NOW, &why), JW_STORE_FAILED);
	assert_false(is_there(place, ""));
	assert_int_equal(rename(name, place->path), 0);
	assert_int_equal(store_recover(store, NOW, &why), JW_STORE_FAILED);
	assert_non_null(strstr(why.text, "replaced by another file"));
	assert_true(store_in_doubt(store));
	assert_int_equal(rename(moved, place->path), 0);
	assert_int_equal(store_recover(store, NOW, &why), JW_OK);
	store_close(store);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(new_database_is_whole_and_named),
	    TEST(database_is_private),
	    TEST(settings_are_in_force),
	    TEST(commit_is_synced),
	    TEST(foreign_file_is_refused),
	    TEST(foreign_log_is_left_alone),
	    TEST(newer_schema_is_refused),
	    TEST(text_file_is_refused),
	    TEST(garbage_is_refused_whatever_it_is),
	    TEST(damaged_database_is_refused),
	    TEST(symbolic_link_is_refused),
	    TEST(directory_and_fifo_are_refused),
	    TEST(missing_directory_is_named),
	    TEST(second_daemon_is_refused),
	    TEST(empty_file_is_a_new_database),
	    TEST(every_column_of_a_key_set_comes_back),
	    TEST(withdrawals_are_kept),
	    TEST(older_schema_is_brought_up_to_date),
	    TEST(every_column_of_a_generation_comes_back),
	    TEST(verify_only_comes_back),
	    TEST(key_sets_get_their_own_keys_in_order),
	    TEST(load_stops_at_the_first_refusal),
	    TEST(more_generations_than_fit_are_corrupt),
	    TEST(rows_without_sense_are_corrupt),
	    TEST(tombstones_are_found_too),
	    TEST(another_revision_is_a_conflict),
	    TEST(kid_is_never_used_again),
	    TEST(request_id_is_taken_once),
	    TEST(latest_requests_are_kept),
	    TEST(second_signer_is_refused_by_the_database),
	    TEST(living_name_is_taken_once),
	    TEST(unknown_row_is_our_mistake),
	    TEST(sealed_key_is_erased_with_its_fact),
	    TEST(audit_says_who_and_what),
	    TEST(audit_says_what_was_refused),
	    TEST(meta_is_kept_and_replaced),
	    TEST(failed_sync_leaves_the_outcome_open),
	    TEST(full_disk_loses_nothing),
	    TEST(full_disk_makes_no_database),
	    TEST(file_size_limit_loses_nothing),
	    TEST(acknowledged_survives_a_sudden_end),
	    TEST(start_scrubs_what_a_kill_left),
	    TEST(nothing_is_answered_in_doubt),
	    TEST(every_sync_of_a_recovery_counts),
	    TEST(recovery_writes_the_log_again),
	    TEST(recovery_takes_only_the_same_database),
	};

	install_short_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
