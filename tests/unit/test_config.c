/*
 * Configurations as files in a directory of their own: what is read, what is
 * refused and with which words, and that the example tells the truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/config.h"
#include "tests/unit/place.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EXAMPLE "packaging/examples/jwksd.conf"

static char directory[64];

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
begin(void **state)
{
	(void)state;
	return place_make(directory, sizeof(directory)) ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void
put_bytes(const char *name, const char *text, size_t len)
{
	FILE *file = fopen(path_of(name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void
make_directory(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0700), 0);
}

/* Load "a.conf"; any error fails the test. */
static struct jw_config *
load(void)
{
	struct jw_config_errors errors = {0};
	struct jw_config *config = NULL;

	if (jw_config_load(path_of("a.conf"), &config, &errors) != JW_OK) {
		fail_msg("%s:%d: %s", errors.rows[0].file, errors.rows[0].line,
		    errors.rows[0].message);
	}
	assert_int_equal(errors.count, 0);
	return config;
}

/* All errors of "a.conf" as "NAME:LINE: MESSAGE\n" without the directory. */
static const char *
errors_of(void)
{
	static char text[65536];
	struct jw_config_errors errors = {0};
	struct jw_config *config = NULL;
	size_t len = 0;

	assert_int_equal(
	    jw_config_load(path_of("a.conf"), &config, &errors), JW_BAD_CONFIG);
	assert_null(config);
	assert_true(errors.count > 0);
	for (size_t i = 0; i < errors.count; i++) {
		const char *file = errors.rows[i].file;

		if (strncmp(file, directory, strlen(directory)) == 0)
			file += strlen(directory) + 1;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s:%d: %s\n", file, errors.rows[i].line,
		    errors.rows[i].message);
		assert_true(len < sizeof(text));
	}
	jw_config_errors_done(&errors);
	assert_null(errors.rows);
	assert_int_equal(errors.count, 0);
	return text;
}

struct wanted {
	const char *section, *key;
	char value[512], origin[512];
	size_t found;
};

static bool
look(const char *section, const char *key, const char *value,
    const char *origin, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(section, wanted->section) == 0 &&
	    strcmp(key, wanted->key) == 0) {
		snprintf(wanted->value, sizeof(wanted->value), "%s", value);
		snprintf(wanted->origin, sizeof(wanted->origin), "%s", origin);
		wanted->found++;
		return false;
	}
	return true;
}

/* A value and its origin, as `jwksctl config` will show them. */
static void
expect_shown(const struct jw_config *config, const char *section,
    const char *key, const char *value, const char *origin)
{
	struct wanted wanted = {.section = section, .key = key};
	const char *shown = wanted.origin;

	jw_config_each(config, look, &wanted);
	assert_int_equal(wanted.found, 1);
	if (strncmp(shown, directory, strlen(directory)) == 0)
		shown += strlen(directory) + 1;
	assert_string_equal(wanted.value, value);
	assert_string_equal(shown, origin);
}

/* ---- what is read ---- */

static void
expect_defaults(const struct jw_config *config)
{
	struct jw_policy policy;

	jw_policy_init(&policy);
	assert_string_equal(config->state_directory, "/var/lib/jwksd");
	assert_string_equal(config->runtime_directory, "/run/jwksd");
	assert_int_equal(config->log_level, JW_LOG_INFO);
	assert_int_equal(config->nlisten, 1);
	assert_int_equal(config->listen[0].kind, JW_LISTEN_INET);
	assert_string_equal(config->listen[0].host, "127.0.0.1");
	assert_int_equal(config->listen[0].port, 7517);
	assert_null(config->listen[0].path);
	assert_string_equal(config->listen[0].text, "127.0.0.1:7517");
	assert_null(config->domain);
	assert_int_equal(config->processes, 1);
	assert_int_equal(config->max_connections, 0);
	assert_string_equal(config->store_path, "/var/lib/jwksd/jwksd.db");
	assert_null(config->admin_group);
	assert_null(config->sign_group);
	assert_null(config->sign_rules);
	assert_string_equal(
	    config->key_encryption_key, "/var/lib/jwksd/jwksd.kek");
	assert_memory_equal(&config->policy, &policy, sizeof(policy));
}

