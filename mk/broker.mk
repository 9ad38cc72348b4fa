# The broker, utempterd. Needs the system's SQLite.

unitdir = $(prefix)/lib/systemd/system
initdir = $(sysconfdir)/init.d
svdir = $(sysconfdir)/sv

.PHONY: broker install-broker install-broker-openrc install-broker-s6 uninstall-broker bench-broker

broker:
	@scripts/check-rust
	$(call build_tool,utempterd)

install-broker:
	@$(call built_tool,broker,utempterd)
	$(INSTALL) -d '$(DESTDIR)$(sbindir)' '$(DESTDIR)$(unitdir)' '$(DESTDIR)$(man7dir)' '$(DESTDIR)$(man8dir)'
	$(INSTALL) -p -m 755 '$(tools_release)/utempterd' '$(DESTDIR)$(sbindir)/'
	$(INSTALL) -p -m 644 dist/systemd/utempterd.socket '$(DESTDIR)$(unitdir)/'
	sed 's|/usr/sbin/|$(sbindir)/|' dist/systemd/utempterd.service > '$(DESTDIR)$(unitdir)/utempterd.service'
	chmod 644 '$(DESTDIR)$(unitdir)/utempterd.service'
	$(INSTALL) -p -m 644 man/utempter-protocol.7 '$(DESTDIR)$(man7dir)/'
	$(INSTALL) -p -m 644 man/utempterd.8 '$(DESTDIR)$(man8dir)/'

# For service managers other than systemd, beside it.
install-broker-openrc:
	$(INSTALL) -d '$(DESTDIR)$(initdir)'
	sed 's|/usr/sbin/|$(sbindir)/|' dist/openrc/utempterd > '$(DESTDIR)$(initdir)/utempterd'
	chmod 755 '$(DESTDIR)$(initdir)/utempterd'

# A service directory, for s6, runit and daemontools.
install-broker-s6:
	$(INSTALL) -d '$(DESTDIR)$(svdir)/utempterd'
	sed 's|/usr/sbin/|$(sbindir)/|' dist/s6/utempterd/run > '$(DESTDIR)$(svdir)/utempterd/run'
	chmod 755 '$(DESTDIR)$(svdir)/utempterd/run'

uninstall-broker:
	rm -f '$(DESTDIR)$(sbindir)/utempterd' '$(DESTDIR)$(unitdir)/utempterd.socket' \
		'$(DESTDIR)$(unitdir)/utempterd.service' '$(DESTDIR)$(man7dir)/utempter-protocol.7' \
		'$(DESTDIR)$(man8dir)/utempterd.8' '$(DESTDIR)$(initdir)/utempterd' \
		'$(DESTDIR)$(svdir)/utempterd/run'
	rmdir '$(DESTDIR)$(svdir)/utempterd' 2>/dev/null || :

# The part of `make bench` that is the broker's.
bench-broker:
	$(MAKE) bench ONLY=small,one-cpu,memory,records,crowd
