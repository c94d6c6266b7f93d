# jwksd: one Makefile, not recursive.
#
#   make                 the three programs, in build/
#   make run             a daemon of your own under build/run, to try things
#   make check           what that needs, and every test
#   make unit            the unit tests alone
#   make lint            clang-format, clang-tidy, cppcheck
#   make check-asan      every test under ASan and UBSan (gcc)
#   make check-clang     every test, built with clang
#   make check-valgrind  a tour of the real programs under valgrind
#   make wide            times on i386, all code read for s390x
#   make interop         every default algorithm against every JWT library
#   make bench           what tests/bench measures
#   make fuzz            each fuzzer for FUZZ_SECONDS
#   make prove           simulation and all faults for longer: ROUNDS,
#                        KILLS, CUTS, ALLOCATIONS, SEED
#   make coverage        lines and branches of the lifecycle, by its tests
#   make mutation        does a test notice each small mistake in it, and a
#                        sample of those elsewhere (ALL=1: every one)?
#   make install         into DESTDIR and PREFIX
#   make deb             the Debian package, in build/deb
#   make deb-check       what lintian, blhc and a second build say of it
#   make boot-test       install it in Debian 12 and 13, booted for real
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS and B (the build directory) are honoured;
# WERROR= lets warnings pass, V=1 shows every command as it is run.  Changed
# flags rebuild what they touch.

B ?= build
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR ?= $(PREFIX)/share/zsh/vendor-completions
LISTEN ?= 127.0.0.1:7517
FUZZ_SECONDS ?= 60
ROUNDS ?= 50000
SEED ?=
KILLS ?= 1000
CUTS ?= 300
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla
WERROR ?= -Werror
# Fortified functions need the optimizer, and hide from the sanitizers.
NO_FORTIFY := -O0 -fsanitize=% -D_FORTIFY_SOURCE=% -U_FORTIFY_SOURCE
HARDEN := -fstack-protector-strong -fPIE $(if $(filter $(NO_FORTIFY), \
	$(CFLAGS) $(CPPFLAGS)),,-D_FORTIFY_SOURCE=2)
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DJWKSD_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -pthread $(WARN) $(WERROR) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = -pthread -fPIE -pie -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)

# One short line for each file that is made, or its whole command; with -s none.
V ?=
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
SAY = $(if $(V),,@$(if $(SILENT),,printf '  %-4s %s\n' $(1) $@;))

PKG = $(shell pkg-config --libs $(1))
LIBS := sqlite3 libcrypto jansson libevent_core libevent_extra libsystemd smartcols

objects = $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(wildcard $(1))))
COMMON := $(call objects,common/*/*.c)
DAEMON := $(filter-out $(B)/daemon/http/%, \
	$(call objects,daemon/*.c daemon/*/*.c))
