//! Messages in lines that fit a terminal.

/// The text with every line that is too long broken between words. What follows a break stands
/// under the line that it belongs to, and `hang` further in. A line that fits stays as it is; a
/// word that no line holds does not begin one, and a `command` is one word, to be copied.
pub fn fitted(text: &str, width: usize, hang: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if seen(line.trim_end_matches('\n')) <= width {
            out.push_str(line);
        } else {
            broken(&mut out, line, width, hang);
            out.push_str(if line.ends_with('\n') { "\n" } else { "" });
        }
    }
    out
}

fn broken(out: &mut String, line: &str, width: usize, hang: usize) {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hung = indent + hang;
    out.push_str(&line[..indent]);
    let (mut column, mut first) = (indent, true);
    for word in words(line) {
        let length = seen(&word);
        let fits = column + 1 + length <= width || hung + length > width;
        if first {
            column += length;
        } else if fits {
            out.push(' ');
            column += 1 + length;
        } else {
            out.push('\n');
            out.push_str(&" ".repeat(hung));
            column = hung + length;
        }
        out.push_str(&word);
        first = false;
    }
}

/// Words, with what stands between backquotes as one. A lone backquote is a character.
pub(crate) fn words(line: &str) -> Vec<String> {
    let paired = line.matches('`').count().is_multiple_of(2);
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for word in line.split_whitespace() {
        match out.last_mut() {
            Some(command) if open => {
                command.push(' ');
                command.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
        open ^= paired && !word.matches('`').count().is_multiple_of(2);
    }
    out
}

/// How many characters show: colours take no room.
pub(crate) fn seen(text: &str) -> usize {
    let mut count = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => drop(chars.find(|c| *c == 'm')),
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words_and_short_ones_stay() {
        let text = "short\n  ✗ one two three four five six\n    next:  kept\n";
        let lines = "short\n  ✗ one two three\n    four five six\n    next:  kept\n";
        assert_eq!(fitted(text, 18, 2), lines);
        assert_eq!(fitted(text, 80, 2), text);
    }

    #[test]
    fn a_command_stays_in_one_line() {
        let text = "next: run `keyless apply plan.json`, then wait";
        let lines = "next: run\n  `keyless apply plan.json`,\n  then wait";
        assert_eq!(fitted(text, 28, 2), lines);
    }

    #[test]
    fn a_long_word_stays_whole_and_colours_take_no_room() {
        assert_eq!(
            fitted("a /a/long/path/it/is b", 8, 0),
            "a /a/long/path/it/is\nb"
        );
        let red = "\u{1b}[31mred\u{1b}[0m one";
        assert_eq!(fitted(red, 7, 0), red);
    }
}
