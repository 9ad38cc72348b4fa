# What the programs of the second workspace have in common. They are optional: they are std, and
# have a workspace and a lock file of their own.

bindir = $(prefix)/bin
sbindir = $(prefix)/sbin
sysconfdir = /etc
man1dir = $(mandir)/man1
man7dir = $(mandir)/man7

# CARGOFLAGS may choose features of the library, which these programs do not have.
TOOLS_CARGOFLAGS ?= $(CARGOFLAGS)

# Beside the tests, whose builds are of another profile.
tools_target = $(CARGO_TARGET_DIR)/tools
tools_release = $(tools_target)/$(if $(CARGO_BUILD_TARGET),$(CARGO_BUILD_TARGET)/)release
# Called with the program's name, which is its package's too.
build_tool = $(cargo) rustc --release --locked --manifest-path tools/Cargo.toml \
	--target-dir '$(tools_target)' $(TOOLS_CARGOFLAGS) -p $(1) --bin $(1) -- $$(scripts/link-args)
# Called with the target that builds and the program's name. Root often has no cargo: what the
# target has left is installed then.
built_tool = if command -v $(firstword $(CARGO)) > /dev/null || ! [ -x '$(tools_release)/$(2)' ]; then \
	$(MAKE) $(1); fi