FRONT := $(call objects,daemon/http/*.c)
CTL := $(call objects,ctl/*.c ctl/*/*.c)
# Tables of interface descriptions.
interfaces = $(patsubst %.varlink,$(B)/gen/%.o,$(wildcard $(1)))
INTERFACES := $(call interfaces,common/wire/*.varlink)
UNIT_INTERFACES := $(call interfaces,tests/unit/*.varlink)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
# What tests and benches need beside the programs themselves.
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(filter-out \
	%_shim.c,$(wildcard tests/tools/*.c))) \
	$(patsubst tests/tools/%.c,$(B)/tools/%.so,$(wildcard \
	tests/tools/*_shim.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# Sanitized programs carry their options: the front starts without any
# environment that could.
SANITIZE := $(if $(findstring -fsanitize=address,$(CFLAGS)), \
	$(B)/tests/sanitize/options.o)

.PHONY: all programs run unit check check-asan check-clang check-valgrind \
	lint wide interop bench fuzz fuzzers prove coverage mutation install deb \
	deb-check boot-test clean FORCE
all: $(B)/jwksd $(B)/jwksd-http $(B)/jwksctl
programs: all $(UNIT) $(TOOLS)

$(B)/libcommon.a: $(COMMON) $(INTERFACES)
$(B)/libdaemon.a: $(DAEMON) $(B)/gen/sql_text.o
$(B)/libfront.a: $(FRONT)
$(B)/libctl.a: $(CTL) $(B)/gen/help_text.o
$(B)/libunit.a: $(UNIT_INTERFACES)
$(B)/%.a: $(B)/.sources
	$(call SAY,AR)rm -f $@; $(AR) rcs $@ $(filter %.o,$^)

# Which program may touch which library.
LINK = $(call SAY,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)
$(B)/jwksd: $(B)/daemon/main.o $(SANITIZE) $(B)/libdaemon.a $(B)/libcommon.a
	$(LINK) $(call PKG,sqlite3 libcrypto jansson libevent_core libsystemd)
$(B)/jwksd-http: $(B)/daemon/http/main.o $(SANITIZE) $(B)/libfront.a \
		$(B)/libcommon.a
	$(LINK) $(call PKG,libevent_core libevent_extra jansson libsystemd)
$(B)/jwksctl: $(B)/ctl/main.o $(SANITIZE) $(B)/libctl.a $(B)/libcommon.a
	$(LINK) $(call PKG,jansson smartcols)

ARCHIVES := $(B)/libdaemon.a $(B)/libfront.a $(B)/libctl.a $(B)/libcommon.a
$(B)/unit/test_%: $(B)/tests/unit/test_%.o $(SANITIZE) $(ARCHIVES) \
		$(B)/libunit.a
	@mkdir -p $(@D)
	$(LINK) $(call PKG,cmocka $(LIBS))
$(B)/tools/%.so: tests/tools/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARN) $(WERROR) -fPIC -shared \
		-o $@ $<
$(B)/tools/%: $(B)/tests/tools/%.o $(SANITIZE) $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $(call PKG,$(LIBS))
$(B)/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $(call PKG,$(LIBS))

# What the programs carry: interface descriptions, migrations and help.
$(B)/gen/%.c: %.varlink common/varlink.awk
	@mkdir -p $(@D)
	$(call SAY,GEN)awk -f common/varlink.awk $< > $@
$(B)/gen/sql_text.c: $(wildcard sql/*.sql) common/embed.sh $(B)/.sources
	@mkdir -p $(@D)
	$(call SAY,GEN)sh common/embed.sh sql $(filter %.sql,$^) > $@
$(B)/gen/help_text.c: ctl/help.txt common/embed.sh
	@mkdir -p $(@D)
	$(call SAY,GEN)sh common/embed.sh help $< > $@

$(B)/tests/sanitize/options.o: CPPFLAGS += -DREPORTS='"$(abspath $(B))/reports"'
$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c $(B)/.flags
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Stamps that change only when what they say does.
$(B)/.flags: STAMP = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(B)/.sources: STAMP = $(COMMON) $(DAEMON) $(FRONT) $(CTL) \
	$(INTERFACES) $(UNIT_INTERFACES) $(wildcard sql/*.sql)
$(B)/.sources: | $(B)/.flags
$(B)/.flags $(B)/.sources: FORCE
	@pkg-config --exists $(LIBS) 2>/dev/null || { \
		echo 'jwksd: libraries to build with are missing;' \
		    'packaging/dev/prepare run installs them' >&2; exit 69; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(STAMP))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(STAMP))' > $@

# ---- people's targets ----

# A make of ours that builds in parallel unless the caller said otherwise.
BUILD = $(MAKE) --no-print-directory \
	$(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc))

run:
	@packaging/dev/prepare run
	@$(BUILD) all
	@LISTEN='$(LISTEN)' packaging/dev/run $(B)

unit: $(UNIT)
	@tests/run --build $(B) unit

check:
	@packaging/dev/prepare run check
	@$(BUILD) programs
	@tests/run --build $(B)

check-asan:
	@packaging/dev/prepare run check
	@$(BUILD) programs B=build-asan CC=gcc CFLAGS='-O1 -g \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-fno-omit-frame-pointer'
	@tests/run --build build-asan --slow 3

check-clang:
	@packaging/dev/prepare run check clang
	@$(BUILD) programs B=build-clang CC=clang
	@tests/run --build build-clang

check-valgrind:
	@packaging/dev/prepare run check
	@$(BUILD) programs
	@tests/run --build $(B) --slow 10 --valgrind \
		tests/integration/test_tour.py

lint:
	@packaging/dev/prepare run check lint
	@tests/lint/run

wide:
	@packaging/dev/prepare run check wide || \
		echo 'jwksd: make wide goes on with what is here' >&2
	@tests/wide/run $(B)

interop: GO = GOPATH=/usr/share/gocode GO111MODULE=off GOFLAGS= \
	GOCACHE=$(abspath build/interop/go-cache) go
interop:
	@packaging/dev/prepare run check interop
	@$(BUILD) programs
	@$(GO) build -o build/interop/go-oidc \
		tests/interop/verifiers/use_go_oidc.go
	@tests/run --build $(B) matrix tests/interop/test_examples.py

bench:
	@packaging/dev/prepare run check
	@$(BUILD) all $(TOOLS)
	@status=0; for f in tests/bench/[a-z]*.py; do echo "== $$f"; \
		JWKSD_BUILD=$(abspath $(B)) python3 -B "$$f" || status=1; \
		done; exit $$status

prove:
	@packaging/dev/prepare run check
	@$(BUILD) all $(TOOLS) $(B)/unit/test_simulation
	@JWKSD_ROUNDS=$(ROUNDS) JWKSD_SEED=$(SEED) $(B)/unit/test_simulation
	@KILLS=$(KILLS) CUTS=$(CUTS) ALLOCATIONS=$(ALLOCATIONS) SEED=$(SEED) \
		python3 -B tests/faults/prove.py $(B)

coverage:
	@packaging/dev/prepare run check
	@CC='$(CC)' tests/coverage/run

mutation:
	@packaging/dev/prepare run check
	@CC='$(CC)' tests/mutation/mutate.py
	@CC='$(CC)' tests/mutation/tree.py $(if $(ALL),--all)

fuzzers: $(FUZZ)
fuzz:
	@packaging/dev/prepare run clang fuzz
	@$(BUILD) fuzzers B=build-fuzz CC=clang CFLAGS='-O1 -g \
		-fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all'
	@tests/fuzz/run build-fuzz $(FUZZ_SECONDS)

# $(call put,MODE,DIRECTORY,FILES): -D makes the directories.
put = install -D -m $(1) -t $(DESTDIR)$(2) $(3)
# $(call put_as,FILE,PATH): under another name.
put_as = install -D -m 644 $(1) $(DESTDIR)$(2)
P := packaging
LIB = $(PREFIX)/lib
SHARE = $(PREFIX)/share
install: all
	$(call put,755,$(PREFIX)/sbin,$(B)/jwksd $(B)/jwksd-http)
	$(call put,755,$(PREFIX)/bin,$(B)/jwksctl)
	$(call put,644,$(UNITDIR),$(wildcard $P/systemd/*.socket) $P/systemd/jwksd.target)
	for unit in jwksd jwksd-http; do \
		sed 's|=/usr/\(s\{0,1\}bin\)/|=$(PREFIX)/\1/|' \
		    $P/systemd/$$unit.service >$(B)/$$unit.service && \
		$(call put,644,$(UNITDIR),$(B)/$$unit.service) || exit 1; \
	done
	$(call put_as,$P/systemd/jwksd.sysusers,$(LIB)/sysusers.d/jwksd.conf)
	$(call put_as,$P/systemd/jwksd.tmpfiles,$(LIB)/tmpfiles.d/jwksd.conf)
	$(call put_as,$P/systemd/jwksd.preset,$(LIB)/systemd/system-preset/80-jwksd.preset)
	$(call put,644,$(LIB)/systemd/catalog,$P/systemd/jwksd.catalog)
	for page in $(wildcard $P/man/*.[1-8]); do \
		$(call put,644,$(SHARE)/man/man$${page##*.},$$page) || exit 1; \
	done
	$(call put_as,$P/completions/jwksctl.bash,$(SHARE)/bash-completion/completions/jwksctl)
	$(call put,644,$(ZSHDIR),$P/completions/_jwksctl)
	$(call put,644,$(SHARE)/fish/vendor_completions.d,$P/completions/jwksctl.fish)
	$(call put,644,$(SHARE)/varlink,$(wildcard common/wire/org.jwksd.*.varlink))
	install -d $(DESTDIR)$(SHARE)/doc/jwksd
	cp -R --no-preserve=ownership $P/examples $(DESTDIR)$(SHARE)/doc/jwksd
	install -d $(DESTDIR)$(SYSCONFDIR)/jwksd/jwksd.conf.d
	test -e $(DESTDIR)$(SYSCONFDIR)/jwksd/jwksd.conf || \
		$(call put,644,$(SYSCONFDIR)/jwksd,$P/examples/jwksd.conf)

deb:
	@$P/dev/prepare run deb
	@$P/dev/deb build/deb

deb-check:
	@$P/dev/prepare run deb deb-check
	@tests/package/run build

boot-test:
	@tests/boot/run build

clean:
	rm -rf build build-asan build-clang build-fuzz build-coverage \
		build-mutation $(B)

.SECONDARY:
# So that a description that was refused is refused again.
.DELETE_ON_ERROR:
-include $(shell find $(B) -path $(B)/boot -prune -o -type f -name '*.d' -print \
	2>/dev/null)
