//! What makes setgid count for nothing.

use std::fs;

use super::finding::{Finding, Level};

/// Adds what it finds, and says whether no_new_privs is set. A broker needs no setgid.
pub fn check(broker: bool, findings: &mut Vec<Finding>) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let no_new_privs = status
        .lines()
        .find_map(|line| line.strip_prefix("NoNewPrivs:"))
        .is_some_and(|value| value.trim() == "1");
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let own_users = !is_whole(&map);
    if broker && (no_new_privs || own_users) {
        let what = if no_new_privs {
            "no_new_privs is set for this process"
        } else {
            "this is a user namespace"
        };
        findings.push(
            Finding::new("privileges", Level::Note, what)
                .cause("setgid is void here, or not sure to count: the broker does without"),
        );
        return no_new_privs;
    }
    if no_new_privs {
        findings.push(
            Finding::new("privileges", Level::Error, "no_new_privs is set for this process")
                .cause(
                    "something above it (systemd's NoNewPrivileges=, a container, a sandbox) has \
                     made setgid void for all that it starts",
                )
                .remedy(
                    "start terminals outside of that, or let the broker utempterd record them: \
                     systemctl enable --now utempterd.socket",
                ),
        );
    }
    if own_users {
        findings.push(
            Finding::new("privileges", Level::Warning, "this is a user namespace")
                .cause("setgid counts only where the group has a number in here")
                .remedy("let the broker utempterd of the host record terminals, or map group utmp"),
        );
    }
    if !no_new_privs && !own_users {
        findings.push(Finding::new("privileges", Level::Ok, "setgid counts here"));
    }
    no_new_privs
}

/// Whether all uids are mapped to themselves (user_namespaces(7)).
fn is_whole(map: &str) -> bool {
    let numbers: Vec<&str> = map.split_whitespace().collect();
    // Where it cannot be read nothing is known against it.
    numbers.is_empty() || numbers == ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_user_namespaces() {
        assert!(is_whole("         0          0 4294967295\n"));
        assert!(!is_whole("         0       1000          1\n"));
        assert!(!is_whole("0 1000 1\n1 100000 65536\n"));
    }
}
