/*
 * Any bytes as a configuration file: a configuration or a list of mistakes,
 * never a crash.  What loads is written out and has to load again the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	char data[1 << 20];
	size_t len;
};

static bool
collect(const char *section, const char *key, const char *value,
    const char *origin, void *arg)
{
	struct text *text = arg;

	if (strcmp(origin, "default") != 0) {
		text->len += (size_t)snprintf(text->data + text->len,
		    sizeof(text->data) - text->len, "[%s]\n%s=%s\n", section,
		    key, value);
	}
	return true;
}

/* Frees what comes back; false for a configuration that was refused. */
static bool
load(const void *data, size_t size, struct text *ret_text)
{
	struct jw_config_errors errors = {0};
	struct jw_config *config = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];
	enum jw_err err;

	if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = jw_config_load(path, &config, &errors);
	if ((err == JW_OK) != (errors.count == 0) ||
	    (err == JW_OK) != (config != NULL)) {
		abort();
	}
	ret_text->len = 0;
	if (err == JW_OK)
		jw_config_each(config, collect, ret_text);
	jw_config_free(config);
	jw_config_errors_done(&errors);
	close(fd);
	return err == JW_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct text first, second;

	if (!load(data, size, &first))
		return 0;
	if (!load(first.data, first.len, &second) || first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0) {
		abort();
	}
	return 0;
}