static void
an_empty_file_is_the_defaults(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf", "");
	config = load();
	expect_defaults(config);
	expect_shown(config, "policy", "rotation_period", "30d", "default");
	expect_shown(config, "http", "domain", "", "default");
	jw_config_free(config);
	jw_config_free(NULL);
}

static void
comments_and_blank_lines_are_nothing(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf",
	    "\n# x\n; y = 1\n   # z\n\t\n[policy]\n[daemon]\n\n#[no]\n");
	config = load();
	expect_defaults(config);
	jw_config_free(config);
}

static void
the_default_file_may_be_missing(void **state)
{
	struct jw_config_errors errors = {0};
	struct jw_config *config = NULL;

	(void)state;
	if (access("/etc/jwksd", F_OK) == 0)
		skip();
	assert_int_equal(jw_config_load(NULL, &config, &errors), JW_OK);
	expect_defaults(config);
	jw_config_free(config);
}

static void
every_key_is_read(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf",
	    "[daemon]\nstate_directory = /srv/keys//\n"
	    "runtime_directory=/run/x\nlog_level = debug\n"
	    "[http]\nlisten = 0.0.0.0:80\ndomain = Session.Example.COM.\n"
	    "processes = 64\nmax_connections = 1000\n"
	    "[store]\npath = /srv/db file\n"
	    "[access]\nadmin_group = adm\nsign_group = _sign-er.1\n"
	    "sign_rules = a:default, _sign-er.1:app/* root:* b:app/x\n"
	    "key_encryption_key = /srv/kek\n"
	    "[policy]\nalgorithm = PS384\nrsa_bits = 3072\nmode = manual\n"
	    "rotation_period = 1w 2d\nstandby_count = 2\n");
	config = load();
	assert_string_equal(config->state_directory, "/srv/keys");
	assert_string_equal(config->runtime_directory, "/run/x");
	assert_int_equal(config->log_level, JW_LOG_DEBUG);
	assert_string_equal(config->listen[0].host, "0.0.0.0");
	assert_string_equal(config->domain, "session.example.com");
	assert_int_equal(config->processes, 64);
	assert_int_equal(config->max_connections, 1000);
	assert_string_equal(config->store_path, "/srv/db file");
	assert_string_equal(config->admin_group, "adm");
	assert_string_equal(config->sign_group, "_sign-er.1");
	assert_string_equal(
	    config->sign_rules, "a:default, _sign-er.1:app/* root:* b:app/x");
	assert_string_equal(config->key_encryption_key, "/srv/kek");
	assert_int_equal(config->policy.algorithm, JW_ALG_PS384);
	assert_int_equal(config->policy.rsa_bits, 3072);
	assert_int_equal(config->policy.mode, JW_MODE_MANUAL);
	assert_int_equal(config->policy.rotation_period, 9 * 86400);
	assert_int_equal(config->policy.standby_count, 2);
	expect_shown(config, "daemon", "log_level", "debug", "a.conf:4");
	expect_shown(config, "policy", "rotation_period", "9d", "a.conf:21");
	expect_shown(config, "policy", "algorithm", "PS384", "a.conf:18");
	expect_shown(config, "policy", "mode", "manual", "a.conf:20");
	expect_shown(config, "http", "processes", "64", "a.conf:8");
	jw_config_free(config);
}

static void
files_follow_the_state_directory(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf", "[daemon]\nstate_directory = /srv/keys\n");
	config = load();
	assert_string_equal(config->store_path, "/srv/keys/jwksd.db");
	assert_string_equal(config->anchor, "/srv/keys.anchor");
	assert_string_equal(config->key_encryption_key, "/srv/keys/jwksd.kek");
	jw_config_free(config);
	put("a.conf", "[daemon]\nstate_directory = /\n");
	config = load();
	assert_string_equal(config->state_directory, "/");
	assert_string_equal(config->store_path, "/jwksd.db");
	assert_string_equal(config->anchor, "/jwksd.anchor");
	jw_config_free(config);
}

