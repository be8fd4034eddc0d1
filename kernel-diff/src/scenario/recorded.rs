//! Scenarios as lines of a recording: JSON, with filters as instructions.

use toml::Spanned;

use super::raw::{PlainScenario, RawFile, RawScenario, RawStep};
use super::step::Scenario;
use super::{Mistake, lower, rules};

/// Reads one scenario that is JSON. It has no lines: every step is on line 1.
///
/// # Errors
/// [`Mistake`]: the first one.
pub fn read_json(text: &str) -> Result<Scenario, Mistake> {
    let mistake = |message: String| Mistake {
        message,
        line: 1,
        span: 0..0,
    };
    let plain: PlainScenario = serde_json::from_str(text).map_err(|error| mistake(error.to_string()))?;
    let raw = RawScenario {
        name: Spanned::new(0..0, plain.name),
        needs: plain.needs.into_iter().map(|need| Spanned::new(0..0, need)).collect(),
        steps: plain.steps.into_iter().map(|step| Spanned::new(0..0, step)).collect(),
    };
    lower::scenario(raw, &|_| 1).map_err(|(message, _)| mistake(message))
}

/// Writes every scenario of a file as JSON on one line. Rules of filters become instructions, so that whoever reads it
/// need not know how rules are compiled.
///
/// # Errors
/// [`Mistake`]: the first one.
pub fn to_json(text: &str) -> Result<Vec<(Scenario, String)>, Mistake> {
    let scenarios = super::read(text)?;
    // What was read once is read again, this time for its fields.
    let file: RawFile = toml::from_str(text).unwrap_or_default();
    let lines = file.scenario.into_iter().map(|raw| {
        let plain = PlainScenario {
            name: raw.name.into_inner(),
            needs: raw.needs.into_iter().map(Spanned::into_inner).collect(),
            steps: raw.steps.into_iter().map(|step| compiled(step.into_inner())).collect(),
        };
        // Strings and numbers always have a JSON text.
        serde_json::to_string(&plain).unwrap_or_default()
    });
    Ok(scenarios.into_iter().zip(lines).collect())
}

/// The step with the instructions of its filter instead of rules.
fn compiled(mut step: RawStep) -> RawStep {
    let program = step.filter.as_ref().and_then(|rules| rules::program(rules).ok());
    if let Some(program) = program {
        step.filter = None;
        step.insns = Some(
            program
                .iter()
                .map(|insn| (insn.code, insn.jt, insn.jf, insn.k))
                .collect(),
        );
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SHIPPED;

    #[test]
    fn what_is_written_means_the_same() {
        for (name, text) in SHIPPED {
            for (scenario, json) in to_json(text).unwrap() {
                let again = read_json(&json).unwrap();
                let steps = |scenario: &Scenario| {
                    scenario
                        .steps
                        .iter()
                        .map(|step| (step.who, step.what.clone(), step.expect.clone()))
                        .collect::<Vec<_>>()
                };
                assert_eq!(steps(&again), steps(&scenario), "{name}: {json}");
                assert_eq!(
                    (&again.name, &again.needs, &again.actors),
                    (&scenario.name, &scenario.needs, &scenario.actors)
                );
                assert!(!json.contains("\"filter\"") && !json.contains('\n'), "{json}");
            }
        }
    }

    #[test]
    fn mistakes_are_told() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"name":"x","steps":[{"do":"fly"}]}"#,
            r#"{"name":"x","steps":[],"more":1}"#,
        ] {
            assert!(read_json(text).is_err(), "{text}");
        }
    }
}
