//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use login_databases::Source;

const AFTER: &str = "\
Exit status:
  0  done, and all is well; also where the reader of the output has left
  1  done, and something is wrong: bytes that are no records, or one of several stores that cannot be read (list, history, dump, \
timeline), a ghost that could not be closed (reap), terminals that would not be recorded (doctor)
  2  wrong usage
  3  a file is missing, cannot be read, or has no records
  4  the privilege is missing
  5  the output could not be written

Environment:
  NO_COLOR  if set, no colours
  TZ        the time zone in which times are shown

With --json the output is one JSON object; \"format\" in it is 1, and is counted up when a \
field changes its meaning or goes. Fields may be added. Times are RFC 3339 in local time, and \
null where there is none; a field NAME_hex stands beside NAME where its bytes are no UTF-8. \
Nothing in a record, whatever it is, reaches a terminal as a control character.";

/// Who is on, who has been, and whether terminals are recorded here.
#[derive(Parser)]
#[command(version, after_long_help = AFTER, max_term_width = 100)]
pub struct Cli {
    /// Write JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    /// Who is on, from every store there is.
    ///
    /// STATE is "on", "stale" where the process is gone, and "ghost" where its pty is gone too.
    /// Read are utmp, utmps' daemon and wtmpdb, as far as they are here; what several have is
    /// shown once, with all their names.
    #[command(
        after_long_help = "JSON: {\"format\", \"boot\", \"sources\", \"sessions\": [{\"user\", \"line\", \
        \"host\", \"pid\", \"login\", \"login_seconds\", \"state\", \"process\", \"terminal\", \
        \"stores\"}]}"
    )]
    List(List),
    /// Sessions, newest first: who was on when, and for how long.
    ///
    /// Read are wtmp and wtmpdb, as far as they are here: wtmpdb by its file or, where that
    /// cannot be read, by its daemon. What both have is shown once.
    ///
    /// Sessions are paired as util-linux's last pairs them. A boot that ends with a crash is
    /// shown up to the next boot, durations are without changes of the clock, and --since and
    /// --until are about logins: a logout that lies outside is used still.
    #[command(
        after_long_help = "JSON: {\"format\", \"sources\", \"sessions\": [{\"kind\": \"login\", \"boot\", \
        \"shutdown\", \"run-level\", \"old-time\" or \"new-time\", \"user\", \"line\", \"host\", \
        \"pid\", \"service\", \"login\", \"login_seconds\", \"logout\", \"logout_seconds\", \"end\": \
        \"logout\", \"down\", \"crash\", \"open\", \"gone\" or \"moment\", \"duration_seconds\", \
        \"clock_change_seconds\", \"source\"}], \"not_records\": [{\"path\", \"offset\", \
        \"length\"}]}"
    )]
    History(History),
    /// The raw records of files of any layout.
    ///
    /// Files may be packed by gzip, xz or zstd. Bytes that are no records, as writes that were
    /// cut short leave them, are reported with their offset.
    #[command(
        after_long_help = "JSON: {\"format\", \"files\": [{\"path\", \"size\", \"packing\", \
        \"record_size\", \"endian\", \"layout_sure\", \"count\", \"records\": [{\"offset\", \
        \"type\", \"type_name\", \"pid\", \"line\", \"id\", \"user\", \"host\", \"termination\", \
        \"exit\", \"session\", \"time\", \"seconds\", \"microseconds\", \"address\"}], \
        \"not_records\": [{\"offset\", \"length\"}]}]}"
    )]
    Dump(Dump),
    /// When accounts last logged in.
    #[command(after_long_help = "JSON: {\"format\", \"logins\": [{\"user\", \"uid\", \"line\", \
        \"host\", \"service\", \"time\", \"seconds\", \"source\"}]}")]
    Lastlog(Lastlog),
    /// Closes the records of sessions whose process and pty are gone.
    ///
    /// Writes the end of each to utmp and wtmp, as its terminal would have done. Needs to be
    /// root, or in group utmp where that may write the files.
    #[command(after_long_help = "JSON: {\"format\", \"reaped\": [{\"user\", \"line\", \"host\", \
        \"pid\", \"login\", \"closed\", \"error\"}]}")]
    Reap(Reap),
    /// What is wrong here, and the command that mends it.
    ///
    /// Opens a pty of its own, has it recorded by the broker and by the helper, as far as they
    /// are here, and looks for the records; this leaves sessions of some milliseconds in the
    /// history. As root, the helper runs as the user who called sudo, or as nobody: root's
    /// terminals would prove little.
    #[command(after_long_help = "JSON: {\"format\", \"recorded\": whether a terminal would be \
        recorded, \"findings\": [{\"check\", \"level\": \"ok\", \"note\", \"warning\" or \
        \"error\", \"finding\", \"cause\", \"remedy\"}]}")]
    Doctor(Doctor),
    /// Who was on when, drawn.
    #[command(after_long_help = "JSON: {\"format\", \"since\", \"until\", \"users\": [{\"user\", \
        \"seconds\", \"spans\": [{\"login\", \"logout\"}]}]}")]
    Timeline(Timeline),
    /// Writes completions and man pages into a directory, for packages.
    #[command(hide = true)]
    Generate {
        /// Where to.
        directory: PathBuf,
    },
}