static void
addresses_are_read(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf",
	    "[http]\nlisten = 1.2.3.4:0,[::1]:65535 , unix:/run/x y\n");
	assert_non_null(strstr(errors_of(), "listen \"y\" has no port"));
	put("a.conf", "[http]\nlisten = 1.2.3.4:0,[0:0::1]:65535 , unix:/run/x "
		      "1.2.3.4:0\n");
	config = load();
	assert_int_equal(config->nlisten, 4);
	assert_string_equal(config->listen[0].host, "1.2.3.4");
	assert_int_equal(config->listen[0].port, 0);
	assert_string_equal(config->listen[1].host, "::1");
	assert_int_equal(config->listen[1].port, 65535);
	assert_string_equal(config->listen[1].text, "[0:0::1]:65535");
	assert_int_equal(config->listen[2].kind, JW_LISTEN_UNIX);
	assert_string_equal(config->listen[2].path, "/run/x");
	assert_int_equal(config->listen[3].port, 0);
	expect_shown(config, "http", "listen",
	    "1.2.3.4:0 [0:0::1]:65535 unix:/run/x 1.2.3.4:0", "a.conf:2");
	jw_config_free(config);
}

static void
drop_ins_override_in_byte_order(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf", "[http]\nprocesses = 2\nlisten = 127.0.0.1:1\n[daemon]\n"
		      "state_directory=/a\nlog_level = error\n");
	make_directory("a.conf.d");
	put("a.conf.d/b.conf", "[http]\nprocesses = 4\nlisten=127.0.0.1:4\n");
	put("a.conf.d/B.conf", "[http]\nprocesses = 3\nlisten=127.0.0.1:3\n");
	put("a.conf.d/10.conf", "[daemon]\nstate_directory = /b\n");
	put("a.conf.d/.hidden.conf", "nonsense\n");
	put("a.conf.d/c.conf.bak", "nonsense\n");
	put("a.conf.d/.conf", "nonsense\n");
	put("a.conf.d/README", "nonsense\n");
	make_directory("a.conf.d/z.conf");
	config = load();
	assert_int_equal(config->processes, 4);
	assert_int_equal(config->nlisten, 1);
	assert_int_equal(config->listen[0].port, 4);
	assert_string_equal(config->state_directory, "/b");
	assert_int_equal(config->log_level, JW_LOG_ERROR);
	expect_shown(config, "http", "processes", "4", "a.conf.d/b.conf:2");
	expect_shown(config, "daemon", "log_level", "error", "a.conf:6");
	jw_config_free(config);
}

static void
other_editors_files_are_read(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf", "\xef\xbb\xbf[http]\r\n\tprocesses = 3\t\r\n\r\n"
		      "  max_connections=7");
	config = load();
	assert_int_equal(config->processes, 3);
	assert_int_equal(config->max_connections, 7);
	expect_shown(config, "http", "max_connections", "7", "a.conf:4");
	jw_config_free(config);
}

static void
the_longest_line_is_read(void **state)
{
	enum { RULES = 5000, LONG_PATH = 4032 };
	static char text[RULES * 20];
	struct jw_config *config;
	size_t len;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), "[access]\nsign_rules =");
	for (int i = 0; i < RULES; i++) {
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, " g%d:a%d", i, i);
	}
	put("a.conf", text);
	config = load();
	assert_string_equal(
	    config->sign_rules, text + strlen("[access]\nsign_rules = "));
	jw_config_free(config);
	snprintf(
	    text, sizeof(text), "[store]\npath = /%0*d\n", LONG_PATH - 1, 7);
	put("a.conf", text);
	config = load();
	assert_int_equal(strlen(config->store_path), LONG_PATH);
	jw_config_free(config);
	snprintf(text, sizeof(text), "[store]\npath = /%0*d\n", LONG_PATH, 7);
	put("a.conf", text);
	assert_string_equal(errors_of(),
	    "a.conf:2: path is 4033 octets long but may be 4032, so that the "
	    "path of a file in it fits\n");
}

static void
lists_add_up_in_a_file(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf",
	    "[http]\nlisten = 127.0.0.1:1\n[access]\nsign_rules = a:b\n"
	    "[http]\nlisten = 127.0.0.1:2 127.0.0.1:3\n"
	    "[access]\nsign_rules = c:d, e:*\n");
	config = load();
	expect_shown(config, "http", "listen",
	    "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3", "a.conf:2");
	expect_shown(
	    config, "access", "sign_rules", "a:b c:d, e:*", "a.conf:4");
	jw_config_free(config);
	make_directory("a.conf.d");
	put("a.conf.d/1.conf",
	    "[access]\nsign_rules = x:y\nsign_rules = z:y\n");
	config = load();
	assert_int_equal(config->nlisten, 3);
	expect_shown(
	    config, "access", "sign_rules", "x:y z:y", "a.conf.d/1.conf:2");
	jw_config_free(config);
	put("a.conf.d/2.conf",
	    "[http]\nlisten = 127.0.0.1:9\nlisten = 127.0.0.1:9\n");
	assert_string_equal(errors_of(),
	    "a.conf.d/2.conf:3: listen \"127.0.0.1:9\" is given twice\n");
}

