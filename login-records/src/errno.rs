//! An error as the system names it.

use core::ffi::c_int;

/// An `errno` value, never 0. See errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

macro_rules! names {
    ($($name:ident)*) => {
        impl Errno {
            $(#[allow(missing_docs)] pub const $name: Errno = Errno(libc::$name);)*

            /// The constant's name as errno(3) has it, or `"?"` for one this crate never meets.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $(libc::$name => stringify!($name),)*
                    _ => "?",
                }
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EBUSY
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE
    EROFS EPIPE ERANGE ENAMETOOLONG ENOSYS ELOOP EOVERFLOW EDQUOT ETIMEDOUT ECONNREFUSED ESTALE
    EPROTO ECONNRESET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_constant_s() {
        assert_eq!(Errno::ENOENT.name(), "ENOENT");
        assert_eq!(Errno(libc::EXDEV), Errno::EXDEV);
        assert_eq!(Errno(100_000).name(), "?");
    }
}
