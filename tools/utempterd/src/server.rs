//! The thread of the sockets. It never waits for anything but the next event: names are looked
//! up and strange descriptors closed elsewhere, and so are records written where a lock is held
//! or a daemon has to be asked.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use login_records::{Errno, Slave, check_host};
use nix::errno::Errno as Error;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{SockFlag, accept4, getsockopt, sockopt};

use crate::client::Client;
use crate::limits::Limits;
use crate::listen::Listener;
use crate::log;
use crate::names::{self, Found, Looked, Names, Whose};
use crate::process;
use crate::protocol::{self, Operation};
use crate::ptys::{Ptys, Removed};
use crate::received::{self, Closing};
use crate::recorder::{Asked, Job, Load, Recorder};
use crate::sys;

/// How long a client may take to send its request.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a client that has been greeted is waited for awake, where no other wants anything.
const AWAKE: Duration = Duration::from_micros(20);
/// How long nobody is accepted where not even a refusal is possible.
const REST: Duration = Duration::from_millis(200);
/// Connections accepted before others' requests are looked at.
const ACCEPTED: usize = 64;

const LISTENER: u64 = 0;
const PTYS: u64 = 1;
const NAMES: u64 = 2;
const STOP: u64 = 3;
const FIRST_CLIENT: u64 = 4;

/// A request that has been checked, but for its sender's name.
struct Checked {
    operation: Operation,
    slave: Slave,
    process: process::Identity,
    host: Vec<u8>,
    client: Client,
}

/// The thread's own.
pub struct Server {
    listener: Listener,
    /// Given up for a moment where there are no more descriptors, to refuse a client with.
    spare: Option<OwnedFd>,
    epoll: Epoll,
    /// Until when nobody is accepted.
    rests: Option<Instant>,
    /// Tells that it is to leave.
    _stop: SignalFd,
    ptys: Option<Ptys>,
    limits: Limits,
    closing: Closing,
    clients: HashMap<u64, Client>,
    /// When each has to have sent its request: in order, as all have the same time.
    deadlines: VecDeque<(Instant, u64)>,
    next: u64,
    names: Names<Checked>,
    found: (Sender<Found>, Receiver<Found>),
    /// The uid that stands for all that have none here.
    nobody: Option<u32>,
    recorder: Arc<Mutex<Recorder>>,
    jobs: Sender<Job>,
    load: Arc<Load>,
    /// How long there has to be nothing to do before the broker leaves.
    idle: Duration,
    busy_until: Instant,
    awake_until: Instant,
}

