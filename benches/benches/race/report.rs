//! Figures, for people and for programs.

use serde_json::{Map, Value, json};

use crate::entrant::Result;

/// What everybody took for a filter.
pub(crate) struct Row {
    pub(crate) scenario: String,
    /// How long the filter is
    pub(crate) insns: usize,
    /// How many instructions a call executes, on average
    pub(crate) executed: f64,
    pub(crate) results: Vec<Result>,
}

/// Prints a row, the first one below the names.
pub(crate) fn show(row: &Row, first: bool) {
    if first {
        print!("{:34} {:>6} {:>6}", "nanoseconds a call", "insns", "exec");
        row.results.iter().for_each(|result| print!(" {:>13}", result.name));
        println!();
    }
    print!("{:34} {:>6} {:>6.1}", row.scenario, row.insns, row.executed);
    row.results
        .iter()
        .for_each(|result| print!(" {:>13}", number(result.time, 2)));
    println!();
}

fn number(time: Option<f64>, digits: usize) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{time:.digits$}"))
}

/// Prints how much the rounds agreed.
pub(crate) fn show_steady(rows: &[Row]) {
    let results: Vec<&Result> = rows.iter().flat_map(|row| &row.results).collect();
    let times = results.iter().filter(|result| result.time.is_some());
    let steady = results.iter().filter(|result| is_steady(result));
    println!(
        "the quartiles of {} of {} figures lie within a tenth of the median",
        steady.count(),
        times.count()
    );
}

/// Times below this are mostly noise where they are the difference of two.
const LITTLE: f64 = 2.0;

/// Prints for how many filters an engine of ours took longer than somebody.
pub(crate) fn show_losses(rows: &[Row]) {
    let names = rows.first().map(|row| row.results.iter().map(|result| result.name));
    let others: Vec<&str> = names
        .into_iter()
        .flatten()
        .filter(|name| !OURS.contains(name))
        .collect();
    for (ours, theirs) in ["specialised", "predecoded"]
        .into_iter()
        .flat_map(|ours| others.iter().map(move |theirs| (ours, theirs)))
    {
        let times = rows
            .iter()
            .filter_map(|row| Some((time(row, ours)?, time(row, theirs)?)));
        let (much, little): (Vec<_>, Vec<_>) = times.partition(|(_, theirs)| *theirs >= LITTLE);
        let lost = |times: &[(f64, f64)]| times.iter().filter(|(ours, theirs)| ours > theirs).count();
        let (of_much, of_little) = (much.len(), little.len());
        print!(
            "{ours} took longer than {theirs} for {} of {of_much} filters",
            lost(&much)
        );
        match of_little {
            0 => println!(),
            _ => println!(
                " that take it {LITTLE} ns or more, and {} of {of_little} others",
                lost(&little)
            ),
        }
    }
}

/// Who is not held against our engines.
const OURS: [&str; 4] = ["table by hand", "specialised", "predecoded", "reference"];

fn time(row: &Row, name: &str) -> Option<f64> {
    row.results.iter().find(|result| result.name == name)?.time
}

fn is_steady(result: &Result) -> bool {
    let ends = result.quartiles.zip(result.time);
    ends.is_some_and(|(quartiles, time)| quartiles.iter().all(|end| (end - time).abs() <= time.abs() / 10.0))
}

/// The rows as a table of a Markdown page.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    if let Some(row) = rows.first() {
        let names: Vec<&str> = row.results.iter().map(|result| result.name).collect();
        lines.push(format!("| filter | instructions | executed | {} |", names.join(" | ")));
        lines.push(format!("|---|--:|--:|{}", "--:|".repeat(names.len())));
    }
    lines.extend(rows.iter().map(|row| {
        let times: Vec<String> = row.results.iter().map(cell).collect();
        let (name, insns, executed) = (&row.scenario, row.insns, row.executed);
        format!("| {name} | {insns} | {executed:.1} | {} |", times.join(" | "))
    }));
    lines.join("\n")
}

/// A time; a difference that is lost in noise is not told from nothing.
fn cell(result: &Result) -> String {
    match result.quartiles {
        Some([below, above]) if below <= 0.0 && above >= 0.0 => "~0".to_owned(),
        _ => number(result.time, 1),
    }
}

/// The rows as JSON, one a line.
pub(crate) fn to_json(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(|row| object(row).to_string()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn object(row: &Row) -> Value {
    let named = |part: fn(&Result) -> Value| -> Map<String, Value> {
        let parts = row.results.iter();
        parts.map(|result| (result.name.to_owned(), part(result))).collect()
    };
    json!({
        "scenario": row.scenario,
        "insns": row.insns,
        "executed": row.executed,
        "ns": named(|result| json!(result.time)),
        "quartiles": named(|result| json!(result.quartiles)),
    })
}
