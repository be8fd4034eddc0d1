//! One answer.

use callproof_vm::Chain;
use callproof_vm::observe::Count;
use serde::Serialize;

use super::cache::{Admission, Refusal, admission};
use super::request::{Complaint, Request};
use crate::lines::{Line, MAX_LINE};
use crate::settings::Settings;

#[derive(Serialize)]
struct Decided {
    value: u32,
    action: &'static str,
    data: u16,
    insns: u64,
}

#[derive(Serialize)]
struct Rejected<'a> {
    rejected: Reason<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    errno: &'a str,
    pc: Option<usize>,
    rule: &'a str,
}

#[derive(Serialize)]
struct Wrong<'a> {
    error: &'a str,
}

/// Writes the answer to a line, without the line's end.
pub(super) fn write(output: &mut Vec<u8>, line: &Line<'_>, settings: &Settings) {
    if let Err(complaint) = try_write(output, line, settings) {
        put(output, &Wrong { error: &complaint });
    }
}

fn try_write(output: &mut Vec<u8>, line: &Line<'_>, settings: &Settings) -> Result<(), Complaint> {
    let Line::Whole(bytes) = line else {
        return Err(format!("the line is longer than {MAX_LINE} bytes"));
    };
    let text = str::from_utf8(bytes).map_err(|error| format!("the line is not UTF-8: {error}"))?;
    if text.trim().is_empty() {
        return Err("the line is empty".to_owned());
    }
    let request: Request<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (endian, call) = request.call(settings.layout())?;
    match &*admission(request.filter.get(), endian, settings) {
        Admission::Unreadable(complaint) => return Err(complaint.clone()),
        Admission::Refused(Refusal { errno, pc, rule }) => {
            let rejected = Reason { errno, pc: *pc, rule };
            put(output, &Rejected { rejected });
        }
        Admission::Filters(filters) => {
            let mut count = Count::default();
            let machine = callproof_vm::Machine {
                endian,
                ..settings.machine_of(endian)
            };
            let verdict = Chain::new(filters).run_observed(&call, machine, &mut count);
            put(
                output,
                &Decided {
                    value: verdict.value,
                    action: verdict.action.name(),
                    data: verdict.data(),
                    insns: count.0,
                },
            );
        }
    }
    Ok(())
}

/// Writing to memory does not fail, and these values are always JSON.
fn put(output: &mut Vec<u8>, answer: &impl Serialize) {
    let _ = serde_json::to_writer(output, answer);
}
