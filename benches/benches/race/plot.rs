//! Figures as a drawing: a row for each scenario, a dot for each entrant, on a logarithmic axis.

use core::fmt::Write as _;

use serde_json::Value;

const LEFT: f64 = 250.0;
const WIDTH: f64 = 620.0;
const ROW: f64 = 22.0;
const TOP: f64 = 82.0;
/// Nanoseconds at both ends of the axis.
const AXIS: [f64; 2] = [0.1, 10_000.0];

/// How many names a line of the legend has.
const NAMES: usize = 6;

/// Entrants in the order of the legend, with colours that are told apart without seeing red and green. A full dot is ours or
/// the kernel's, a ring is somebody else's.
const ENTRANTS: [(&str, &str, bool); 12] = [
    ("table by hand", "#999999", true),
    ("specialised", "#0072b2", true),
    ("predecoded", "#56b4e9", true),
    ("reference", "#000000", true),
    ("kernel JIT", "#d55e00", true),
    ("NetBSD JIT", "#d55e00", false),
    ("C switch", "#009e73", false),
    ("libpcap", "#e69f00", false),
    ("libseccomp", "#0072b2", false),
    ("Go x/net", "#cc79a7", false),
    ("bpfvm", "#000000", false),
    ("pktbaffle", "#8c510a", false),
];

/// Draws what `--json` has written.
pub(crate) fn draw(rows: &[Value]) -> String {
    let height = TOP + ROW * rows.len() as f64 + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 40.0
    );
    text(
        &mut svg,
        (10.0, 16.0),
        "Nanoseconds a call, logarithmic; left is faster",
    );
    for (place, (name, colour, full)) in ENTRANTS.into_iter().enumerate() {
        let (x, y) = (
            16.0 + (place % NAMES) as f64 * 140.0,
            34.0 + (place / NAMES) as f64 * 18.0,
        );
        dot(&mut svg, (x, y), colour, full);
        text(&mut svg, (x + 8.0, y + 4.0), name);
    }
    axis(&mut svg, TOP + ROW * rows.len() as f64);
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (place as f64 + 0.5);
        text(
            &mut svg,
            (10.0, y + 4.0),
            row.get("scenario").and_then(Value::as_str).unwrap_or_default(),
        );
        for (name, colour, full) in ENTRANTS {
            let time = row.get("ns").and_then(|times| times.get(name)?.as_f64());
            // A difference can be lost in noise.
            if let Some(time) = time.filter(|time| *time > 0.0) {
                dot(&mut svg, (across(time), y), colour, full);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a time stands.
fn across(time: f64) -> f64 {
    let [from, to] = AXIS;
    let time = time.clamp(from, to);
    LEFT + WIDTH * (time / from).log10() / (to / from).log10()
}

fn axis(svg: &mut String, bottom: f64) {
    for tick in [0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        let x = across(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"#dddddd\"/>"
        );
        text(svg, (x - 8.0, bottom + 16.0), &tick.to_string());
    }
}

fn dot(svg: &mut String, (x, y): (f64, f64), colour: &str, full: bool) {
    let fill = if full { colour } else { "white" };
    let _ = writeln!(
        svg,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}
