//! Telling people what went wrong. Never on descriptor 1: it may be the pty's master, where
//! output becomes the user's keystrokes.

use crate::message::Message;
use crate::refusal::Refusal;
use crate::sys;

/// Writes the reason to syslog, and with UTEMPTER_DEBUG set to stderr.
pub(crate) fn refused(refusal: &Refusal) {
    let reason = |message: Message| {
        let message = message.text(refusal.what);
        let message = match refusal.path {
            "" => message,
            path => message.text(" ").text(path),
        };
        message.text(": ").text(refusal.errno.name()).text(" (").number(refusal.errno.0).text(")")
    };
    if sys::environment().any(|entry| entry.to_bytes().starts_with(b"UTEMPTER_DEBUG=")) {
        sys::tell_stderr(reason(Message::new().text("utempter: ")).text("\n").bytes());
    }
    if cfg!(feature = "syslog") {
        // Facility authpriv (10), severity err (3): syslog(3). The parent is whom to look at.
        let head = Message::new().text("<83>utempter[").number(sys::pid());
        let head = head.text("]: [ppid=").number(sys::parent()).text("] ");
        sys::tell_syslog(reason(head).bytes());
    }
}
