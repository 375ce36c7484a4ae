//! Variables: the values of the chosen environment, put where manifests write `${{ var.x }}`.
//!
//! Only scalars of manifests are looked at, after YAML has been read, so a value can be no more than
//! a value: it adds no key and no document, and reaches no policy file. A scalar that is one reference
//! takes the variable's type; inside a text a value is text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use keyless_model::{Diagnostic, Span};

use crate::environment::{self, Environment, Variable, choose, is_name};
use crate::node::{Entry, File, Node, Value};
use crate::place::Places;
use crate::scalar::{Scalar, Style, shown};
use crate::suggest::nearest;

pub(crate) const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// What the chosen environment sets, and what became of it.
pub(crate) struct Variables<'a> {
    environment: &'a Environment,
    /// The path of its file, if one is chosen.
    file: Option<&'a str>,
    values: BTreeMap<String, Variable>,
    /// False when the file could not be read: what it sets is not known then.
    complete: bool,
    used: BTreeSet<String>,
    /// A reference could not be understood, so what is used is not known.
    unclear: bool,
    /// What is used and not set: where it is first, and how many places more there are.
    missing: BTreeMap<String, (Span, usize)>,
    /// The variables in each scalar that has some, by file and where it starts.
    puts: BTreeMap<(String, usize), Vec<String>>,
}

impl<'a> Variables<'a> {
    /// Takes what the chosen environment sets.
    pub(crate) fn new(
        environment: &'a Environment,
        chosen: Option<(&File, &'a Places<'a>)>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let set = chosen.map(|(file, places)| environment::read(file, places, found));
        Self {
            environment,
            file: chosen.map(|(_, places)| places.path()),
            complete: set.as_ref().is_none_or(Option::is_some)
                && chosen.is_none_or(|(file, _)| file.complete),
            values: set.flatten().unwrap_or_default(),
            used: BTreeSet::new(),
            unclear: false,
            missing: BTreeMap::new(),
            puts: BTreeMap::new(),
        }
    }

    /// Puts values into the scalars of a document.
    pub(crate) fn put(
        &mut self,
        node: &mut Node,
        places: &Places<'_>,
        found: &mut Vec<Diagnostic>,
    ) {
        match &mut node.value {
            Value::Scalar(scalar) if scalar.text.contains(OPEN) => {
                match self.filled(scalar, &node.range, places) {
                    Ok(Some(filled)) => *scalar = filled,
                    Ok(None) => node.value = Value::Refused,
                    Err(error) => {
                        found.push(*error);
                        node.value = Value::Refused;
                    }
                }
            }
            Value::Scalar(_) | Value::Refused => {}
            Value::List(items) => items.iter_mut().for_each(|i| self.put(i, places, found)),
            Value::Map(entries) => {
                for entry in &mut *entries {
                    self.put(&mut entry.node, places, found);
                }
                // A key is no value.
                for entry in entries.extract_if(.., |e| e.key.contains(OPEN)) {
                    self.unclear = true;
                    found.push(in_key(&entry, places));
                }
            }
        }
    }

    /// The scalar with values in it; nothing where a value is wrong in its own file.
    fn filled(
        &mut self,
        scalar: &Scalar,
        range: &Range<usize>,
        places: &Places<'_>,
    ) -> Result<Option<Scalar>, Box<Diagnostic>> {
        let pieces = pieces(&scalar.text).map_err(|bad| {
            self.unclear = true;
            Box::new(bad.at_place(places, range))
        })?;
        let mut names = Vec::new();
        for piece in &pieces {
            if let Piece::Variable(name) = piece {
                let at = places.nth(range, OPEN, CLOSE, names.len());
                self.look_for(name, &places.span(&at));
                names.push((*name).to_owned());
            }
        }
        let value = |name: &str| self.values.get(name).and_then(|v| v.scalar.as_ref());
        let filled = match pieces[..] {
            [Piece::Variable(name)] => value(name).map(Scalar::moved),
            _ => joined(&pieces, value, scalar.style),
        };
        self.used.extend(names.iter().cloned());
        let at = (places.path().to_owned(), range.start);
        self.puts.insert(at, names);
        Ok(filled)
    }

    /// Notes a variable that is not set.
    fn look_for(&mut self, name: &str, span: &Span) {
        if self.values.contains_key(name) || !self.complete {
            return;
        }
        match self.missing.get_mut(name) {
            Some((_, more)) => *more += 1,
            None => drop(self.missing.insert(name.to_owned(), (span.clone(), 0))),
        }
    }

    /// Reports what is used and not set, then what is set and not used. `all` tells that every
    /// document could be read.
    pub(crate) fn report(&mut self, all: bool, found: &mut Vec<Diagnostic>) {
        match self.file {
            Some(file) => self.missing(file, found),
            None => self.unchosen(found),
        }
        self.unused(all, found);
    }

