//! SARIF 2.1.0 (OASIS), as code-scanning services read it.

use std::collections::BTreeSet;

use callproof::lint::{Rule, Severity};
use serde_json::{Value, json};

use crate::report::{Case, Finding, Report};

/// One run with a result for each finding.
pub(super) fn render(report: &Report) -> String {
    let ids: BTreeSet<&str> = report.findings().map(|(_, finding)| finding.rule).collect();
    let rules: Vec<Value> = ids.into_iter().map(rule).collect();
    let results: Vec<Value> = report
        .findings()
        .map(|(case, finding)| result(report, case, finding))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "callproof",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// What is known of a rule: the rules of `lint` have a text and a page.
fn rule(id: &str) -> Value {
    let Some(rule) = Rule::named(id) else {
        return json!({"id": id});
    };
    let level = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let mut known = json!({
        "id": id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": format!("{}; see {}", rule.fix, rule.page())},
        "defaultConfiguration": {"level": level},
    });
    // A page needs an absolute address, which the package has once it says where it lives.
    let home = env!("CARGO_PKG_REPOSITORY");
    if let (false, Some(known)) = (home.is_empty(), known.as_object_mut()) {
        let page = format!("{home}/blob/main/{}", rule.page());
        known.insert("helpUri".to_owned(), json!(page));
    }
    known
}

fn result(report: &Report, case: &Case, finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "level": finding.level.name(),
        "message": {"text": format!("{}: {}", case.name, finding.message)},
        "partialFingerprints": {"callproof/v1": format!("{}/{}/{}", report.suite, case.name, finding.message)},
    });
    if let (Some(file), Some(object)) = (&finding.file, result.as_object_mut()) {
        let mut place = json!({"artifactLocation": {"uri": uri(file)}});
        if let (Some(line), Some(place)) = (finding.line, place.as_object_mut()) {
            place.insert("region".to_owned(), json!({"startLine": line}));
        }
        object.insert("locations".to_owned(), json!([{"physicalLocation": place}]));
    }
    result
}

/// A path as a relative reference: what is not unreserved in a URI is written as `%XX`.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_finding_is_a_result() {
        let log: Value = serde_json::from_str(&render(&sample())).unwrap();
        let run = &log["runs"][0];
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(
            run["tool"]["driver"]["rules"],
            json!([{"id": "load-offset"}, {"id": "no-final-return"}])
        );
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/bad.bpf");
        assert_eq!(place["region"]["startLine"], 7);
    }
}
