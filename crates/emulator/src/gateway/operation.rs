//! Which operation of an API a request is for: method and `urlTemplate`, with `{parameters}` and a
//! trailing wildcard. The most literal template that fits is taken.

use crate::arm::{Entity, Store};

/// An operation that fits, and what its template's parameters are in this request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    pub parameters: Vec<(String, String)>,
    /// Query parameters that the template names itself.
    pub query: Vec<String>,
    /// Literal segments count most, a wildcard least.
    rank: Vec<u8>,
}

/// The key of the best operation and its match.
pub fn find(
    store: &Store,
    api: &str,
    method: &str,
    segments: &[String],
    query: &[(String, String)],
) -> Option<(String, Match)> {
    store
        .list(&format!("{api}/operations"))
        .into_iter()
        .filter(|operation| is_method(operation, method))
        .filter_map(|operation| {
            let template = operation.property("urlTemplate")?;
            Some((operation.key(), fit(template, segments, query)?))
        })
        .max_by(|(_, a), (_, b)| a.rank.cmp(&b.rank))
}

fn is_method(operation: &Entity, method: &str) -> bool {
    let own = operation.property("method").unwrap_or_default();
    own == "*" || own.eq_ignore_ascii_case(method)
}

/// Holds a template to the decoded segments of a path and the query.
pub fn fit(template: &str, segments: &[String], query: &[(String, String)]) -> Option<Match> {
    let (path, wanted) = template.split_once('?').unwrap_or((template, ""));
    let mut found = Match::default();
    let mut rest = segments.iter();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "*" || part.starts_with("{*") {
            found.rank.push(0);
            rest = [].iter();
            continue;
        }
        let segment = rest.next()?;
        if let Some(name) = name_of(part) {
            found.rank.push(1);
            found.parameters.push((name.to_owned(), segment.clone()));
        } else if part.eq_ignore_ascii_case(segment) {
            found.rank.push(2);
        } else {
            return None;
        }
    }
    if rest.next().is_some() {
        return None;
    }
    for (name, value) in url::form_urlencoded::parse(wanted.as_bytes()) {
        let sent = query
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(&name))
            .map(|(_, sent)| sent.clone());
        match (name_of(&value), sent) {
            (Some(parameter), Some(sent)) => found.parameters.push((parameter.to_owned(), sent)),
            (Some(_), None) => {}
            (None, Some(sent)) if sent == value => {}
            _ => return None,
        }
        found.query.push(name.into_owned());
    }
    Some(found)
}

fn name_of(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(template: &str, path: &str, query: &[(&str, &str)]) -> Option<Match> {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let query: Vec<(String, String)> = query.iter().map(own).collect();
        fit(template, &segments, &query)
    }

    #[test]
    fn parameters_come_from_path_and_query() {
        let found = fits("/o/{id}/lines?kind={k}", "/O/7/lines", &[("kind", "x")]).unwrap();
        let expected = [("id", "7"), ("k", "x")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(found.parameters, expected);
        assert_eq!(found.query, ["kind"]);
        assert!(fits("/o/{id}", "/o", &[]).is_none());
        assert!(fits("/o/{id}", "/o/1/2", &[]).is_none());
    }

    #[test]
    fn a_literal_template_goes_before_a_parameter_and_a_wildcard() {
        let rank = |template| fits(template, "/o/new", &[]).unwrap().rank;
        assert!(rank("/o/new") > rank("/o/{id}"));
        assert!(rank("/o/{id}") > rank("/o/*"));
        assert!(fits("/*", "/o/new", &[]).is_some());
    }
}
