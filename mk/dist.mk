# Release tarballs and packages. Included by the Makefile.

.PHONY: dist dist-vendored

dist:
	@scripts/dist
dist-vendored:
	@scripts/dist vendored
