//! The harness of the drop-in's tests.
//!
//! A test of the drop-in needs a machine whose utmp, wtmp, users and libutempter it may
//! do with as it likes. A [`World`] is that: the same machine in private mount and pid
//! namespaces, with its own `/run`, `/var/log`, `/dev/pts`, `/tmp` and users, and either
//! Debian's C library or ours in the place where Debian's programs look for it. What
//! runs there ends with it, and the machine's own files are never touched.
//!
//! A [`Case`] that cannot run is reported as ignored, by name and reason, never as ok.

pub mod bounded;
pub mod broker;
pub mod case;
pub mod compile;
pub mod document;
pub mod elf;
pub mod lock;
pub mod part;
pub mod place;
pub mod pty;
pub mod side_by_side;
pub mod table;
pub mod twin;
pub mod utmp;
pub mod world;
pub mod wtmpdbd;

pub use case::{Case, Outcome, Skip, run};
pub use world::{Side, World};
