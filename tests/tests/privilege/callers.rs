//! Callers that have privileges themselves.

use utempter_tests::world::{ALICE, BOB};

use crate::attempt::{Attempt, Result};
use crate::scene::{Expect, Row};

use Expect::{Recorded, Refused};

const A: (u32, u32) = (ALICE.uid, ALICE.gid);

fn caller(real: (u32, u32), effective: (u32, u32)) -> Result<Attempt> {
    let mut attempt = Attempt::new()?;
    (attempt.real, attempt.effective) = (real, effective);
    Ok(attempt)
}

pub fn rows() -> Vec<Row> {
    vec![
        // The real uid is who asks; the rest has been lent.
        Row::new("a setuid root caller, for alice", Recorded, Recorded, |_| caller(A, (0, A.1))),
        Row::new("a setuid root caller, her pty, for bob", Refused(1), Refused(1), |_| {
            caller((BOB.uid, BOB.gid), (0, BOB.gid))
        }),
        Row::new("a setuid bob caller, for alice", Recorded, Recorded, |_| {
            caller(A, (BOB.uid, A.1))
        }),
        Row::new("a setuid root caller, pid 1 named", Refused(1), Recorded, |_| {
            Ok(caller(A, (0, A.1))?.env("UTEMPTER_PID=1"))
        }),
        Row::new("a setgid caller", Recorded, Recorded, |_| caller(A, (A.0, 5))),
        Row::new("a setgid root caller", Recorded, Recorded, |_| caller(A, (A.0, 0))),
        Row::new("root, having taken alice's uid for a while", Refused(1), Refused(1), |_| {
            caller((0, 0), A)
        }),
    ]
}
