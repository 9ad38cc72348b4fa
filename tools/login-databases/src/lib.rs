//! The databases of logins, for programs that read them and for those that may write them.
//!
//! | to do | with |
//! |---|---|
//! | go through a file of records, of any layout, packed or damaged | [`Input`], [`Forward`], [`Backward`] |
//! | see who has been, newest first | [`History`] |
//! | see who is on | [`now::sessions`] |
//! | step, find and put as `getutxent` and its like do | [`Utmpx`] |
//! | record a login and a logout oneself | [`Databases`] |
//! | see, or say, when an account last logged in | [`lastlog`] |
//!
//! Nothing here takes a read lock: on these world-readable files anybody may hold one for
//! ever, and every writer of the C library would wait for it (sourceware bug 24492).
//!
//! A name in a record is whatever some program has put there. [`printable`] makes it fit for
//! a terminal.
//!
//! # Who is on
//!
//! ```no_run
//! use login_databases::{now, printable};
//!
//! for session in now::sessions(&now::Stores::of_this_machine()).sessions {
//!     println!("{} on {}", printable(&session.user), printable(&session.line));
//! }
//! ```
//!
//! # Who has been
//!
//! ```no_run
//! use login_databases::History;
//!
//! for session in History::of_this_machine()?.take(20) {
//!     let session = session?;
//!     println!("{:?} from {} for {:?} s", session.user, session.login.sec, session.seconds());
//! }
//! # Ok::<(), login_databases::Error>(())
//! ```
#![forbid(unsafe_code)]

mod detect;
mod entry;
mod error;
mod history;
mod input;
mod kind;
pub mod lastlog;
mod login;
pub mod machine;
pub mod now;
mod pairing;
mod plausible;
mod rotated;
mod session;
mod sources;
mod text;
mod utmps;
mod utmpx;
mod walk;
#[cfg(feature = "wtmpdb")]
pub mod wtmpdb;

pub use detect::{Detected, detect};
pub use entry::{Entry, Raw};
pub use error::Error;
pub use history::{Filter, History, Warning};
pub use input::{Input, Packing};
pub use kind::Kind;
pub use login::{Databases, Login};
pub use login_records::{Endian, Layout, Time};
pub use pairing::{Pairing, Step};
pub use rotated::rotated;
pub use session::{End, Session, What};
pub use sources::{Source, is_socket};
pub use text::{is_unfit, printable, text};
pub use utmpx::Utmpx;
pub use walk::{Backward, Forward, Found};
