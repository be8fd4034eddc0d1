//! Many decisions, one JSON object a line.
//!
//! A request names a chain and a call:
//!
//! ```text
//! {"filter": "20000000...", "data": "27000000..."}
//! {"filter": ["<oldest>", "<newest>"], "arch": "x86_64", "nr": 39, "args": [0, 0, 0, 0, 0, 0], "ip": 0}
//! ```
//!
//! `filter` is the hex of 8-byte instructions, `data` the hex of a 64-byte `seccomp_data`; both in the byte order
//! `endian` (`"little"` or `"big"`), which defaults to that of `arch`, and to little beside `data`. `arch` is the name
//! of an ABI or an audit architecture; `nr` is the number as the filter sees it. Missing `args` and `ip` are 0.
//!
//! A response is one of
//!
//! ```text
//! {"value":2147418112,"action":"allow","data":0,"insns":12}
//! {"rejected":{"errno":"EINVAL","pc":3,"rule":"jump-range"}}
//! {"error":"..."}
//! ```
//!
//! Nothing here keeps state: a caller that sees the same [`Request::filters`] again may use again what it has loaded.

mod request;
mod response;

pub(crate) use request::decode_data;
pub use request::{BatchError, Filters, Request, decode_filter};
pub use response::{Rejection, Response};