/* ---- what is refused: one line each ---- */

static const struct {
	const char *text;
	const char *errors;
} bad_lines[] = {
    {"x = 1\n", "a.conf:1: x stands before any section; write [daemon], "
		"[http], [store], [access] or [policy] above it\n"},
    {"[policy]\nrotation_perod = 30d\n",
	"a.conf:2: unknown key rotation_perod in [policy]; did "
	"you mean rotation_period?\n"},
    {"[policy]\nrotationPeriod = 30d\n",
	"a.conf:2: unknown key rotationPeriod in [policy]; did "
	"you mean rotation_period?\n"},
    {"[http]\nlitsen = 127.0.0.1:80\n",
	"a.conf:2: unknown key litsen in [http]; did you mean "
	"listen?\n"},
    {"[http]\nrotation_period = 30d\n",
	"a.conf:2: unknown key rotation_period in [http]; it "
	"belongs to [policy]\n"},
    {"[http]\nrotation_perid = 30d\n",
	"a.conf:2: unknown key rotation_perid in [http]; did you "
	"mean rotation_period in [policy]?\n"},
    {"[access]\nadmn_group = x\n", "a.conf:2: unknown key admn_group in "
				   "[access]; did you mean admin_group?\n"},
    {"[http]\nxyzzy = 1\n",
	"a.conf:2: unknown key xyzzy in [http]; jwksd.conf(5) "
	"lists the keys\n"},
    {"[htpt]\nlisten = 1\n", "a.conf:1: unknown section [htpt]; did you mean "
			     "[http]?\n"},
    {"[HTTP]\n", "a.conf:1: unknown section [HTTP]; did you mean "
		 "[http]?\n"},
    {"[logging]\nanything goes here = 1\n",
	"a.conf:1: unknown section [logging]; there are [daemon], "
	"[http], [store], [access] and [policy]\n"},
    {"[]\n", "a.conf:1: unknown section []; there are [daemon], "
	     "[http], [store], [access] and [policy]\n"},
    {"[http\n", "a.conf:1: the section has no ]; write [NAME]\n"},
    {"[http] x\n", "a.conf:1: something stands after the ]; write [NAME] on "
		   "a line of its own\n"},
    {"[http]\nlisten\n", "a.conf:2: there is no =; write NAME = VALUE\n"},
    {"[http]\nprocesses: 3\n",
	"a.conf:2: there is no = before the \":\"; write NAME = "
	"VALUE\n"},
    {"[http]\nlisten 127.0.0.1:80 = x\n",
	"a.conf:2: there is no = before the \":\"; write NAME = "
	"VALUE\n"},
    {"[http]\n= 3\n", "a.conf:2: no name stands before the =\n"},
    {"[http]\nprocesses =\n",
	"a.conf:2: processes has no value; leave the line out for "
	"the default\n"},
    {"[store]\npath = \"/x\"\n",
	"a.conf:2: path: write the value without quotes\n"},
    {"[store]\npath = /x ; comment\n",
	"a.conf:2: \";\" begins no comment here; write the "
	"comment on a line of its own\n"},
    {"[http]\nprocesses = 3 # comment\n",
	"a.conf:2: \"#\" begins no comment here; write the "
	"comment on a line of its own\n"},
    {"[http]\nprocesses =;3\n",
	"a.conf:2: \";\" begins no comment here; write the "
	"comment on a line of its own\n"},
    {"[http]\nprocesses = 3\nprocesses = 3\n",
	"a.conf:3: processes is given twice in this file, first "
	"in line 2\n"},
    {"[http]\nprocesses = 3\n[daemon]\n[http]\nprocesses = 3\n",
	"a.conf:5: processes is given twice in this file, first "
	"in line 2\n"},
    {"[http]\nprocesses = 2\n  4\n",
	"a.conf:3: there is no =; write NAME = VALUE\n"},
    {"[http]\nprocesses = 2\x01\n",
	"a.conf:2: octet 14 of the line is the control byte 0x01; "
	"write plain text\n"},
    {"[http]\nprocesses = 2\r \n",
	"a.conf:2: octet 14 of the line is the control byte 0x0d; "
	"write plain text\n"},
    {"[http]\nprocesses = 65\n",
	"a.conf:2: processes is \"65\" but must be a number from "
	"0 to 64\n"},
    {"[http]\nprocesses = 0x3\n",
	"a.conf:2: processes is \"0x3\" but must be a number from "
	"0 to 64\n"},
    {"[http]\nprocesses = -1\n",
	"a.conf:2: processes is \"-1\" but must be a number from "
	"0 to 64\n"},
    {"[http]\nprocesses = 4294967297\n",
	"a.conf:2: processes is \"4294967297\" but must be a "
	"number from 0 to 64\n"},
    {"[daemon]\nlog_level = loud\n",
	"a.conf:2: log_level \"loud\" is unknown; it is one of "
	"error, warning, notice, info, debug\n"},
    {"[store]\npath = jwksd.db\n",
	"a.conf:2: path \"jwksd.db\" is not absolute; write the "
	"whole path, beginning with /\n"},
    {"[store]\npath = /srv/\n",
	"a.conf:2: path \"/srv/\" is a directory; write the path "
	"of a file\n"},
#define NO_RULE "\" is not a rule; write GROUP:KEYSET, or * for every key set\n"
    {"[access]\nsign_rules = sessions\n",
	"a.conf:2: sign_rules: \"sessions" NO_RULE},
    {"[access]\nsign_rules = a:b 7:default\n",
	"a.conf:2: sign_rules: \"7:default" NO_RULE},
    {"[access]\nsign_rules = a:\n", "a.conf:2: sign_rules: \"a:" NO_RULE},
    {"[access]\nsign_rules = :b\n", "a.conf:2: sign_rules: \":b" NO_RULE},
    {"[access]\nsign_rules = a:Upper\n",
	"a.conf:2: sign_rules: \"a:Upper" NO_RULE},
    {"[access]\nsign_rules = a:b*\n", "a.conf:2: sign_rules: \"a:b*" NO_RULE},
    {"[access]\nadmin_group = 27\n",
	"a.conf:2: admin_group \"27\" is a number; write the name "
	"of the group\n"},
    {"[access]\nadmin_group = a b\n",
	"a.conf:2: admin_group \"a b\" is not the name of a group; "
	"write one name of letters, digits, _, - and ., at most "
	"32\n"},
    {"[policy]\nrotation_period = 5 fortnights\n",
	"a.conf:2: rotation_period: \"fortnights\" in \"5 "
	"fortnights\" is not a unit; it is one of s, min, h, d, w, "
	"M, y\n"},
    {"[policy]\nalgorithm = eddsa\n",
	"a.conf:2: algorithm \"eddsa\" is unknown; it is one of "
	"RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, "
	"EdDSA, Ed25519, ES512, ES256K, Ed448, ML-DSA-44, "
	"ML-DSA-65, ML-DSA-87; did you mean EdDSA?\n"},
};

