# jwksd: one Makefile, not recursive.
#
#   make            the three programs, in build/
#   make run        a daemon of your own under build/run, to try things
#   make check      every test
#   make unit       the unit tests alone
#   make lint       clang-format, clang-tidy, cppcheck
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS and B (the build directory) are honoured.

B ?= build
CC ?= cc
CFLAGS ?= -O2 -g
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla
WERROR ?= -Werror
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DJWKSD_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -pthread $(WARN) $(WERROR) $(CFLAGS)
ALL_LDFLAGS = -pthread $(CFLAGS) $(LDFLAGS)

PKG = $(shell pkg-config --libs $(1))

COMMON := $(patsubst %.c,$(B)/%.o,$(wildcard common/*.c))
DAEMON := $(patsubst %.c,$(B)/%.o,$(filter-out daemon/main.c,$(wildcard daemon/*.c)))
FRONT  := $(patsubst %.c,$(B)/%.o,$(filter-out daemon/http/main.c,$(wildcard daemon/http/*.c)))
CTL    := $(patsubst %.c,$(B)/%.o,$(filter-out ctl/main.c,$(wildcard ctl/*.c)))
UNIT   := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: all unit clean
all: $(B)/jwksd $(B)/jwksd-http $(B)/jwksctl

$(B)/libcommon.a: $(COMMON) $(B)/gen/varlink_text.o
$(B)/libdaemon.a: $(DAEMON) $(B)/gen/sql_text.o
$(B)/libfront.a: $(FRONT)
$(B)/libctl.a: $(CTL)
$(B)/%.a:
	rm -f $@; $(AR) rcs $@ $^

# Which program may touch which library.
$(B)/jwksd: $(B)/daemon/main.o $(B)/libdaemon.a $(B)/libcommon.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call PKG,sqlite3 libcrypto jansson libevent_core inih libsystemd)
$(B)/jwksd-http: $(B)/daemon/http/main.o $(B)/libfront.a $(B)/libcommon.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call PKG,libevent_core libevent_extra jansson inih libsystemd)
$(B)/jwksctl: $(B)/ctl/main.o $(B)/libctl.a $(B)/libcommon.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call PKG,jansson inih smartcols)

$(B)/unit/test_%: $(B)/tests/unit/test_%.o $(B)/libdaemon.a $(B)/libfront.a $(B)/libctl.a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call PKG,cmocka sqlite3 libcrypto jansson libevent_core libevent_extra inih libsystemd smartcols)

unit: $(UNIT)
	@fail=0; for t in $(UNIT); do $$t || fail=1; done; exit $$fail

# Text that the programs carry: interface descriptions and migrations.
$(B)/gen/varlink_text.c: $(wildcard common/*.varlink) common/embed.sh
	@mkdir -p $(@D)
	sh common/embed.sh varlink $(filter %.varlink,$^) > $@
$(B)/gen/sql_text.c: $(wildcard sql/*.sql) common/embed.sh
	@mkdir -p $(@D)
	sh common/embed.sh sql $(filter %.sql,$^) > $@

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(B)

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
