//! A child process that answers questions through shared memory.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::Instant;

use super::memory::{Mapping, Plain};
use super::process::{Death, Status, errno};

/// How long a child may go without any progress before it is killed.
const STALL: Duration = Duration::from_secs(10);

/// How long a killed child may take to be gone.
const BURIAL: Duration = Duration::from_secs(5);

/// A question and its answer in shared memory, answered by a child.
pub(crate) trait Serve: Plain {
    /// Reads the question and writes the answer, counting up `progress` at least every few seconds.
    ///
    /// # Safety
    /// Runs in a forked child with every signal blocked, and owns `this` until it returns. It only makes system calls
    /// that are safe in a signal handler, allocates nothing and does not panic.
    unsafe fn serve(this: *mut Self, progress: &AtomicU64);
}

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
struct Channel<T> {
    progress: AtomicU64,
    body: T,
}

// SAFETY: an atomic integer and plain data.
unsafe impl<T: Plain> Plain for Channel<T> {}

/// A child that serves `T`. It has `no_new_privs`, blocks all signals, dumps no core and ends when its parent does.
#[derive(Debug)]
pub(crate) struct Worker<T: Serve> {
    pid: libc::pid_t,
    socket: OwnedFd,
    memory: Mapping<Channel<T>>,
    buried: Option<Death>,
}

impl<T: Serve> Worker<T> {
    /// Forks a child.
    pub(crate) fn spawn() -> io::Result<Self> {
        let memory = Mapping::<Channel<T>>::new()?;
        let (ours, theirs) = socket_pair()?;
        // SAFETY: the child runs `serve_forever` and nothing else, which keeps to what is allowed after a fork.
        match unsafe { fork_deaf() }? {
            0 => serve_forever(theirs.as_raw_fd(), memory.as_ptr()),
            pid => Ok(Self {
                pid,
                socket: ours,
                memory,
                buried: None,
            }),
        }
    }

    /// The question and answer, which are the parent's while it is not asking.
    pub(crate) fn body(&mut self) -> &mut T {
        // SAFETY: the mapping lives as long as `self` and is plain data. The child touches it only between receiving a
        // question and answering it, and `ask` holds `&mut self` for all of that time; when a child fails to answer,
        // `ask` either sees it and its own children gone or gives up the mapping.
        unsafe { &mut (*self.memory.as_ptr()).body }
    }

    /// Has the child answer. When it does not, it is dead and buried, and `body` is as it left it.
    pub(crate) fn ask(&mut self) -> Result<(), Death> {
        if let Some(death) = self.buried {
            return Err(death);
        }
        // SAFETY: one byte of a live array is sent.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), b"?".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
        if sent != 1 {
            return Err(self.bury(None));
        }
        loop {
            let before = self.progress();
            match wait_readable(self.socket.as_raw_fd(), STALL) {
                true if receive(self.socket.as_raw_fd()) == Some(1) => return Ok(()),
                true => return Err(self.bury(None)),
                false if self.progress() != before => {}
                false => return Err(self.bury(Some(Death::Stuck(STALL.as_secs())))),
            }
        }
    }

    fn progress(&self) -> u64 {
        // SAFETY: the mapping lives as long as `self`, and the counter is atomic.
        unsafe { (*self.memory.as_ptr()).progress.load(Ordering::Relaxed) }
    }

    /// Kills the child and waits until it and its children are gone.
    fn bury(&mut self, cause: Option<Death>) -> Death {
        if let Some(death) = self.buried {
            return death;
        }
        // A child that hung up is ending by itself, and how it ends is worth knowing.
        let grace = if cause.is_none() {
            Duration::from_millis(200)
        } else {
            Duration::ZERO
        };
        let end = wait_for(self.pid, grace).or_else(|| {
            kill(self.pid);
            wait_for(self.pid, BURIAL)
        });
        let death = cause.or(end).unwrap_or(Death::Stuck(BURIAL.as_secs()));
        self.buried = Some(death);
        // A child's child shares the socket. Only when the last of them is gone is the memory ours alone.
        if end.is_none() || !hung_up(self.socket.as_raw_fd()) {
            self.give_up_memory();
        }
        death
    }

    /// Leaves the memory to whoever still writes to it.
    fn give_up_memory(&mut self) {
        if let Ok(fresh) = Mapping::new() {
            core::mem::forget(core::mem::replace(&mut self.memory, fresh));
        }
    }
}

impl<T: Serve> Drop for Worker<T> {
    fn drop(&mut self) {
        if self.buried.is_none() {
            kill(self.pid);
            self.bury(None);
        }
    }
}