static void
lines_are_refused_with_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_lines); i++) {
		put("a.conf", bad_lines[i].text);
		assert_string_equal(errors_of(), bad_lines[i].errors);
	}
}

static void
addresses_are_refused_with_words(void **state)
{
	static const struct {
		const char *value;
		const char *says;
	} rows[] = {
	    {"*:80", "write 0.0.0.0:80 or [::]:80"},
	    {":80", "write 0.0.0.0:80 or [::]:80"},
	    {"localhost:80", "write 127.0.0.1:80 or [::1]:80"},
	    {"LOCALHOST:80", "names are not looked up"},
	    {"example.com:80", "is not an address"},
	    {"80", "is a port alone; write 127.0.0.1:80"},
	    {"127.0.0.1", "has no port"},
	    {"[::1]", "has no port"},
	    {"::1:80", "stands in brackets"},
	    {"[::1:80", "is not an address"},
	    {"[127.0.0.1]:80", "is not an address"},
	    {"[]:80", "is not an address"},
	    {"[:80", "is not an address"},
	    {"127.1:80", "is not an address"},
	    {"0127.0.0.1:80", "is not an address"},
	    {"[fe80::1%eth0]:80", "is not an address"},
	    {"127.0.0.1:", "0 to 65535"},
	    {"127.0.0.1:65536", "0 to 65535"},
	    {"127.0.0.1:http", "0 to 65535"},
	    {"127.0.0.1:-1", "0 to 65535"},
	    {"127.0.0.1:080000", "0 to 65535"},
	    {"unix:", "absolute path"},
	    {"unix:run/x", "absolute path"},
	    {"127.0.0.1:80 127.0.0.1:80", "is given twice"},
	    {"[::1]:80,[0::1]:80", "is given twice"},
	    {"unix:/x unix:/x", "is given twice"},
	    {",", "listen has no address"},
	    {"127.0.0.1:80 x", "listen \"x\""},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *errors;

		snprintf(
		    text, sizeof(text), "[http]\nlisten = %s\n", rows[i].value);
		put("a.conf", text);
		errors = errors_of();
		if (strncmp(errors, "a.conf:2: listen", 16) != 0 ||
		    strstr(errors, rows[i].says) == NULL) {
			fail_msg("\"%s\": %s", rows[i].value, errors);
		}
	}
	snprintf(text, sizeof(text), "[http]\nlisten=unix:/%0107d\n", 1);
	put("a.conf", text);
	assert_non_null(strstr(errors_of(), "at most 107 octets"));
	snprintf(text, sizeof(text), "[http]\nlisten=unix:/%0106d\n", 1);
	put("a.conf", text);
	jw_config_free(load());
}

