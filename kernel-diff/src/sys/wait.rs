//! Waiting for a process, never for longer than a given time.
//!
//! These run in forked children: they make plain system calls, and neither allocate nor panic.

use core::ffi::c_int;
use core::time::Duration;
use std::time::Instant;

use super::process::errno;

/// How often a call that blocks looks at the clock, while it is [`Ringing`], in microseconds.
const PERIOD: libc::suseconds_t = 200_000;

/// How often a process that is about to end is asked for without a nap in between.
const EAGER: u32 = 256;
static NAP: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 50_000,
};

/// Waits for the end of a child that is about to end. Gives its status.
///
/// # Errors
/// An errno: `ETIMEDOUT` when it has not ended in time. It is still there then.
pub(crate) fn reap(pid: libc::pid_t, limit: Duration) -> Result<c_int, c_int> {
    let start = Instant::now();
    let mut tries = 0_u32;
    loop {
        match try_wait(pid, libc::WNOHANG) {
            Ok(Some(status)) if is_end(status) => return Ok(status),
            // Between a kill and the end of somebody who is traced there may be stops to report.
            Ok(Some(_)) | Err(libc::EINTR) => {}
            Ok(None) if start.elapsed() >= limit => return Err(libc::ETIMEDOUT),
            Ok(None) => rest(tries),
            Err(errno) => return Err(errno),
        }
        tries = tries.saturating_add(1);
    }
}

/// Waits for a stop or the end of a child of a process that is [`Ringing`]. Gives its status.
///
/// # Errors
/// An errno: `ETIMEDOUT` when neither came in time.
pub(crate) fn wait_ringing(pid: libc::pid_t, limit: Duration) -> Result<c_int, c_int> {
    let start = Instant::now();
    loop {
        match try_wait(pid, 0) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(libc::EINTR) if start.elapsed() < limit => {}
            Ok(None) | Err(libc::EINTR) => return Err(libc::ETIMEDOUT),
            Err(errno) => return Err(errno),
        }
    }
}

/// While there is one, calls of this process that block give `EINTR` a few times a second, so that it can look at the
/// clock.
pub(crate) struct Ringing(());

impl Ringing {
    /// Starts to ring.
    ///
    /// # Errors
    /// An errno.
    pub(crate) fn start() -> Result<Self, c_int> {
        let handler: extern "C" fn(c_int) = on_alarm;
        // SAFETY: a live structure, of which zeroes are a value. Without SA_RESTART, calls give EINTR; the handler does
        // nothing.
        let handled = unsafe {
            let mut action = core::mem::zeroed::<libc::sigaction>();
            action.sa_sigaction = (handler as *const ()).addr();
            libc::sigaction(libc::SIGALRM, &raw const action, core::ptr::null_mut())
        };
        if handled == 0 && mask(libc::SIG_UNBLOCK) == 0 && every(PERIOD) == 0 {
            Ok(Self(()))
        } else {
            Err(errno())
        }
    }
}

impl Drop for Ringing {
    fn drop(&mut self) {
        every(0);
        mask(libc::SIG_BLOCK);
    }
}

/// Blocks or unblocks the alarm.
fn mask(how: c_int) -> c_int {
    // SAFETY: a live structure, of which zeroes are a value.
    unsafe {
        let mut alarm = core::mem::zeroed::<libc::sigset_t>();
        libc::sigaddset(&raw mut alarm, libc::SIGALRM);
        libc::sigprocmask(how, &raw const alarm, core::ptr::null_mut())
    }
}

/// Rings after so many microseconds, and again and again; never for 0.
fn every(period: libc::suseconds_t) -> c_int {
    let period = libc::timeval {
        tv_sec: 0,
        tv_usec: period,
    };
    let timer = libc::itimerval {
        it_interval: period,
        it_value: period,
    };
    // SAFETY: a live structure is read.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, core::ptr::null_mut()) }
}

extern "C" fn on_alarm(_: c_int) {}

/// Whether a status is that of an end.
pub(crate) const fn is_end(status: c_int) -> bool {
    libc::WIFEXITED(status) || libc::WIFSIGNALED(status)
}

fn try_wait(pid: libc::pid_t, flags: c_int) -> Result<Option<c_int>, c_int> {
    let mut status = 0;
    // SAFETY: the status is written to a live variable.
    match unsafe { libc::waitpid(pid, &raw mut status, flags | libc::__WALL) } {
        -1 => Err(errno()),
        0 => Ok(None),
        _ => Ok(Some(status)),
    }
}

fn rest(tries: u32) {
    // SAFETY: both calls touch no memory but the constant.
    unsafe {
        if tries < EAGER {
            libc::sched_yield();
        } else {
            libc::nanosleep(&raw const NAP, core::ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child that sleeps for so many seconds.
    fn sleeper(seconds: u32) -> libc::pid_t {
        // SAFETY: the child makes plain system calls.
        match unsafe { libc::fork() } {
            // SAFETY: as above.
            0 => unsafe {
                libc::sleep(seconds);
                libc::_exit(7)
            },
            pid => pid,
        }
    }

    #[test]
    fn who_does_not_end_is_not_waited_for() {
        let pid = sleeper(100);
        let start = Instant::now();
        assert_eq!(reap(pid, Duration::from_millis(100)), Err(libc::ETIMEDOUT));
        assert!(start.elapsed() < Duration::from_secs(10));
        super::super::kill(pid);
        assert_eq!(reap(pid, Duration::from_secs(60)), Ok(libc::SIGKILL));
        assert_eq!(reap(pid, Duration::from_secs(60)), Err(libc::ECHILD));
    }

    #[test]
    fn a_blocking_wait_ends_too() {
        // In a child: the timer is for a whole process.
        // SAFETY: the child makes plain system calls.
        let child = match unsafe { libc::fork() } {
            0 => {
                let rings = Ringing::start();
                let pid = sleeper(100);
                let late = wait_ringing(pid, Duration::from_millis(300)) == Err(libc::ETIMEDOUT);
                super::super::kill(pid);
                let ended = wait_ringing(pid, Duration::from_secs(60)) == Ok(libc::SIGKILL);
                // SAFETY: ends the process without running anything of the parent's.
                unsafe { libc::_exit(i32::from(!(rings.is_ok() && late && ended))) }
            }
            pid => pid,
        };
        assert_eq!(reap(child, Duration::from_secs(100)), Ok(0));
    }
}
