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
    if is_json(text) {
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

/// A bracket with no name behind it: `[Service]` begins a unit, and `{ read, write }: 1` is a line of minijail.
fn is_json(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix(['{', '[']);
    inside.is_some_and(|inside| !inside.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_'))
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
    let comment = |line: &str| line.starts_with(['#', ';']) || line.starts_with("//") || line.starts_with("/*");
    lines.filter(move |line| !comment(line) || line.starts_with("# pseudo filter code"))
}

fn look(line: &str) -> Option<PolicyFormat> {
    let word = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .unwrap_or_default();
    let rest = line.get(word.len()..).unwrap_or_default().trim_start();
    let minijail = ["@include", "@default", "@frequency", "@denylist"];
    let named = !word.is_empty() && rest.starts_with([':', '[']) || line.starts_with('{');
    if minijail.iter().any(|statement| line.starts_with(statement)) || named {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_look() {
        for (text, format) in [
            ("# a comment\n\ndefault errno(EPERM)\nallow read", PolicyFormat::Policy),
            ("{\"defaultAction\": \"SCMP_ACT_ALLOW\"}", PolicyFormat::Oci),
            ("{\"ociVersion\": \"1.0\", \"linux\": {}}", PolicyFormat::Oci),
            ("{\"vmm\": {\"filter\": []}}", PolicyFormat::Seccompiler),
            ("# x\nread: 1", PolicyFormat::Minijail),
            ("{ read, write }: 1", PolicyFormat::Minijail),
            ("read[arch=arm]: 1", PolicyFormat::Minijail),
            ("@include ./x", PolicyFormat::Minijail),
            ("// x\nPOLICY a { ALLOW { read } }", PolicyFormat::Kafel),
            ("ALLOW { read } DEFAULT KILL", PolicyFormat::Kafel),
            ("#\n# pseudo filter code start\n#", PolicyFormat::Pfc),
            (
                "; x\n[Service]\nSystemCallFilter=@system-service",
                PolicyFormat::Systemd,
            ),
            ("SystemCallFilter=read", PolicyFormat::Systemd),
        ] {
            assert_eq!(detect_policy("-", text), Ok(format), "{text}");
        }
    }

    #[test]
    fn the_extension_decides_where_the_look_says_nothing() {
        assert_eq!(detect_policy("a/b.kafel", "#define X 1"), Ok(PolicyFormat::Kafel));
        assert_eq!(detect_policy("x.policy", ""), Ok(PolicyFormat::Minijail));
        assert!(detect_policy("x", "").is_err());
        assert!(detect_policy("x", "hello").is_err());
        assert!(detect_policy("x", "{]").is_err());
    }
}
