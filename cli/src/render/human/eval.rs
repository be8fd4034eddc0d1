//! `eval` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::table;
use crate::commands::decide::{Decision, Path, Traced};
use crate::commands::eval::Eval;

pub(super) fn text(eval: &Eval) -> String {
    let mut text = String::new();
    let traced = eval.decisions.iter().any(|decision| decision.trace.is_some());
    match eval.decisions.as_slice() {
        [one] => write_decision(&mut text, &eval.call, one),
        many if traced => many.iter().for_each(|one| write_decision(&mut text, &eval.call, one)),
        many => write_table(&mut text, &eval.call, many),
    }
    for skipped in &eval.skipped {
        let _ = writeln!(text, "{}: {}", paint(OPEN, "skipped"), skipped.why);
    }
    text
}

/// The verdict, coloured by what it does to the call.
pub(super) fn verdict(decision: &Decision) -> String {
    let style = match decision.action {
        _ if decision.allowed => GOOD,
        "user_notif" | "trace" => OPEN,
        _ => BAD,
    };
    paint(style, &decision.verdict)
}

pub(super) fn write_decision(text: &mut String, call: &str, decision: &Decision) {
    let _ = writeln!(
        text,
        "{} on {}: {}",
        paint(NAME, call),
        decision.arch,
        verdict(decision)
    );
    let _ = writeln!(text, "  {}", decision.effect);
    if let Some(bypass) = &decision.bypass {
        let style = if bypass.overrules { BAD } else { FAINT };
        let _ = writeln!(text, "  {}", paint(style, &bypass.message));
    }
    let number = decision.nr.cast_unsigned();
    let name = decision.name.unwrap_or("no call of this ABI");
    let _ = writeln!(
        text,
        "  call      {} = {number:#x} ({name}), arch {:#010x}, ip {:#x}",
        decision.nr, decision.audit_arch, decision.ip
    );
    let args: Vec<String> = decision.args.iter().map(|arg| format!("{arg:#x}")).collect();
    let _ = writeln!(text, "  arguments {}", args.join(" "));
    let from = decision.filter.map_or_else(
        || "no filter more severe than allow".to_owned(),
        |filter| format!("filter {filter}"),
    );
    let plural = if decision.insns == 1 { "" } else { "s" };
    let _ = writeln!(
        text,
        "  value     {:#010x} from {from}, after {} instruction{plural}",
        decision.value, decision.insns
    );
    let words = if decision.words.is_empty() {
        "nothing".to_owned()
    } else {
        decision.words.join(", ")
    };
    let _ = writeln!(text, "  reads     {words}");
    let _ = writeln!(text, "  path      {}", path(&decision.path));
    if let Some(trace) = &decision.trace {
        text.push_str(&steps(trace, decision.path.len() > 1));
    }
}

fn write_table(text: &mut String, call: &str, decisions: &[Decision]) {
    let _ = writeln!(text, "{}", paint(NAME, call));
    let rows = decisions.iter().map(|decision| {
        vec![
            decision.arch.to_owned(),
            decision.nr.to_string(),
            decision.verdict.clone(),
            decision.insns.to_string(),
            path(&decision.path),
            note(decision),
        ]
    });
    text.push_str(&table::text(&["ABI", "NR", "VERDICT", "INSNS", "PATH", "EFFECT"], rows));
}

fn note(decision: &Decision) -> String {
    match decision.bypass.as_ref().filter(|bypass| bypass.overrules) {
        Some(bypass) => format!("{}: {}", decision.effect, bypass.message),
        None => decision.effect.clone(),
    }
}

/// The executed instructions: `0-3 7 9`, and for a chain `filter 1: 0-3; filter 0: 0 5`.
pub(super) fn path(path: &[Path]) -> String {
    match path {
        [one] => runs(&one.pcs),
        many => {
            let parts: Vec<String> = many
                .iter()
                .map(|one| format!("filter {}: {}", one.filter, runs(&one.pcs)))
                .collect();
            parts.join("; ")
        }
    }
}

/// Numbers, with neighbours drawn together.
fn runs(pcs: &[usize]) -> String {
    let neighbours = pcs.chunk_by(|a, b| a.saturating_add(1) == *b);
    let run = |run: &[usize]| match (run.first(), run.last()) {
        (Some(first), Some(last)) if first != last => format!("{first}-{last}"),
        (Some(only), _) => only.to_string(),
        _ => String::new(),
    };
    neighbours.map(run).collect::<Vec<_>>().join(" ")
}

fn steps(trace: &[Traced], chain: bool) -> String {
    let rows = trace.iter().map(|step| {
        let next = match (step.next, step.returns) {
            (Some(pc), _) => pc.to_string(),
            (None, Some(value)) => format!("return {value:#010x}"),
            (None, None) => String::new(),
        };
        let pc = if chain {
            format!("{}:{}", step.filter, step.pc)
        } else {
            step.pc.to_string()
        };
        vec![
            pc,
            step.instruction.clone(),
            step.reads.clone().unwrap_or_default(),
            format!("{:#x}", step.a),
            format!("{:#x}", step.x),
            next,
        ]
    });
    table::text(&["PC", "INSTRUCTION", "READS", "A", "X", "NEXT"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_drawn_together() {
        assert_eq!(runs(&[0, 1, 2, 5, 7, 8]), "0-2 5 7-8");
        assert_eq!(runs(&[]), "");
    }
}