impl Server {
    /// # Errors
    ///
    /// Where the system has no descriptors left.
    pub fn new(
        listener: Listener,
        ptys: Option<Ptys>,
        nobody: Option<u32>,
        idle: Duration,
        recorder: Arc<Mutex<Recorder>>,
        jobs: Sender<Job>,
        load: Arc<Load>,
    ) -> io::Result<Server> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let event = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
        epoll.add(&listener.socket, event(LISTENER))?;
        epoll.add(&load.wake, event(NAMES))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let stop = SignalFd::with_flags(&stop_signals(), flags)?;
        epoll.add(&stop, event(STOP))?;
        if let Some(ptys) = &ptys {
            epoll.add(ptys, event(PTYS))?;
        }
        Ok(Server {
            listener,
            spare: spare(),
            epoll,
            rests: None,
            _stop: stop,
            ptys,
            limits: Limits::default(),
            closing: Closing::new()?,
            clients: HashMap::new(),
            deadlines: VecDeque::new(),
            next: FIRST_CLIENT,
            names: Names::new(),
            found: channel(),
            nobody,
            recorder,
            jobs,
            load,
            idle,
            busy_until: Instant::now() + idle,
            awake_until: Instant::now(),
        })
    }

    /// Serves until there is nothing to do.
    ///
    /// # Errors
    ///
    /// Where the system does not tell of events any more.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let now = Instant::now();
            self.drop_the_silent(now);
            self.accept_again(now)?;
            let timeout = self.timeout(now);
            let is_awake = now < self.awake_until;
            let timeout = if is_awake { EpollTimeout::ZERO } else { timeout };
            let count = match self.epoll.wait(&mut events, timeout) {
                Err(Error::EINTR) => 0,
                count => count?,
            };
            if count == 0 && is_awake {
                std::thread::yield_now();
                continue;
            }
            self.awake_until = now;
            if count == 0 && self.is_idle() {
                if Instant::now() >= self.busy_until {
                    return Ok(());
                }
            } else if count > 0 {
                self.busy_until = Instant::now() + self.idle;
            }
            for event in events.iter().take(count) {
                match event.data() {
                    LISTENER => self.accept(count == 1),
                    PTYS => self.removed(),
                    NAMES => self.named(),
                    STOP => {
                        self.stop();
                        return Ok(());
                    }
                    client => self.request(client),
                }
            }
        }
    }

    /// Until the next thing to do by the clock: none while sessions are watched.
    fn timeout(&self, now: Instant) -> EpollTimeout {
        let silent = self.deadlines.front().map(|(deadline, _)| *deadline);
        let may_leave = self.load.sessions.load(Relaxed) == 0 || self.load.jobs.load(Relaxed) > 0;
        let idle = (self.listener.is_passed && may_leave).then_some(self.busy_until.max(now));
        let Some(end) = silent.into_iter().chain(idle).chain(self.rests).min() else {
            return EpollTimeout::NONE;
        };
        // One more, so that it is over when it wakes.
        let left = end.saturating_duration_since(now).as_millis() as u32 + 1;
        EpollTimeout::try_from(left).unwrap_or(EpollTimeout::NONE)
    }

    fn is_idle(&self) -> bool {
        let Load { jobs, sessions, .. } = &*self.load;
        let nothing = jobs.load(Relaxed) == 0 && sessions.load(Relaxed) == 0;
        self.listener.is_passed && nothing && self.clients.is_empty() && self.names.is_idle()
    }

    /// `alone`: nobody else has wanted anything.
    fn accept(&mut self, alone: bool) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        for n in 0..ACCEPTED {
            match accept4(self.listener.socket.as_raw_fd(), flags) {
                Ok(fd) => {
                    if let Some(socket) = sys::take(vec![fd]).pop() {
                        self.admit(socket);
                    }
                }
                Err(error @ (Error::EMFILE | Error::ENFILE)) => return self.refuse_one(error),
                Err(Error::ECONNABORTED | Error::EINTR) => {}
                Err(error) => {
                    if error != Error::EAGAIN {
                        return self.rest(error);
                    }
                    if n == 1 && alone {
                        self.awake_until = Instant::now() + AWAKE;
                    }
                    return;
                }
            }
        }
    }

    fn admit(&mut self, socket: OwnedFd) {
        let now = Instant::now();
        let Ok(peer) = getsockopt(&socket, sockopt::PeerCredentials) else {
            return;
        };
        let (pid, uid) = (peer.pid(), peer.uid());
        let welcome = self.nobody != Some(uid) && self.closing.is_free(uid);
        let permit = if welcome { self.limits.admit(uid, now) } else { None };
        let is_admitted = permit.is_some();
        let client = Client::new(socket, (pid, uid), self.closing.clone(), permit);
        // Whoever is refused is not greeted: he goes to the helper, and has sent no master.
        if !is_admitted || !client.greet() {
            return;
        }
        let token = self.next;
        self.next += 1;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLONESHOT;
        let event = EpollEvent::new(flags, token);
        if client.socket().is_some_and(|socket| self.epoll.add(socket, event).is_ok()) {
            self.clients.insert(token, client);
            self.deadlines.push_back((now + SILENCE, token));
        }
    }

    /// No descriptors: the client is refused with the spare one, not left to wait.
    fn refuse_one(&mut self, why: Error) {
        self.spare = None;
        let refused = accept4(self.listener.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC);
        match refused {
            Ok(fd) => {
                drop(sys::take(vec![fd]));
                log::error(format_args!("no more descriptors: {why}"));
            }
            Err(Error::EAGAIN) => {}
            Err(error) => self.rest(error),
        }
        self.spare = spare();
    }

    /// Nobody can be accepted, nor refused: whoever waits goes to the helper. That he waits
    /// would be told again at once.
    fn rest(&mut self, why: Error) {
        log::error(format_args!("cannot accept clients: {why}"));
        let none = &mut EpollEvent::new(EpollFlags::empty(), LISTENER);
        if self.epoll.modify(&self.listener.socket, none).is_ok() {
            self.rests = Some(Instant::now() + REST);
        }
    }

    fn accept_again(&mut self, now: Instant) -> io::Result<()> {
        if self.rests.is_some_and(|until| until <= now) {
            self.rests = None;
            let event = &mut EpollEvent::new(EpollFlags::EPOLLIN, LISTENER);
            self.epoll.modify(&self.listener.socket, event)?;
        }
        Ok(())
    }

    /// Leaves between two records: a signal would end it in the midst of one.
    fn stop(&self) {
        drop(self.recorder.lock().map(|recorder| {
            // No more are written before the process has ended.
            std::mem::forget(recorder);
        }));
    }

    fn drop_the_silent(&mut self, now: Instant) {
        while let Some((deadline, token)) = self.deadlines.front() {
            // Those that have sent theirs are gone from the table.
            if *deadline > now && self.clients.contains_key(token) {
                return;
            }
            self.clients.remove(token);
            self.deadlines.pop_front();
        }
    }

    fn request(&mut self, token: u64) {
        let Some(client) = self.clients.remove(&token) else {
            return;
        };
        // Of what he sends until all is closed, nothing is taken.
        if !self.closing.is_free(client.uid) {
            return;
        }
        let mut room = [0; protocol::LONGEST];
        let message = client.socket().and_then(|socket| received::receive(socket, &mut room));
        let Some(message) = message else {
            return;
        };
        let descriptors = message.descriptors;
        let text = room.get(..message.length).filter(|_| !message.cut);
        let checked = text.ok_or(Errno(libc::EMSGSIZE)).and_then(|text| {
            let request = protocol::parse(text)?;
            let host = check_host(request.host)?.to_vec();
            let process = process::of_peer(client.socket().ok_or(Errno::EBADF)?, client.pid)?;
            let [master] = descriptors.as_slice() else {
                return Err(Errno::EPROTO);
            };
            let slave = claim(master, client.uid)?;
            Ok((request.operation, request.name.to_vec(), host, process, slave))
        });
        // A master that is kept keeps a dead terminal's pty open.
        match &checked {
            Ok(_) => drop(descriptors),
            Err(_) => self.closing.close(client.uid, descriptors),
        }
        match checked {
            Err(errno) => client.answer(Err(errno)),
            Ok((operation, hint, host, process, slave)) => {
                let whose = Whose { uid: client.uid, hint };
                self.name(whose, Checked { operation, slave, process, host, client });
            }
        }
    }

    fn name(&mut self, whose: Whose, checked: Checked) {
        match self.names.look(whose, checked, Instant::now()) {
            Looked::Known(Err(errno), checked) => checked.client.answer(Err(errno)),
            Looked::Known(Ok(user), checked) => {
                let Checked { operation, slave, process, host, client } = checked;
                let begun = None;
                let asked = Asked { operation, slave, process, user, host, client, begun };
                self.record(Box::new(asked));
            }
            Looked::Waits(None) => {}
            Looked::Waits(Some(whose)) => {
                let (found, load) = (self.found.0.clone(), Arc::clone(&self.load));
                let uid = whose.uid;
                let begun = names::look_up(whose, move |name| {
                    let _ = found.send(name);
                    let _ = load.wake.write(1);
                });
                if !begun {
                    for (_, checked) in self.names.give_up(uid) {
                        checked.client.answer(Err(Errno::EAGAIN));
                    }
                }
            }
        }
    }

    fn named(&mut self) {
        let _ = self.load.wake.read();
        while let Ok(found) = self.found.1.try_recv() {
            for (whose, checked) in self.names.found(found, Instant::now()) {
                self.name(whose, checked);
            }
        }
    }

    fn removed(&mut self) {
        let job = match self.ptys.as_ref().map(Ptys::removed) {
            Some(Removed::These(lines)) if lines.is_empty() => return,
            Some(Removed::These(lines)) => Job::Gone(lines),
            Some(Removed::Some) => Job::SomeGone,
            None => return,
        };
        self.send(job);
    }

    /// At once, where nothing is before it and nobody has to be waited for.
    fn record(&self, asked: Box<Asked>) {
        if self.load.jobs.load(Acquire) > 0 {
            return self.send(Job::Record(asked));
        }
        let left = match self.recorder.try_lock() {
            Ok(mut recorder) => recorder.record_at_once(asked),
            Err(_) => Some(asked),
        };
        if let Some(asked) = left {
            self.send(Job::Record(asked));
        }
    }

    fn send(&self, job: Job) {
        self.load.jobs.fetch_add(1, Relaxed);
        let _ = self.jobs.send(job);
    }
}

/// The signals that it leaves at, blocked in all of its threads.
pub fn stop_signals() -> SigSet {
    Signal::SIGTERM | Signal::SIGINT
}

/// Whose pty it is, asked of nothing but a pty.
fn claim(master: &OwnedFd, uid: u32) -> Result<Slave, Errno> {
    if received::is_ptmx(master) {
        return Slave::claimed(master.as_raw_fd(), uid);
    }
    // What claim would say, without touching what may be anybody's.
    let flags = fcntl(master.as_fd(), FcntlArg::F_GETFL).map_err(|error| Errno(error as i32))?;
    let flags = OFlag::from_bits_retain(flags);
    match flags & (OFlag::O_ACCMODE | OFlag::O_PATH) == OFlag::O_RDWR {
        true => Err(Errno::ENOTTY),
        false => Err(Errno::EBADF),
    }
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
