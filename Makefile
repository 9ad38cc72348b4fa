# Builds by cargo alone, and installs what the C library's Makefile installs, by the same
# targets and variables. `make help` lists both.

DESTDIR =
prefix = /usr
libdir = $(prefix)/lib
libexecdir = $(prefix)/lib
includedir = $(prefix)/include
mandir = $(prefix)/share/man
man3dir = $(mandir)/man3
man8dir = $(mandir)/man8
pkgconfigdir = $(libdir)/pkgconfig

CARGO ?= cargo
CARGOFLAGS ?=
CARGO_TARGET_DIR ?= target
# lld links the library within cargo; where there is none, GNU ld makes it from the static archive.
LINKER ?= auto
# auto: on x86-64 and aarch64 `utempter` is the freestanding helper, with `utempter-nss` beside it
# for what that leaves to it. dynamic: `utempter` is the dynamic one, alone.
HELPER ?= auto
INSTALL = install
LN_S = ln -sfn

version := $(shell sed -n '/^version = "\(.*\)"/{s//\1/p;q;}' Cargo.toml)
rust_version := $(shell sed -n '/^rust-version = "\(.*\)"/{s//\1/p;q;}' Cargo.toml)
# What `make` leaves for `make install`, which then needs no cargo (root often has none).
built = $(CARGO_TARGET_DIR)/built
functions = utempter_add_record utempter_remove_record utempter_remove_added_record \
	utempter_set_helper addToUtmp removeFromUtmp removeLineFromUtmp
triplet = $(or $(shell $(CC) -print-multiarch 2>/dev/null),$(shell uname -m)-linux-gnu)
# No jobserver: cargo has its own.
cargo = MAKEFLAGS= $(CARGO)

export AR CARGO CARGOFLAGS CARGO_TARGET_DIR CC HELPER LDFLAGS LINKER MAKE
export DESTDIR FULL libexecdir built functions version rust_version
export BUILT ONLY WRITE

.PHONY: all install uninstall stage stage-gnu-ld test check demo fuzz bench header clean help

all:
	@scripts/check-rust
	@scripts/build

install:
	@scripts/check-install
	@scripts/up-to-date || $(MAKE) all
	$(INSTALL) -d '$(DESTDIR)$(libdir)' '$(DESTDIR)$(libexecdir)/utempter' '$(DESTDIR)$(includedir)' \
		'$(DESTDIR)$(pkgconfigdir)' '$(DESTDIR)$(man3dir)' '$(DESTDIR)$(man8dir)'
	$(INSTALL) -p -m 755 '$(built)/libutempter.so.$(version)' '$(DESTDIR)$(libdir)/'
	$(LN_S) libutempter.so.$(version) '$(DESTDIR)$(libdir)/libutempter.so.0'
	$(LN_S) libutempter.so.0 '$(DESTDIR)$(libdir)/libutempter.so'
	$(INSTALL) -p -m 644 '$(built)/libutempter.a' '$(DESTDIR)$(libdir)/'
	$(INSTALL) -p -m 644 include/utempter.h '$(DESTDIR)$(includedir)/'
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
		-e 's|@version@|$(version)|' pkgconfig/libutempter.pc.in \
		> '$(DESTDIR)$(pkgconfigdir)/libutempter.pc'
	chmod 644 '$(DESTDIR)$(pkgconfigdir)/libutempter.pc'
	$(INSTALL) -p -m 644 man/utempter.3 '$(DESTDIR)$(man3dir)/'
	$(INSTALL) -p -m 644 man/utempter.8 '$(DESTDIR)$(man8dir)/'
	for name in libutempter $(functions); do \
		printf '.so man3/utempter.3\n' > '$(DESTDIR)$(man3dir)/'$$name.3 || exit 1; \
		chmod 644 '$(DESTDIR)$(man3dir)/'$$name.3 || exit 1; \
	done
	for name in utempter-nss utempter; do \
		[ -e '$(built)/'$$name ] || { rm -f '$(DESTDIR)$(libexecdir)/utempter/'$$name; continue; }; \
		$(INSTALL) -p -m 2711 $(if $(DESTDIR),,-o root -g utmp) '$(built)/'$$name \
			'$(DESTDIR)$(libexecdir)/utempter/'$$name || exit 1; \
	done

uninstall:
	rm -f '$(DESTDIR)$(libdir)/libutempter.so.$(version)' '$(DESTDIR)$(libdir)/libutempter.so.0' \
		'$(DESTDIR)$(libdir)/libutempter.so' '$(DESTDIR)$(libdir)/libutempter.a' \
		'$(DESTDIR)$(includedir)/utempter.h' '$(DESTDIR)$(pkgconfigdir)/libutempter.pc' \
		'$(DESTDIR)$(man8dir)/utempter.8' '$(DESTDIR)$(libexecdir)/utempter/utempter' \
		'$(DESTDIR)$(libexecdir)/utempter/utempter-nss'
	for name in utempter libutempter $(functions); do rm -f '$(DESTDIR)$(man3dir)/'$$name.3; done
	rmdir '$(DESTDIR)$(libexecdir)/utempter' 2>/dev/null || :

# Whole trees, as a package would have them, for the tests to read.
stage = $(MAKE) install prefix=/usr libdir=/usr/lib/$(triplet) libexecdir=/usr/lib/$(triplet)
stage:
	rm -rf '$(CARGO_TARGET_DIR)/stage' '$(CARGO_TARGET_DIR)/built-stage'
	$(stage) DESTDIR='$(abspath $(CARGO_TARGET_DIR))/stage' built='$(CARGO_TARGET_DIR)/built-stage'
	if pkg-config --exists sqlite3; then \
		$(MAKE) install-broker prefix=/usr DESTDIR='$(abspath $(CARGO_TARGET_DIR))/stage'; \
	else echo "The broker is left out: it needs SQLite's headers (Debian's libsqlite3-dev)."; fi
stage-gnu-ld:
	rm -rf '$(CARGO_TARGET_DIR)/stage-gnu-ld' '$(CARGO_TARGET_DIR)/built-stage-gnu-ld'
	$(stage) DESTDIR='$(abspath $(CARGO_TARGET_DIR))/stage-gnu-ld' \
		built='$(CARGO_TARGET_DIR)/built-stage-gnu-ld' LINKER=gnu

test:
	@scripts/check-rust
	$(cargo) test --workspace --locked $(CARGOFLAGS)

check:
	@scripts/check-rust
	@scripts/check

demo:
	@scripts/check-rust
	@demo/run

# Seconds each of the parsers is fuzzed.
SECONDS = 30
fuzz:
	@scripts/fuzz.sh $(SECONDS)

# As root: namespaces, and Debian's libutempter0. WRITE=1: docs/performance.md too.
bench: stage stage-gnu-ld
	@scripts/check-rust
	@scripts/bench

header:
	cbindgen --config cbindgen.toml --output include/utempter.h src/capi.rs

clean:
	$(cargo) clean
	rm -rf '$(CARGO_TARGET_DIR)'

include mk/tools.mk mk/broker.mk mk/ctl.mk
-include mk/dist.mk

help:
	@cat scripts/help
