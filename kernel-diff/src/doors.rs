//! Every oracle.

use crate::admission::AdmissionOracle;
use crate::native::{BitmapOracle, ChainOracle, NativeOracle, NotifyOracle, PtraceOracle};
use crate::oracle::{Missing, Oracle};
use crate::room::RoomOracle;
use crate::socket::SocketOracle;

/// An oracle, or what this machine lacks for it.
pub type Opened = Result<Box<dyn Oracle>, Missing>;

/// Opens every oracle that there is, by name. That of the bitmap takes a second, to learn how long calls take.
#[must_use]
pub fn oracles() -> Vec<(&'static str, Opened)> {
    fn boxed<O: Oracle + 'static>(opened: Result<O, Missing>) -> Opened {
        opened.map(|oracle| Box::new(oracle) as Box<dyn Oracle>)
    }
    vec![
        ("native", boxed(NativeOracle::new())),
        ("ptrace", boxed(PtraceOracle::new())),
        ("socket", boxed(SocketOracle::new())),
        ("chain", boxed(ChainOracle::new())),
        ("admission", boxed(AdmissionOracle::new())),
        ("room", boxed(RoomOracle::new())),
        ("notify", boxed(NotifyOracle::new())),
        ("bitmap", boxed(BitmapOracle::new())),
    ]
}