    /// One error, however many variables there are: they are all set by one choice.
    fn unchosen(&self, found: &mut Vec<Diagnostic>) {
        let key = |(_, (span, _)): &(&String, &(Span, usize))| span.clone();
        let Some((name, (span, _))) = self.missing.iter().min_by_key(key) else {
            return;
        };
        let uses: usize = self.missing.values().map(|(_, more)| more + 1).sum();
        let message = format!("`{OPEN} var.{name} {CLOSE}` has no value: no environment is chosen");
        let help = choose(&self.environment.known) + &others(uses - 1);
        let error = Diagnostic::error("KL0116", message).at(span, "needs an environment");
        found.push(error.help(help));
    }

    /// One error for each variable. What was meant instead counts as used.
    fn missing(&mut self, file: &str, found: &mut Vec<Diagnostic>) {
        for (name, (span, more)) in &self.missing {
            let set = || self.values.keys().map(String::as_str);
            let inside = format!("{name}.");
            let below: Vec<&str> = set().filter(|k| k.starts_with(&inside)).collect();
            let (help, meant) = match (nearest(name, set()), &below[..]) {
                (_, [_, ..]) => (format!("name one of {}", below.join(", ")), below),
                (Some(near), []) => (format!("did you mean `{near}`?"), vec![near]),
                (None, []) => (format!("add `{name}: …` to {file}"), vec![]),
            };
            self.used.extend(meant.into_iter().map(str::to_owned));
            let message = format!("the variable {} is not set by {file}", shown(name));
            let error = Diagnostic::error("KL0116", message).at(span, "not set");
            found.push(error.help(help + &others(*more)));
        }
    }

    fn unused(&self, all: bool, found: &mut Vec<Diagnostic>) {
        if !all || !self.complete || self.unclear || self.environment.partial {
            return;
        }
        for (name, variable) in self.values.iter().filter(|(n, _)| !self.used.contains(*n)) {
            let message = format!("the variable {} is used by no manifest", shown(name));
            let help =
                format!("take it out, or write `{OPEN} var.{name} {CLOSE}` where it belongs");
            let error = Diagnostic::error("KL0116", message).at(&variable.span, "not used");
            found.push(error.help(help));
        }
    }

    /// Where the variables in the scalar that starts at a place are set: names and spans.
    pub(crate) fn set_at(&self, file: &str, start: usize) -> Vec<(&str, &Span)> {
        let names = self.puts.get(&(file.to_owned(), start));
        let mut set: Vec<_> = names
            .into_iter()
            .flatten()
            .filter_map(|n| Some((n.as_str(), &self.values.get(n)?.span)))
            .collect();
        set.dedup();
        set
    }
}

/// Says of an error about a value where its variable is set.
pub(crate) fn traced(variables: &Variables<'_>, mut error: Diagnostic) -> Diagnostic {
    if error.code == "KL0116" {
        return error;
    }
    let Some(span) = &error.span else {
        return error;
    };
    for (name, set) in variables.set_at(&span.file, span.start) {
        let help = error.help.unwrap_or_default();
        let place = format!("{}:{}", set.file, set.line);
        error.help = Some(format!("{help}; the variable {name} is set at {place}"));
    }
    error
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (one more place needs it)".to_owned(),
        more => format!(" ({more} more places need it)"),
    }
}

fn in_key(entry: &Entry, places: &Places<'_>) -> Diagnostic {
    let span = places.span(&entry.at);
    Diagnostic::error("KL0116", "a variable stands in a key")
        .at(&span, "a key")
        .help("variables are put into values only: write the key out")
}

/// A part of a scalar.
enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

/// A reference that is none.
enum Bad {
    Open,
    Word(String),
}

impl Bad {
    fn at_place(self, places: &Places<'_>, range: &Range<usize>) -> Diagnostic {
        let help = format!("write `{OPEN} var.name {CLOSE}`");
        let (message, label) = match self {
            Self::Open => (format!("`{OPEN}` has no `{CLOSE}`"), "not closed"),
            Self::Word(word) => (format!("{} is no variable", shown(&word)), "not a variable"),
        };
        Diagnostic::error("KL0116", message)
            .at(&places.span(range), label)
            .help(help)
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Bad> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (inside, after) = after.split_once(CLOSE).ok_or(Bad::Open)?;
        let name = inside.trim().strip_prefix("var.").unwrap_or_default();
        if !name.split('.').all(is_name) {
            return Err(Bad::Word(inside.trim().to_owned()));
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Variable(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Texts and values in one text.
fn joined<'v>(
    pieces: &[Piece<'_>],
    value: impl Fn(&str) -> Option<&'v Scalar>,
    style: Style,
) -> Option<Scalar> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Variable(name) => match value(name)? {
                scalar if scalar.is_null() => {}
                scalar => text.push_str(&scalar.text),
            },
        }
    }
    let style = match style {
        Style::Plain => Style::Quoted,
        style => style,
    };
    Some(Scalar { text, style })
}
