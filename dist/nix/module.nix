# imports = [ ./module.nix ];
# services.utempterd.enable = true;   # optional
{
  config,
  lib,
  pkgs,
  ...
}:

let
  libutempter = pkgs.callPackage ./package.nix { };
in
{
  options.services.utempterd.enable = lib.mkEnableOption "the recorder of terminal sessions, utempterd";

  config = lib.mkMerge [
    {
      security.wrappers.utempter = {
        source = "${libutempter}/libexec/utempter/utempter";
        owner = "root";
        group = "utmp";
        setuid = false;
        setgid = true;
      };
      environment.systemPackages = [ libutempter.utempterctl ];
    }
    (lib.mkIf config.services.utempterd.enable {
      # The package's own units. NixOS does not carry out [Install].
      systemd.packages = [ libutempter.utempterd ];
      systemd.sockets.utempterd.wantedBy = [ "sockets.target" ];
    })
  ];
}
