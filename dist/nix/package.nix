# pkgs.callPackage ./package.nix { }
#
# A file of the Nix store cannot be setgid, so the library looks for the helper where NixOS puts
# wrappers: see module.nix. utempterctl and utempterd are outputs of their own: programs that are
# linked with the library need none of them, nor SQLite.
{
  lib,
  stdenv,
  cargo,
  pkg-config,
  rustc,
  rustPlatform,
  sqlite,
  src ? ../..,
}:

stdenv.mkDerivation {
  pname = "libutempter";
  version = "2.0.0";
  inherit src;

  outputs = [
    "out"
    "utempterctl"
    "utempterd"
  ];

  # The second workspace's lock has all that the first one's has.
  cargoRoot = "tools";
  cargoDeps = rustPlatform.importCargoLock { lockFile = src + "/tools/Cargo.lock"; };
  nativeBuildInputs = [
    cargo
    pkg-config
    rustc
    rustPlatform.cargoSetupHook
  ];
  buildInputs = [ sqlite ];

  postPatch = ''
    patchShebangs scripts
    # Wrappers are in one directory, /run/wrappers/bin.
    substituteInPlace build.rs --replace-fail '{}/utempter/utempter' '{}/bin/utempter'
    # A builder may not make setgid files.
    substituteInPlace Makefile --replace-fail '-m 2711' '-m 755'
  '';

  makeFlags = [
    "prefix=$(out)"
    # Whichever it were, the wrapper in front of it is a program with a C library.
    "HELPER=dynamic"
    "libexecdir=/run/wrappers"
  ];
  buildFlags = [
    "all"
    "ctl"
    "broker"
  ];

  installPhase = ''
    runHook preInstall
    make prefix="$out" libexecdir=/run/wrappers HELPER=dynamic DESTDIR="$PWD/stage" install
    mkdir -p "$out/libexec/utempter"
    cp -r "stage$out/." "$out/"
    cp stage/run/wrappers/utempter/utempter "$out/libexec/utempter/utempter"
    make prefix="$utempterctl" install-ctl
    make prefix="$utempterd" sbindir="$utempterd/bin" install-broker
    runHook postInstall
  '';

  doCheck = true;
  checkTarget = "test";

  meta = {
    description = "Record terminal sessions in utmp and wtmp";
    license = with lib.licenses; [
      mit
      asl20
      # Crates of utempterctl and utempterd.
      zlib
    ];
    platforms = lib.platforms.linux;
  };
}
