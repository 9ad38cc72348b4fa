# The broker, which is optional: it is std, needs the system's SQLite, and has a workspace and
# a lock file of its own.

sbindir = $(prefix)/sbin
unitdir = $(prefix)/lib/systemd/system
man7dir = $(mandir)/man7

.PHONY: broker install-broker uninstall-broker bench-broker

# Not where tests build it: those want debug information and overflow checks.
broker_target = $(CARGO_TARGET_DIR)/tools
broker:
	@scripts/check-rust
	$(cargo) build --release --locked --manifest-path tools/Cargo.toml -p utempterd \
		--target-dir '$(broker_target)' $(CARGOFLAGS)

install-broker: broker
	$(INSTALL) -d '$(DESTDIR)$(sbindir)' '$(DESTDIR)$(unitdir)' '$(DESTDIR)$(man7dir)' '$(DESTDIR)$(man8dir)'
	$(INSTALL) -p -m 755 '$(broker_target)/$(if $(CARGO_BUILD_TARGET),$(CARGO_BUILD_TARGET)/)release/utempterd' '$(DESTDIR)$(sbindir)/'
	$(INSTALL) -p -m 644 dist/systemd/utempterd.socket '$(DESTDIR)$(unitdir)/'
	sed 's|/usr/sbin/|$(sbindir)/|' dist/systemd/utempterd.service > '$(DESTDIR)$(unitdir)/utempterd.service'
	chmod 644 '$(DESTDIR)$(unitdir)/utempterd.service'
	$(INSTALL) -p -m 644 man/utempter-protocol.7 '$(DESTDIR)$(man7dir)/'
	$(INSTALL) -p -m 644 man/utempterd.8 '$(DESTDIR)$(man8dir)/'

uninstall-broker:
	rm -f '$(DESTDIR)$(sbindir)/utempterd' '$(DESTDIR)$(unitdir)/utempterd.socket' \
		'$(DESTDIR)$(unitdir)/utempterd.service' '$(DESTDIR)$(man7dir)/utempter-protocol.7' \
		'$(DESTDIR)$(man8dir)/utempterd.8'

# The part of `make bench` that is the broker's.
bench-broker:
	$(MAKE) bench ONLY=small,one-cpu,memory,records,crowd