static void
domains_are_checked(void **state)
{
	static const char *const bad[] = {".", "a..b", ".a", "-a.b", "a-.b",
	    "a_b.c", "*.example.com", "https://example.com", "example.com:80",
	    "127.0.0.1", "1", "a b", "b\303\274cher.de", "a.b.."};
	static const char *const good[] = {
	    "localhost", "a.b", "1a.2b", "x-1.example", "3.com"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "[http]\ndomain = %s\n", bad[i]);
		put("a.conf", text);
		assert_non_null(strstr(errors_of(), "is not a DNS name"));
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		struct jw_config *config;

		snprintf(text, sizeof(text), "[http]\ndomain = %s\n", good[i]);
		put("a.conf", text);
		config = load();
		assert_string_equal(config->domain, good[i]);
		jw_config_free(config);
	}
	/* A label has 63 octets at most. */
	snprintf(text, sizeof(text), "[http]\ndomain = %063d.de\n", 1);
	put("a.conf", text);
	jw_config_free(load());
	snprintf(text, sizeof(text), "[http]\ndomain = %064d.de\n", 1);
	put("a.conf", text);
	assert_non_null(strstr(errors_of(), "is not a DNS name"));
}

static void
a_runtime_directory_leaves_room_for_sockets(void **state)
{
	char text[256];

	(void)state;
	snprintf(
	    text, sizeof(text), "[daemon]\nruntime_directory = /%089d/\n", 1);
	put("a.conf", text);
	jw_config_free(load());
	snprintf(
	    text, sizeof(text), "[daemon]\nruntime_directory = /%090d\n", 1);
	put("a.conf", text);
	assert_string_equal(errors_of(),
	    "a.conf:2: runtime_directory is 91 octets long but may be 90, so "
	    "that the path of a socket in it fits\n");
}

static void
a_nul_byte_is_named(void **state)
{
	static const char text[] = "[http]\nprocesses = 3\0 0\n#\0\nx\n";

	(void)state;
	put_bytes("a.conf", text, sizeof(text) - 1);
	assert_string_equal(errors_of(),
	    "a.conf:2: octet 14 of the line is the control byte 0x00; write "
	    "plain text\n"
	    "a.conf:3: octet 2 of the line is the control byte 0x00; write "
	    "plain text\n"
	    "a.conf:4: there is no =; write NAME = VALUE\n");
}

/* ---- several mistakes, several files ---- */

