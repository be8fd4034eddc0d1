//! Which policy format a text has.

use callproof_policy::{Problem, Span};

use super::PolicyFormat;
use super::json::Json;
use super::report::Report;

/// Finds the format of a policy by its look; where more than one has it, by the extension of `name`.
///
/// # Errors
/// When no format has the look of the text.
pub fn detect_policy(name: &str, text: &str) -> Result<PolicyFormat, Vec<Problem>> {
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        return json(text);
    }
    let by_look = lines(text).find_map(look);
    let by_name = extension(name).and_then(by_extension);
    by_look.or(by_name).ok_or_else(|| {
        let names: Vec<&str> = PolicyFormat::ALL.iter().map(|format| format.name()).collect();
        let problem = Problem::new("the format of the policy is not recognised", Span::default());
        vec![problem.help(format!("name it: {}", names.join(", ")))]
    })
}

/// Profiles have a default action at the top, files of seccompiler have it in each filter.
fn json(text: &str) -> Result<PolicyFormat, Vec<Problem>> {
    const PROFILE: [&str; 5] = ["defaultAction", "syscalls", "architectures", "archMap", "linux"];
    let json = Json::parse(text).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    let profile = json
        .entries("a policy", &mut report)
        .iter()
        .any(|(name, ..)| PROFILE.contains(&name.as_str()));
    report.finish(Some(())).map(|_| {
        if profile {
            PolicyFormat::Oci
        } else {
            PolicyFormat::Seccompiler
        }
    })
}

/// The lines with anything on them but a comment.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with('#') || line.starts_with("# pseudo filter code"))
}

fn look(line: &str) -> Option<PolicyFormat> {
    let word = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .unwrap_or_default();
    let rest = line.get(word.len()..).unwrap_or_default().trim_start();
    let minijail = ["@include", "@default", "@frequency", "@denylist"];
    if minijail.iter().any(|statement| line.starts_with(statement)) || !word.is_empty() && rest.starts_with(':') {
        return Some(PolicyFormat::Minijail);
    }
    if line.starts_with("# pseudo filter code") {
        return Some(PolicyFormat::Pfc);
    }
    if line.starts_with('[') || line.starts_with("SystemCall") {
        return Some(PolicyFormat::Systemd);
    }
    if word == "default" && !rest.starts_with(['{', '=']) {
        return Some(PolicyFormat::Policy);
    }
    let kafel = [
        "POLICY", "USE", "DEFAULT", "ALLOW", "DENY", "KILL", "ERRNO", "TRAP", "LOG",
    ];
    kafel.contains(&word).then_some(PolicyFormat::Kafel)
}

fn extension(name: &str) -> Option<&str> {
    let file = name.rsplit('/').next()?;
    file.rsplit_once('.').map(|(_, extension)| extension)
}

fn by_extension(extension: &str) -> Option<PolicyFormat> {
    match extension {
        "kafel" => Some(PolicyFormat::Kafel),
        "pfc" => Some(PolicyFormat::Pfc),
        "service" | "conf" => Some(PolicyFormat::Systemd),
        "policy" => Some(PolicyFormat::Minijail),
        _ => None,
    }
}
