//! Properties of records on disk: every layout, the ids, and what a store leaves of others'.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use login_records::store::{Patience, RecordFile, Utmp, Wtmp};
use login_records::{Endian, Layout, Line, Record, Session, Time, USER_PROCESS, ut_id};
use nix::libc;
use proptest::prelude::*;
use utempter_tests::{side_by_side, utmp};

fn cases() -> ProptestConfig {
    let cases = if side_by_side::full() { 20_000 } else { 500 };
    // A failure is printed whole; the source tree is no place for notes of it.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn layout() -> impl Strategy<Value = Layout> {
    (0..Layout::ALL.len(), any::<bool>()).prop_map(|(number, big)| {
        Layout::ALL[number].with_endian(if big { Endian::Big } else { Endian::Little })
    })
}

prop_compose! {
    /// Any record that fits in 32-bit seconds.
    fn record()(
        ut_type in any::<i16>(),
        pid in any::<i32>(),
        line in any::<[u8; 32]>(),
        id in any::<[u8; 4]>(),
        user in any::<[u8; 32]>(),
        host in any::<[[u8; 16]; 16]>(),
        (termination, exit, session) in any::<(i16, i16, i32)>(),
        (sec, usec) in any::<(u32, i32)>(),
        addr in any::<[u32; 4]>(),
    ) -> Record {
        let mut whole = [0; 256];
        whole.copy_from_slice(host.as_flattened());
        Record {
            ut_type, pid, line, id, user, host: whole, termination, exit,
            session: session.into(), time: Time { sec: sec.into(), usec }, addr,
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_encoded_is_decoded(record in record(), layout in layout()) {
        let bytes = layout.encode(&record);
        prop_assert_eq!(layout.decode(&bytes[..layout.size()]), Some(record));
        prop_assert!(bytes[layout.size()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn seconds_beyond_32_bits_are_kept_where_there_is_room(
        record in record(),
        sec in any::<i64>(),
    ) {
        let record = Record { time: Time { sec, ..record.time }, ..record };
        for layout in [Layout::TIME64, Layout::TIME64_PACKED] {
            let bytes = layout.encode(&record);
            prop_assert_eq!(layout.decode(&bytes).map(|again| again.time.sec), Some(sec));
        }
        for layout in [Layout::TIME32, Layout::M68K] {
            let bytes = layout.encode(&record);
            let low = i64::from(sec as u32);
            prop_assert_eq!(layout.decode(&bytes).map(|again| again.time.sec), Some(low));
        }
    }

    #[test]
    fn any_bytes_are_a_record_or_too_few(
        bytes in proptest::collection::vec(any::<u8>(), 0..420),
        layout in layout(),
    ) {
        match layout.decode(&bytes) {
            None => prop_assert!(bytes.len() < layout.size()),
            Some(record) => {
                prop_assert!(bytes.len() >= layout.size());
                prop_assert_eq!(layout.decode(&layout.encode(&record)), Some(record));
            }
        }
    }

    #[test]
    fn a_second_reader_of_384_bytes_reads_the_same(record in record()) {
        let bytes = Layout::TIME32.encode(&record);
        let other = utmp::decode(&bytes[..utmp::SIZE]).expect("one record")[0];
        let text = |field: &[u8]| {
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            field[..end].escape_ascii().to_string()
        };
        prop_assert_eq!(other.ut_type(), record.ut_type);
        prop_assert_eq!(other.pid(), record.pid);
        prop_assert!(other.line().starts_with(&text(&record.line)));
        prop_assert!(other.id().starts_with(&text(&record.id)));
        prop_assert!(other.user().starts_with(&text(&record.user)));
        prop_assert!(other.host().starts_with(&text(&record.host)));
        prop_assert_eq!(i64::from(other.seconds()), record.time.sec);
        prop_assert_eq!(other.microseconds(), record.time.usec);
    }

    #[test]
    fn two_ptys_never_share_an_id(one in 0_u32..1 << 20, other in 0_u32..1 << 20) {
        prop_assume!(one != other);
        prop_assert_ne!(Line::pts(one).id(), Line::pts(other).id());
    }

    #[test]
    fn below_10000_an_id_is_the_last_four_bytes(number in 0_u32..10_000) {
        let name = format!("pts/{number}");
        prop_assert_eq!(&Line::pts(number).id()[..], &name.as_bytes()[name.len() - 4..]);
    }

    #[test]
    fn any_line_has_an_id(line in any::<[u8; 32]>()) {
        let id = ut_id(&line);
        prop_assert_eq!(id == [0; 4], line[0] == 0);
    }
}

/// The layout of this machine is its C library's `struct utmpx`.
#[test]
fn this_machine_s_layout_is_the_c_library_s() {
    use core::mem::{offset_of, size_of};
    assert_eq!(Layout::NATIVE.size(), size_of::<libc::utmpx>());
    let one_at = |record: Record| {
        let (with, without) =
            (Layout::NATIVE.encode(&record), Layout::NATIVE.encode(&Record::EMPTY));
        let mut places = (0..with.len()).filter(|at| with[*at] != without[*at]);
        places.next().expect("a field")
    };
    let mut line = [0; 32];
    line[0] = 1;
    let mut host = [0; 256];
    host[0] = 1;
    let time = |sec, usec| Time { sec, usec };
    // Every number has its first byte set, whatever the byte order.
    let ones = 0x0101_0101;
    let seconds_at = offset_of!(libc::utmpx, ut_tv);
    for (record, at) in [
        (Record { ut_type: 0x0101, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_type)),
        (Record { pid: ones, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_pid)),
        (Record { line, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_line)),
        (Record { id: [1; 4], ..Record::EMPTY }, offset_of!(libc::utmpx, ut_id)),
        (Record { user: line, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_user)),
        (Record { host, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_host)),
        (Record { termination: 0x0101, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_exit)),
        (Record { exit: 0x0101, ..Record::EMPTY }, offset_of!(libc::utmpx, ut_exit) + 2),
        (Record { time: time(ones.into(), 0), ..Record::EMPTY }, seconds_at),
        (Record { addr: [0x0101_0101; 4], ..Record::EMPTY }, offset_of!(libc::utmpx, ut_addr_v6)),
    ] {
        assert_eq!(one_at(record), at, "{record:?}");
    }
}

/// Something that happens to a line.
#[derive(Clone, Copy, Debug)]
enum Event {
    Login(u32),
    Logout(u32),
}

fn event() -> impl Strategy<Value = Event> {
    // Few lines, so that they meet; two of them with the same last four bytes.
    let line = prop::sample::select(vec![0_u32, 1, 2, 1234, 11_234, 21_234]);
    (line, any::<bool>())
        .prop_map(|(line, login)| if login { Event::Login(line) } else { Event::Logout(line) })
}

/// A record of another program, on a line that may be one of ours.
fn foreign() -> impl Strategy<Value = Record> {
    (record(), 0_i16..10, prop::option::of(prop::sample::select(vec![0_u32, 1, 1234]))).prop_map(
        |(record, ut_type, line)| {
            let line = line.map_or(record.line, |number| *Line::pts(number).bytes());
            Record { ut_type, line, ..record }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 10, ..cases() })]

    /// Whatever was there before, and in whatever order lines come and go: the file is whole,
    /// a line that is on is on once, one that is off is off, and no other record has changed.
    #[test]
    fn utmp_holds_who_is_on(
        before in proptest::collection::vec(foreign(), 0..20),
        torn in 0..Layout::NATIVE.size(),
        events in proptest::collection::vec(event(), 1..30),
    ) {
        let layout = Layout::NATIVE;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("utmp");
        let mut bytes: Vec<u8> =
            before.iter().flat_map(|record| layout.encode(record)[..layout.size()].to_vec()).collect();
        bytes.extend(vec![7; torn]);
        fs::write(&path, bytes).expect("a utmp");
        let c_path = CString::new(path.as_os_str().as_bytes()).expect("a path");
        let file = RecordFile::open(&c_path).expect("a utmp").expect("one that exists");

        for (time, event) in (1..).zip(&events) {
            let time = Time { sec: time, usec: 0 };
            let (number, login) = match *event {
                Event::Login(number) => (number, true),
                Event::Logout(number) => (number, false),
            };
            let line = Line::pts(number);
            let session = Session { line, pid: 77, user: b"alice", host: b"here" };
            let written = if login { session.login(time) } else { session.logout(time) };
            Utmp(&file).put(&written, &mut Patience::default()).expect("a record written");

            let now = fs::read(&path).expect("utmp");
            prop_assert_eq!(now.len() % layout.size(), 0, "whole records");
            let now: Vec<Record> =
                now.chunks(layout.size()).map(|bytes| layout.decode(bytes).expect("whole")).collect();
            let live = |record: &&Record| record.line == *line.bytes() && record.ut_type == USER_PROCESS;
            prop_assert_eq!(now.iter().filter(live).count(), usize::from(login));
            prop_assert_eq!(now.iter().filter(|record| **record == written).count(), 1);
            let touched: Vec<[u8; 32]> = [0, 1, 2, 1234, 11_234, 21_234]
                .map(|number| *Line::pts(number).bytes()).to_vec();
            for (was, is) in before.iter().zip(&now) {
                if !touched.contains(&was.line) {
                    prop_assert_eq!(was, is);
                }
            }
        }
    }

    #[test]
    fn wtmp_holds_everything_in_order(
        before in proptest::collection::vec(foreign(), 0..5),
        torn in 0..Layout::NATIVE.size(),
        after in proptest::collection::vec(foreign(), 1..10),
    ) {
        let layout = Layout::NATIVE;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("wtmp");
        let mut bytes: Vec<u8> =
            before.iter().flat_map(|record| layout.encode(record)[..layout.size()].to_vec()).collect();
        bytes.extend(vec![7; torn]);
        fs::write(&path, bytes).expect("a wtmp");
        let c_path = CString::new(path.as_os_str().as_bytes()).expect("a path");
        let file = RecordFile::open(&c_path).expect("a wtmp").expect("one that exists");
        for record in &after {
            Wtmp(&file).append(record, &mut Patience::default()).expect("a record written");
        }
        let now = fs::read(&path).expect("wtmp");
        let now: Vec<Record> =
            now.chunks(layout.size()).map(|bytes| layout.decode(bytes).expect("whole")).collect();
        prop_assert_eq!(now, [before, after].concat());
    }
}
