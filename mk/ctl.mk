# utempterctl, with its man pages and completions, which it writes itself. Needs the system's SQLite,
# unless TOOLS_CARGOFLAGS=--no-default-features leaves wtmpdb and lastlog2 out.

bashcompdir = $(prefix)/share/bash-completion/completions
fishcompdir = $(prefix)/share/fish/vendor_completions.d
zshcompdir = $(prefix)/share/zsh/site-functions

.PHONY: ctl install-ctl uninstall-ctl

ctl_files = $(tools_target)/generated
# What is built for another machine does not run here: a quick build for this one writes the
# same, and has no need of a second SQLite.
ctl_here = $(if $(CARGO_BUILD_TARGET),$(tools_target)/here/debug,$(tools_release))/utempterctl
build_ctl_here = env -u CARGO_BUILD_TARGET -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS $(cargo) build --locked \
	--manifest-path tools/Cargo.toml --target-dir '$(tools_target)/here' --no-default-features -p utempterctl
ctl:
	@scripts/check-rust
	$(call build_tool,utempterctl)
	$(if $(CARGO_BUILD_TARGET),$(build_ctl_here))
	rm -rf '$(ctl_files)'
	'$(ctl_here)' generate '$(ctl_files)'

install-ctl:
	@$(call built_tool,ctl,utempterctl)
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(man1dir)' '$(DESTDIR)$(bashcompdir)' \
		'$(DESTDIR)$(fishcompdir)' '$(DESTDIR)$(zshcompdir)'
	$(INSTALL) -p -m 755 '$(tools_release)/utempterctl' '$(DESTDIR)$(bindir)/'
	$(INSTALL) -p -m 644 '$(ctl_files)'/man1/*.1 '$(DESTDIR)$(man1dir)/'
	$(INSTALL) -p -m 644 '$(ctl_files)/completions/utempterctl.bash' '$(DESTDIR)$(bashcompdir)/utempterctl'
	$(INSTALL) -p -m 644 '$(ctl_files)/completions/utempterctl.fish' '$(DESTDIR)$(fishcompdir)/'
	$(INSTALL) -p -m 644 '$(ctl_files)/completions/_utempterctl' '$(DESTDIR)$(zshcompdir)/'

uninstall-ctl:
	rm -f '$(DESTDIR)$(bindir)/utempterctl' '$(DESTDIR)$(man1dir)/utempterctl.1' \
		'$(DESTDIR)$(man1dir)'/utempterctl-*.1 '$(DESTDIR)$(bashcompdir)/utempterctl' \
		'$(DESTDIR)$(fishcompdir)/utempterctl.fish' '$(DESTDIR)$(zshcompdir)/_utempterctl'
