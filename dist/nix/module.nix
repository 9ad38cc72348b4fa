# imports = [ ./module.nix ];
{ pkgs, ... }:

let
  libutempter = pkgs.callPackage ./package.nix { };
in
{
  security.wrappers.utempter = {
    source = "${libutempter}/libexec/utempter/utempter";
    owner = "root";
    group = "utmp";
    setuid = false;
    setgid = true;
  };
}
