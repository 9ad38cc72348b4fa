# pkgs.callPackage ./package.nix { }
#
# A file of the Nix store cannot be setgid, so the library looks for the helper where NixOS puts
# wrappers: see module.nix.
{
  lib,
  stdenv,
  cargo,
  rustc,
  rustPlatform,
  src ? ../..,
}:

stdenv.mkDerivation {
  pname = "libutempter";
  version = "2.0.0";
  inherit src;

  cargoDeps = rustPlatform.importCargoLock { lockFile = src + "/Cargo.lock"; };
  nativeBuildInputs = [
    cargo
    rustc
    rustPlatform.cargoSetupHook
  ];

  postPatch = ''
    patchShebangs scripts
    # Wrappers are in one directory, /run/wrappers/bin.
    substituteInPlace build.rs --replace-fail '{}/utempter/utempter' '{}/bin/utempter'
    # A builder may not make setgid files.
    substituteInPlace Makefile --replace-fail '-m 2711' '-m 755'
  '';

  makeFlags = [
    "prefix=$(out)"
    "libexecdir=/run/wrappers"
  ];

  installPhase = ''
    runHook preInstall
    make prefix="$out" libexecdir=/run/wrappers DESTDIR="$PWD/stage" install
    mkdir -p "$out/libexec/utempter"
    cp -r "stage$out/." "$out/"
    cp stage/run/wrappers/utempter/utempter "$out/libexec/utempter/utempter"
    runHook postInstall
  '';

  doCheck = true;
  checkTarget = "test";

  meta = {
    description = "Record terminal sessions in utmp and wtmp";
    license = with lib.licenses; [
      mit
      asl20
    ];
    platforms = lib.platforms.linux;
  };
}