static void
all_mistakes_come_in_order(void **state)
{
	(void)state;
	put("a.conf",
	    "y = 1\n[http]\nprocesses = no\n[polcy]\nfoo = 1\nbar = 2\n"
	    "[policy]\nrollback_window = 4h\n[store]\npath = x\n");
	make_directory("a.conf.d");
	put("a.conf.d/2.conf", "z\n[http]\nlisten = 1\n");
	put("a.conf.d/1.conf", "[http]\n\n\ndomain = -\n");
	assert_string_equal(errors_of(),
	    "a.conf:1: y stands before any section; write [daemon], [http], "
	    "[store], [access] or [policy] above it\n"
	    "a.conf:3: processes is \"no\" but must be a number from 0 to 64\n"
	    "a.conf:4: unknown section [polcy]; did you mean [policy]?\n"
	    "a.conf:10: path \"x\" is not absolute; write the whole path, "
	    "beginning with /\n"
	    "a.conf.d/1.conf:4: domain \"-\" is not a DNS name; write one as "
	    "session.example.com, without scheme, port or *\n"
	    "a.conf.d/2.conf:1: there is no =; write NAME = VALUE\n"
	    "a.conf.d/2.conf:3: listen \"1\" is a port alone; write "
	    "127.0.0.1:1\n");
}

static void
arithmetic_is_checked_at_the_end(void **state)
{
	(void)state;
	put("a.conf", "[policy]\nrollback_window = 4h\nrotation_period = 1h\n"
		      "[http]\nprocesses = -1\n");
	assert_string_equal(errors_of(),
	    "a.conf:2: rollback_window is 4h but must be at most 2h 6min "
	    "(signer_drain + token_max_ttl + clock_skew + retire_safety)\n"
	    "a.conf:3: rotation_period is 1h but must be longer than 1d 1h "
	    "1min (propagation_delay + verifier_max_age + publish_safety)\n"
	    "a.conf:5: processes is \"-1\" but must be a number from 0 to "
	    "64\n");
}

static void
arithmetic_waits_for_readable_values(void **state)
{
	(void)state;
	put("a.conf",
	    "[policy]\nrotation_period = 1h\nverifier_max_age = 1x\n");
	assert_string_equal(errors_of(),
	    "a.conf:3: verifier_max_age: \"x\" in \"1x\" is not a unit; it is "
	    "one of s, min, h, d, w, M, y\n");
}

static void
a_default_at_fault_blames_who_changed_the_rest(void **state)
{
	(void)state;
	put("a.conf", "[policy]\nverifier_max_age = 20d\npublish_safety = 20d\n"
		      "token_max_ttl = 2h\n");
	assert_string_equal(errors_of(),
	    "a.conf:3: rotation_period is 30d but must be longer than 40d "
	    "1min (propagation_delay + verifier_max_age + "
	    "publish_safety)\n");
	make_directory("a.conf.d");
	put("a.conf.d/1.conf", "[policy]\nverifier_max_age = 25d\n");
	assert_string_equal(errors_of(),
	    "a.conf.d/1.conf:2: rotation_period is 30d but must be longer "
	    "than 45d 1min (propagation_delay + verifier_max_age + "
	    "publish_safety)\n");
}

static void
a_mended_drop_in_mends(void **state)
{
	struct jw_config *config;

	(void)state;
	put("a.conf", "[policy]\nrotation_period = 1h\n");
	make_directory("a.conf.d");
	put("a.conf.d/1.conf", "[policy]\nrotation_period = 60d\n");
	config = load();
	assert_int_equal(config->policy.rotation_period, 60 * 86400);
	jw_config_free(config);
}

static void
unreadable_files_are_errors(void **state)
{
	char big[256 * 1024 + 1];

	(void)state;
	assert_string_equal(errors_of(),
	    "a.conf:0: cannot be read: No such file or directory\n");
	make_directory("a.conf");
	assert_string_equal(errors_of(), "a.conf:0: not a regular file\n");
	assert_int_equal(rmdir(path_of("a.conf")), 0);
	assert_int_equal(mkfifo(path_of("a.conf"), 0600), 0);
	assert_string_equal(errors_of(), "a.conf:0: not a regular file\n");
	assert_int_equal(unlink(path_of("a.conf")), 0);

	memset(big, '\n', sizeof(big));
	put_bytes("a.conf", big, sizeof(big) - 1);
	jw_config_free(load());
	put_bytes("a.conf", big, sizeof(big));
	assert_string_equal(
	    errors_of(), "a.conf:0: longer than 262144 octets\n");

	put("a.conf", "");
	put("a.conf.d", "");
	assert_string_equal(
	    errors_of(), "a.conf.d:0: cannot be listed: Not a directory\n");
	assert_int_equal(unlink(path_of("a.conf.d")), 0);
	make_directory("a.conf.d");
	assert_int_equal(symlink("nowhere", path_of("a.conf.d/1.conf")), 0);
	assert_string_equal(errors_of(),
	    "a.conf.d/1.conf:0: cannot be read: No such file or "
	    "directory\n");
}