/// The life of a child.
fn serve_forever<T: Serve>(socket: RawFd, channel: *mut Channel<T>) -> ! {
    prepare(socket);
    loop {
        let mut byte = 0_u8;
        // SAFETY: one byte is read into a live variable.
        let got = unsafe { libc::read(socket, (&raw mut byte).cast(), 1) };
        if got < 0 && errno() == libc::EINTR {
            continue;
        }
        if got != 1 {
            // SAFETY: ends the process without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: the mapping is inherited, and the parent leaves it alone until it is answered.
        unsafe { T::serve(&raw mut (*channel).body, &(*channel).progress) };
        // SAFETY: one byte of a live array is sent.
        let sent = unsafe { libc::send(socket, b"!".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
        if sent != 1 {
            // SAFETY: as above.
            unsafe { libc::_exit(0) };
        }
    }
}

/// Forks a child that does nothing and ends when the other end of a pipe is closed.
pub(crate) fn fork_sentinel(pipe: &impl AsRawFd) -> io::Result<libc::pid_t> {
    let pipe = pipe.as_raw_fd();
    // SAFETY: the child only makes plain system calls: it reads into a live variable until nothing more can come.
    unsafe {
        match fork_deaf()? {
            0 => {
                prepare(pipe);
                let mut byte = 0_u8;
                while libc::read(pipe, (&raw mut byte).cast(), 1) > 0 {}
                libc::_exit(0)
            }
            pid => Ok(pid),
        }
    }
}

/// Forks a child that blocks every signal from its first instruction on. The caller hears those that come meanwhile later.
///
/// # Safety
/// As for `fork`: the child makes plain system calls only.
unsafe fn fork_deaf() -> io::Result<libc::pid_t> {
    // SAFETY: live structures, of which zeroes are values.
    unsafe {
        let mut all = core::mem::zeroed::<libc::sigset_t>();
        let mut before = core::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let pid = libc::fork();
        let error = io::Error::last_os_error();
        if pid != 0 {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, core::ptr::null_mut());
        }
        if pid < 0 { Err(error) } else { Ok(pid) }
    }
}

/// Kills a child that the caller has not waited for.
pub(crate) fn kill(pid: libc::pid_t) {
    // SAFETY: touches no memory.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Cuts a new child off from its parent's signals, files and privileges.
fn prepare(socket: RawFd) {
    // SAFETY: plain system calls on local values. Blocking every signal means that no handler of the parent runs here.
    // Children of the child must be waited for, so SIGCHLD is not ignored. A process that is not dumpable writes no
    // core, starts no core handler, and before Linux 5.16 takes no process with the same memory with it.
    unsafe {
        let mut all = core::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, core::ptr::null_mut());
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    close_all_but(socket);
}

/// Closes every file but one: a child must not keep the parent's pipes and terminals, nor its siblings' sockets, open.
fn close_all_but(keep: RawFd) {
    let close_range = |first: libc::c_long, last: libc::c_long| {
        // SAFETY: closes files of a process that uses none of them.
        first > last || unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0
    };
    let keep = libc::c_long::from(keep);
    let most = libc::c_long::from(i32::MAX);
    if close_range(0, keep.wrapping_sub(1)) && close_range(keep.wrapping_add(1), most) {
        return;
    }
    // Before Linux 5.9 there is no `close_range`.
    for file in 0..4096 {
        if libc::c_long::from(file) != keep {
            // SAFETY: as above.
            unsafe { libc::close(file) };
        }
    }
}

fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the call fills an array of two files.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both files are new and owned by nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])) })
}

/// Whether something can be received within the time.
fn wait_readable(socket: RawFd, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let mut wanted = libc::pollfd {
            fd: socket,
            events: libc::POLLIN,
            revents: 0,
        };
        let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one live structure is given.
        match unsafe { libc::poll(&raw mut wanted, 1, millis) } {
            0 => return false,
            -1 if errno() == libc::EINTR => {}
            // An error shows when receiving.
            _ => return true,
        }
    }
}

/// Whether the last holder of the other side is gone, or soon is.
fn hung_up(socket: RawFd) -> bool {
    while wait_readable(socket, BURIAL) {
        match receive(socket) {
            Some(0) => return true,
            // A late answer.
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// How many bytes came: 1, or 0 when the other side is gone.
fn receive(socket: RawFd) -> Option<usize> {
    let mut byte = 0_u8;
    loop {
        // SAFETY: one byte is received into a live variable.
        let got = unsafe { libc::recv(socket, (&raw mut byte).cast(), 1, libc::MSG_DONTWAIT) };
        match got {
            // A child that died between question and answer leaves the question behind.
            -1 if errno() == libc::ECONNRESET => return Some(0),
            -1 if errno() == libc::EINTR => {}
            got => return usize::try_from(got).ok(),
        }
    }
}

/// Waits for a child to end.
fn wait_for(pid: libc::pid_t, limit: Duration) -> Option<Death> {
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the status is written to a live variable.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 if start.elapsed() >= limit => return None,
            0 => thread::sleep(Duration::from_millis(1)),
            -1 if errno() == libc::EINTR => {}
            -1 => return Some(Death::Unknown),
            _ => return Some(Death::Ended(Status(status))),
        }
    }
}
