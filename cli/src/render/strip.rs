//! `cost --strip`: what each call costs, drawn.
//!
//! For each ABI one bar for each call, in the order of numbers: as high as the most instructions, dark up to the fewest,
//! and coloured by whether the kernel runs the filters at all. Below it the calls that cost most, by name.

use core::fmt::Write as _;

use crate::commands::verify::cost::{Cost, OfAbi, OfCall};

const WIDTH: f64 = 960.0;
/// Room for names and numbers at the left.
const LEFT: f64 = 190.0;
const STRIP: f64 = 110.0;
const ROW: f64 = 17.0;
/// Calls that have a row of their own.
const ROWS: usize = 20;
const HEAD: f64 = 58.0;

const RUN: [&str; 2] = ["#e8a33d", "#b36b00"];
const SKIPPED: [&str; 2] = ["#9cc9c4", "#2a7f77"];
const INK: &str = "#222";
const FAINT: &str = "#777";

/// An SVG picture.
pub(crate) fn svg(cost: &Cost) -> String {
    let heights = cost.abis.iter().map(height);
    let all = HEAD + heights.sum::<f64>();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {all}\" width=\"{WIDTH}\" height=\"{all}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <rect width=\"{WIDTH}\" height=\"{all}\" fill=\"#fff\"/>\n"
    );
    head(&mut text, cost);
    let mut top = HEAD;
    for of_abi in &cost.abis {
        draw(&mut text, of_abi, cost, top);
        top += height(of_abi);
    }
    text.push_str("</svg>\n");
    text
}

/// A page with the picture and a table of all calls.
pub(crate) fn html(cost: &Cost) -> String {
    let title = escaped(&title(cost));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n\
         body {{ font: 14px sans-serif; max-width: {WIDTH}px; margin: 1em auto; color: {INK}; }}\n\
         svg {{ max-width: 100%; height: auto; }}\n\
         table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: 0.1em 0.8em 0.1em 0; }}\n\
         td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}\n</style>\n</head>\n<body>\n"
    );
    text.push_str(&svg(cost));
    for of_abi in &cost.abis {
        let _ = write!(
            text,
            "<h2>{}</h2>\n<table>\n<tr><th>call</th><th>number</th><th>least</th><th>most</th><th>bitmap</th><th>most shown by</th></tr>\n",
            escaped(of_abi.abi)
        );
        for call in &of_abi.calls {
            let _ = writeln!(
                text,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td><code>{}</code></td></tr>",
                escaped(call.name),
                call.nr,
                call.least,
                call.insns,
                if call.cached { "yes" } else { "no" },
                escaped(&call.call)
            );
        }
        text.push_str("</table>\n");
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn title(cost: &Cost) -> String {
    format!("Instructions of each call: {}", cost.filters.join(", "))
}

fn head(text: &mut String, cost: &Cost) {
    const LONGEST: usize = 110;
    let mut title: String = title(cost);
    if title.chars().count() > LONGEST {
        title = title.chars().take(LONGEST).chain(['…']).collect();
    }
    let _ = writeln!(
        text,
        "<text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>",
        escaped(&title)
    );
    let mut x = 12.0;
    for (colour, means) in [
        (RUN[1], "fewest"),
        (RUN[0], "most: the filters are run"),
        (SKIPPED[1], "fewest"),
        (
            SKIPPED[0],
            "most: the kernel answers from its bitmap, and runs no filter",
        ),
    ] {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"34\" width=\"11\" height=\"11\" fill=\"{colour}\"/><text x=\"{}\" y=\"44\" fill=\"{FAINT}\">{means}</text>",
            x + 16.0
        );
        x += 34.0 + 6.4 * means.len() as f64;
    }
}

fn height(of_abi: &OfAbi) -> f64 {
    STRIP + 60.0 + ROW * of_abi.calls.len().min(ROWS) as f64
}

fn draw(text: &mut String, of_abi: &OfAbi, cost: &Cost, top: f64) {
    let most = of_abi.calls.iter().map(|call| call.insns).max().unwrap_or(0).max(1);
    let skipped = of_abi.calls.iter().filter(|call| call.cached).count();
    let _ = writeln!(
        text,
        "<text x=\"12\" y=\"{}\"><tspan font-weight=\"bold\">{}</tspan>: at most {most} instructions{}; {skipped} of {} calls are answered without a filter</text>",
        top + 14.0,
        escaped(of_abi.abi),
        if cost.proved { ", proved" } else { "" },
        of_abi.calls.len()
    );
    let base = top + 26.0 + STRIP;
    let mut by_number: Vec<&OfCall> = of_abi.calls.iter().collect();
    by_number.sort_by_key(|call| call.nr);
    let step = (WIDTH - 24.0) / by_number.len().max(1) as f64;
    for (at, call) in by_number.iter().enumerate() {
        let [light, dark] = colours(call);
        let x = 12.0 + step * at as f64;
        let bar = |insns: u64, colour: &str| {
            let tall = STRIP * insns as f64 / most as f64;
            format!(
                "<rect x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{tall:.2}\" fill=\"{colour}\"/>",
                base - tall,
                (step * 0.85).max(0.5)
            )
        };
        let _ = writeln!(
            text,
            "<g><title>{}</title>{}{}</g>",
            escaped(&about(call)),
            bar(call.insns, light),
            bar(call.least, dark)
        );
    }
    let _ = writeln!(
        text,
        "<line x1=\"12\" x2=\"{}\" y1=\"{base}\" y2=\"{base}\" stroke=\"{FAINT}\"/>",
        WIDTH - 12.0
    );
    rows(text, of_abi, most, base + 12.0);
}

/// The calls that cost most, by name.
fn rows(text: &mut String, of_abi: &OfAbi, most: u64, top: f64) {
    for (at, call) in of_abi.calls.iter().take(ROWS).enumerate() {
        let y = ROW.mul_add(at as f64, top);
        let [light, dark] = colours(call);
        let long = |insns: u64| (WIDTH - LEFT - 110.0) * insns as f64 / most as f64;
        let range = if call.least == call.insns {
            call.insns.to_string()
        } else {
            format!("{} to {}", call.least, call.insns)
        };
        let _ = writeln!(
            text,
            "<g><title>{}</title><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{light}\"/>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{dark}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{FAINT}\">{range}</text></g>",
            escaped(&about(call)),
            LEFT - 8.0,
            y + 10.0,
            escaped(call.name),
            long(call.insns),
            long(call.least),
            LEFT + 6.0 + long(call.insns),
            y + 10.0
        );
    }
}

const fn colours(call: &OfCall) -> [&'static str; 2] {
    if call.cached { SKIPPED } else { RUN }
}

fn about(call: &OfCall) -> String {
    format!(
        "{} ({}): {} to {} instructions; most for {}",
        call.name, call.nr, call.least, call.insns, call.call
    )
}

/// Text as XML has it; what no XML may have is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(escaped("a<b>&\"c\"\u{1b}\n"), "a&lt;b&gt;&amp;&quot;c&quot;  ");
    }
}
