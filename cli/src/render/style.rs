//! Colours, by what they mean.

use anstyle::{AnsiColor, Style};

/// Accepted, allowed, equal
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Refused, denied, different
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Neither: skipped, asks somebody else
pub(super) const OPEN: Style = AnsiColor::Yellow.on_default().bold();
/// Headings and names
pub(super) const NAME: Style = Style::new().bold();
/// Less important
pub(super) const FAINT: Style = Style::new().dimmed();

/// Text in a style.
pub(super) fn paint(style: Style, text: impl core::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