/// A store of who is on.
#[derive(Clone, Copy, ValueEnum)]
pub enum NowSource {
    /// The file of records.
    Utmp,
    /// The daemon of utmps.
    Utmps,
    /// wtmpdb's file.
    Wtmpdb,
    /// wtmpdb's daemon.
    Wtmpdbd,
}

impl From<NowSource> for Source {
    fn from(source: NowSource) -> Source {
        match source {
            NowSource::Utmp => Source::Utmp,
            NowSource::Utmps => Source::Utmps,
            NowSource::Wtmpdb => Source::Wtmpdb,
            NowSource::Wtmpdbd => Source::WtmpdbDaemon,
        }
    }
}

/// A store of who has been.
#[derive(Clone, Copy, ValueEnum)]
pub enum PastSource {
    /// The file of records, that of utmps too.
    Wtmp,
    /// wtmpdb's file.
    Wtmpdb,
    /// wtmpdb's daemon.
    Wtmpdbd,
}

impl From<PastSource> for Source {
    fn from(source: PastSource) -> Source {
        match source {
            PastSource::Wtmp => Source::Wtmp,
            PastSource::Wtmpdb => Source::Wtmpdb,
            PastSource::Wtmpdbd => Source::WtmpdbDaemon,
        }
    }
}

#[derive(Args)]
pub struct List {
    /// Read this machine's store of this kind, and no other.
    #[arg(long = "source", value_name = "KIND")]
    #[arg(conflicts_with_all = ["utmp", "wtmpdb", "utmps"])]
    pub sources: Vec<NowSource>,
    /// Read this utmp, and no other store that is not named.
    #[arg(long, value_name = "FILE")]
    pub utmp: Vec<PathBuf>,
    /// Read this file of wtmpdb, or ask the daemon of this socket.
    #[arg(long, value_name = "FILE")]
    pub wtmpdb: Vec<PathBuf>,
    /// Ask this daemon of utmps.
    #[arg(long, value_name = "SOCKET")]
    pub utmps: Option<PathBuf>,
}

/// Which files a history is from.
#[derive(Args)]
pub struct Sources {
    /// Read this machine's store of this kind, and no other.
    #[arg(long = "source", value_name = "KIND", conflicts_with = "files")]
    pub sources: Vec<PastSource>,
    /// Read this file, of records or of wtmpdb, or ask wtmpdb's daemon of this socket.
    #[arg(short = 'f', long = "wtmp", visible_alias = "file", visible_alias = "wtmpdb")]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read the older files too that have been rotated away.
    #[arg(long)]
    pub rotated: bool,
    /// Of this user.
    #[arg(short, long = "user", value_name = "NAME")]
    pub users: Vec<String>,
    /// On this terminal.
    #[arg(short, long = "tty", value_name = "LINE")]
    pub lines: Vec<String>,
    /// Begun at this time or later: "2026-11-22", "2026-11-22 14:30", "yesterday", "3 days ago".
    #[arg(short, long, value_name = "TIME")]
    pub since: Option<String>,
    /// Begun at this time or earlier.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

#[derive(Args)]
pub struct History {
    #[command(flatten)]
    pub sources: Sources,
    /// No more than this many.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub limit: Option<u64>,
    /// Shutdowns, run levels and changes of the clock too.
    #[arg(short = 'x', long)]
    pub system: bool,
}

#[derive(Args)]
pub struct Dump {
    /// Files of records.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only path, size, record size and number of each file.
    #[arg(long)]
    pub count: bool,
    /// Bytes of a record: 382, 384, 392 or 400. Detected, if not given.
    #[arg(long, value_name = "BYTES")]
    pub record_size: Option<usize>,
    /// Byte order. This machine's, if a record size is given and this is not.
    #[arg(long, value_name = "ORDER", requires = "record_size")]
    pub endian: Option<Order>,
}

/// Byte order of a file.
#[derive(Clone, Copy, ValueEnum)]
pub enum Order {
    Little,
    Big,
}

#[derive(Args)]
pub struct Lastlog {
    /// Read this file, lastlog or lastlog2, instead of this machine's.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Of this account.
    #[arg(short, long = "user", value_name = "NAME")]
    pub users: Vec<String>,
}

#[derive(Args)]
pub struct Reap {
    /// The utmp to reap in.
    #[arg(long, value_name = "FILE")]
    pub utmp: Option<PathBuf>,
    /// The wtmp to write the ends to. With --utmp and without this: none.
    #[arg(long, value_name = "FILE")]
    pub wtmp: Option<PathBuf>,
    /// Only say what would be closed.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct Doctor {
    /// The helper, where it is in none of the usual places.
    #[arg(long, value_name = "PATH")]
    pub helper: Option<PathBuf>,
}

#[derive(Args)]
pub struct Timeline {
    #[command(flatten)]
    pub sources: Sources,
    /// Draw it as SVG, into this file ("-": standard output).
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}
