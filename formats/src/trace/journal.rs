//! The journal as JSON: `journalctl -o json`.

use serde_json::{Map, Value};

use super::audit::{self, Fields};
use super::error::TraceProblem;
use super::seen::TraceCall;

/// What an entry says: audit records come by the journal's own audit transport, or as lines of the kernel log.
pub(super) fn line(line: &str) -> Result<Option<TraceCall>, TraceProblem> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let entry: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
        let column = error.column().saturating_sub(1);
        TraceProblem::line(column, format!("this is no JSON object: {error}"))
    })?;
    let message = entry.get("MESSAGE").map(text).unwrap_or_default();
    if let Some(call) = audit::line(&message)? {
        return Ok(Some(call));
    }
    let kind = |name: &str| entry.get(name).map(text).unwrap_or_default();
    let (number, name) = (kind("_AUDIT_TYPE"), kind("_AUDIT_TYPE_NAME"));
    let known = |kind: &str| matches!(kind, "1326" | "1300" | "SECCOMP" | "SYSCALL");
    if !known(&number) && !known(&name) {
        return Ok(None);
    }
    let other = |name: &str| {
        let key = match name {
            "pid" => "_PID".to_owned(),
            name => format!("_AUDIT_FIELD_{}", name.to_ascii_uppercase()),
        };
        entry.get(&key).map(text)
    };
    audit::record(&Fields(&message), Some(&other)).map(Some)
}

/// A field as text; the journal gives bytes that are no text as a list of numbers, and several values as a list.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let byte = |item: &Value| item.as_u64().and_then(|byte| u8::try_from(byte).ok());
            match items.iter().map(byte).collect::<Option<Vec<u8>>>() {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => items.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
            }
        }
        _ => String::new(),
    }
}
