//! What is printed: data on stdout, messages on stderr.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyless_report::{Style, counted, fitted};
use serde_json::{Value, json};

use crate::args::{Color, Common, Format};
use crate::failure::Failure;

/// The narrowest and the widest text that is laid out.
const WIDTHS: (usize, usize) = (40, 120);

/// How text for people looks on stdout.
pub fn style(common: &Common) -> Style {
    style_on(common, std::io::stdout().is_terminal())
}

/// The same for stderr.
pub fn style_of_notes(common: &Common) -> Style {
    style_on(common, std::io::stderr().is_terminal())
}

fn style_on(common: &Common, terminal: bool) -> Style {
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
    end_passing();
    let text = clean(text);
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints text for people. On a terminal its lines fit; elsewhere they stay whole, for whoever
/// searches them.
pub fn text(text: &str) {
    let terminal = std::io::stdout().is_terminal();
    data(&fit(text, terminal, HANG));
}

/// The same where no line hangs on the one before it.
pub fn paragraphs(text: &str) {
    let terminal = std::io::stdout().is_terminal();
    data(&fit(text, terminal, 0));
}

/// How far the rest of a message stands in.
const HANG: usize = 2;

fn fit(text: &str, terminal: bool, hang: usize) -> String {
    match terminal {
        true => fitted(text, width(true), hang),
        false => text.to_owned(),
    }
}

/// Prints how much was asked of Azure.
pub fn requests(count: usize) {
    note(&format!(
        "{} to Azure",
        counted(count, "request", "requests")
    ));
}

/// Prints JSON data.
pub fn json(value: &Value) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a message, in lines that fit where there is a terminal.
pub fn note(text: &str) {
    laid_out(&fit(text, std::io::stderr().is_terminal(), HANG));
}

/// Prints a question; the answer is typed behind it.
pub fn question(text: &str) {
    end_passing();
    let text = clean(&fit(text, std::io::stderr().is_terminal(), HANG));
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{text} ");
    let _ = err.flush();
}

/// Prints a message as it is. That nobody reads it any more must not stop an apply.
pub fn laid_out(text: &str) {
    end_passing();
    heard();
    let _ = writeln!(std::io::stderr(), "{}", clean(text));
}

/// Whether the last line of the terminal is a passing one.
static PASSING: AtomicBool = AtomicBool::new(false);

/// Shows a line on the terminal that the next one takes the place of.
pub fn passing(text: &str) {
    heard();
    PASSING.store(true, Ordering::Relaxed);
    let mut err = std::io::stderr().lock();
    let text = clean(text);
    let cut: String = text.chars().take(width(true).saturating_sub(1)).collect();
    let _ = write!(err, "\r\u{1b}[2K{cut}");
    let _ = err.flush();
}

/// Takes the passing line away, if there is one.
pub fn end_passing() {
    if PASSING.swap(false, Ordering::Relaxed) {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\r\u{1b}[2K");
        let _ = err.flush();
    }
}

/// How long a log may be silent before it is told that something still runs, and a terminal.
const SILENCE: Duration = Duration::from_secs(10);
const SHORT_SILENCE: Duration = Duration::from_secs(2);

/// When something was told last; the start of the program counts.
static HEARD: Mutex<Option<Instant>> = Mutex::new(None);

fn heard() {
    *HEARD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

fn silent_for() -> Duration {
    let mut last = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    last.get_or_insert_with(Instant::now).elapsed()
}

/// Until when a terminal shows what a request waits for.
static SHOWN_UNTIL: Mutex<Option<Instant>> = Mutex::new(None);

/// What a request waits for, and how long: passing on a terminal. In a log, a wait that nothing is
/// wrong with is told only when it grows long.
pub fn waiting(text: &str, wrong: bool, wait: Duration) {
    if std::io::stderr().is_terminal() {
        let mut until = SHOWN_UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Instant::now().checked_add(wait);
        passing(&format!("  … {text}"));
    } else if wrong || silent_for() >= SILENCE {
        note(text);
    }
}

/// That something still runs, if nothing was told for long.
pub fn still(text: &str) {
    let terminal = std::io::stderr().is_terminal();
    let silence = silent_for();
    let until = *SHOWN_UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
    let shows_a_wait = until.is_some_and(|until| Instant::now() < until);
    if terminal && silence >= SHORT_SILENCE && !shows_a_wait {
        passing(&format!("  … {text}"));
    } else if !terminal && silence >= SILENCE {
        note(&format!("  … {text}"));
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
    laid_out(&body.to_string());
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