static void
dev_null_is_a_configuration(void **state)
{
	struct jw_config_errors errors = {0};
	struct jw_config *config = NULL;

	(void)state;
	assert_int_equal(jw_config_load("/dev/null", &config, &errors), JW_OK);
	expect_defaults(config);
	jw_config_free(config);
	jw_config_errors_done(&errors);
	jw_config_errors_done(NULL);
}

/* ---- the example ---- */

struct example {
	char *rest; /* what has not been compared yet */
	char section[32];
	bool explained;
	size_t keys;
};

/* The next "#name = value" of the example, cut into two. */
static char *
next_key(struct example *example, char **ret_value)
{
	char *line;

	while ((line = strsep(&example->rest, "\n")) != NULL) {
		char *equals = strstr(line, " = ");

		if (sscanf(line, "[%31[a-z]]", example->section) == 1)
			continue;
		if (line[0] == '#' && line[1] == ' ') {
			example->explained = true;
		} else if (line[0] == '#' && equals != NULL) {
			*equals = '\0';
			*ret_value = equals + 3;
			return line + 1;
		}
	}
	return NULL;
}

static bool
compare_example(const char *section, const char *key, const char *value,
    const char *origin, void *arg)
{
	struct example *example = arg;
	char *shown = NULL;
	char *name = next_key(example, &shown);

	(void)origin;
	if (name == NULL)
		fail_msg("the example lacks %s in [%s]", key, section);
	assert_string_equal(name, key);
	assert_string_equal(example->section, section);
	/* Where nothing is the default, the example shows something. */
	if (*value != '\0')
		assert_string_equal(shown, value);
	assert_true(example->explained);
	example->explained = false;
	example->keys++;
	return true;
}

static char *
read_example(void)
{
	FILE *file = fopen(EXAMPLE, "r");
	char *text = calloc(1, 65536);

	/* The tests run at the top of the tree. */
	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void
the_example_is_the_table(void **state)
{
	char *text = read_example(), *shown;
	struct example example = {.rest = text};
	struct jw_config *config;

	(void)state;
	put("a.conf", "");
	config = load();
	jw_config_each(config, compare_example, &example);
	assert_int_equal(example.keys, 30);
	assert_null(next_key(&example, &shown));
	jw_config_free(config);
	free(text);
}

static void
the_example_loads_as_it_is_and_uncommented(void **state)
{
	char *text = read_example();
	struct jw_config *config;

	(void)state;
	put("a.conf", text);
	config = load();
	expect_defaults(config);
	jw_config_free(config);
	for (char *p = text; (p = strstr(p, "\n#")) != NULL; p++) {
		if (p[2] >= 'a' && p[2] <= 'z')
			p[1] = ' ';
	}
	put("a.conf", text);
	config = load();
	assert_string_equal(config->domain, "session.example.com");
	assert_string_equal(config->admin_group, "jwksd-admin");
	assert_string_equal(config->sign_group, "jwksd-sign");
	jw_config_free(config);
	free(text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_empty_file_is_the_defaults),
	    T(comments_and_blank_lines_are_nothing),
	    T(the_default_file_may_be_missing),
	    T(every_key_is_read),
	    T(files_follow_the_state_directory),
	    T(addresses_are_read),
	    T(drop_ins_override_in_byte_order),
	    T(other_editors_files_are_read),
	    T(the_longest_line_is_read),
	    T(lists_add_up_in_a_file),
	    T(lines_are_refused_with_words),
	    T(addresses_are_refused_with_words),
	    T(domains_are_checked),
	    T(a_runtime_directory_leaves_room_for_sockets),
	    T(a_nul_byte_is_named),
	    T(all_mistakes_come_in_order),
	    T(arithmetic_is_checked_at_the_end),
	    T(arithmetic_waits_for_readable_values),
	    T(a_default_at_fault_blames_who_changed_the_rest),
	    T(a_mended_drop_in_mends),
	    T(unreadable_files_are_errors),
	    T(dev_null_is_a_configuration),
	    T(the_example_is_the_table),
	    T(the_example_loads_as_it_is_and_uncommented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
