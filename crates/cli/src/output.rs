//! What is printed: data on stdout, messages on stderr.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyless_report::Style;
use serde_json::{Value, json};

use crate::args::{Color, Common, Format};
use crate::failure::Failure;

/// The narrowest and the widest text that is laid out.
const WIDTHS: (usize, usize) = (40, 120);

/// How text for people looks on stdout.
pub fn style(common: &Common) -> Style {
    let terminal = std::io::stdout().is_terminal();
    let color = match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    Style {
        color,
        width: width(terminal),
    }
}

/// The terminal's width; 100 where there is none.
fn width(terminal: bool) -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0));
    let found = columns.or_else(|| terminal.then(asked).flatten());
    found.unwrap_or(100).clamp(WIDTHS.0, WIDTHS.1)
}

/// The text with control characters made visible: names and messages of services may hold some.
/// Line ends, tabs and our own colours pass.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let color = rest.strip_prefix("\u{1b}[").and_then(|r| {
            let end = r.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            r[end..].starts_with('m').then_some(end + 3)
        });
        if let Some(length) = color {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if c.is_control() && c != '\n' && c != '\t' {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Prints data. A reader that went away early, such as `head`, is no error.
pub fn data(text: &str) {
    let text = clean(text);
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints JSON data.
pub fn json(value: &Value) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a message. That nobody reads it any more must not stop an apply.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", clean(text));
}

/// Shows a line on the terminal that the next one takes the place of.
pub fn passing(text: &str) {
    let mut err = std::io::stderr().lock();
    let cut: String = text.chars().take(width(true).saturating_sub(1)).collect();
    let _ = write!(err, "\r\u{1b}[2K{cut}");
    let _ = err.flush();
}

/// How long a log may be silent before it is told that something still runs.
const SILENCE: Duration = Duration::from_secs(10);

/// What a request waits for: passing on a terminal. In a log, a wait that nothing is wrong with is
/// told only when it grows long.
pub fn waiting(text: &str, wrong: bool) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if std::io::stderr().is_terminal() {
        return passing(&format!("  … {}", clean(text)));
    }
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let since = last.get_or_insert_with(Instant::now);
    if wrong || since.elapsed() >= SILENCE {
        *since = Instant::now();
        note(text);
    }
}

/// Prints why the command failed.
pub fn error(failure: &Failure) {
    if !failure.told {
        note(&format!("error[{}]: {}", failure.code, failure.message));
        note(&format!("  keyless explain {} says more", failure.code));
    }
}

/// As [`error`], or as one line of JSON on stderr for a program that asked for JSON.
pub fn failure(common: &Common, failure: &Failure) {
    if common.format != Format::Json {
        return error(failure);
    }
    let (code, message) = match failure.told {
        true => (Value::Null, "the diagnostics are on stdout or stderr"),
        false => (failure.code.into(), failure.message.as_str()),
    };
    let body = json!({ "format": "keyless.error/1", "code": code, "message": message });
    note(&body.to_string());
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn only_colours_and_line_ends_pass() {
        assert_eq!(
            clean("\u{1b}[1;31mred\u{1b}[0m\n\tx"),
            "\u{1b}[1;31mred\u{1b}[0m\n\tx"
        );
        assert_eq!(clean("a\u{1b}[2Jb\rc\u{7}é"), "a\\u{1b}[2Jb\\u{d}c\\u{7}é");
    }
}
