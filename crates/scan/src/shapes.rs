//! Runs of C# tokens that change no value: types in brackets and angles, and how arrays begin. Each
//! is looked at over a bounded length.

use crate::csharp::Token;

/// The longest type that is looked at, in tokens.
const MAX_TYPE: usize = 24;

/// How many tokens at the start are `<types>` before a bracket; none, if it is a comparison.
pub(crate) fn generics(tokens: &[Token]) -> usize {
    if tokens.first() != Some(&Token::Angle('<')) {
        return 0;
    }
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().take(MAX_TYPE) {
        match token {
            Token::Angle('<') => depth += 1,
            Token::Angle(_) => depth = depth.saturating_sub(1),
            Token::Word(_) | Token::Dot | Token::Comma | Token::Question | Token::Close => {}
            Token::Open('[') => {}
            _ => return 0,
        }
        if depth == 0 {
            let calls = matches!(tokens.get(i + 1), Some(Token::Open('(' | '{' | '[')));
            return if calls { i + 1 } else { 0 };
        }
    }
    0
}

/// How many tokens at the start are a cast, `(string)`.
pub(crate) fn cast(tokens: &[Token]) -> Option<usize> {
    let [Token::Open('('), Token::Word(first), ..] = tokens else {
        return None;
    };
    let inside = tokens[1..].iter().take(MAX_TYPE);
    let length = inside
        .take_while(|t| matches!(t, Token::Word(_) | Token::Dot | Token::Angle(_)))
        .count();
    let end = 1 + length;
    if tokens.get(end) != Some(&Token::Close) {
        return None;
    }
    let is_cast = match tokens.get(end + 1)? {
        Token::Text(_) | Token::Word(_) => true,
        // `(f)(x)` may be a call.
        Token::Open('(') => matches!(first.as_str(), "string" | "String" | "System" | "object"),
        _ => false,
    };
    is_cast.then_some(end + 1)
}

/// Where the braces of an array or a list with its items open: `new[] {`, `new string[] {`,
/// `new List<string> {`. Their items stand for as many arguments.
pub(crate) fn array(tokens: &[Token]) -> Option<usize> {
    let [Token::Word(word), rest @ ..] = tokens else {
        return None;
    };
    if word != "new" {
        return None;
    }
    let mut indexed = false;
    for (i, token) in rest.iter().enumerate().take(MAX_TYPE) {
        match token {
            Token::Open('[') => indexed = true,
            Token::Word(word) => indexed |= word == "List",
            Token::Dot | Token::Angle(_) | Token::Close => {}
            Token::Open('{') if indexed => return Some(i + 1),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csharp::tokens;

    fn inside(code: &str) -> Vec<Token> {
        tokens(&format!("({code})")).0.split_off(1)
    }

    #[test]
    fn types_are_told_from_comparisons() {
        assert_eq!(generics(&inside("<string>(x)")), 3);
        assert_eq!(generics(&inside("<Dictionary<string, byte[]>>(x)")), 10);
        assert_eq!(generics(&inside("< b")), 0);
        assert_eq!(generics(&inside("< b > c")), 0);
        assert_eq!(generics(&inside(&"<".repeat(100))), 0);
    }

    #[test]
    fn casts_are_told_from_brackets() {
        assert_eq!(cast(&inside("(string)x")), Some(3));
        assert_eq!(cast(&inside("(System.String)(x)")), Some(5));
        assert_eq!(cast(&inside("(string)(\"a\" + \"b\")")), Some(3));
        for code in ["(a) + b", "(a + b) c", "(f)(x)", "(\"a\")"] {
            assert_eq!(cast(&inside(code)), None, "{code}");
        }
    }

    #[test]
    fn arrays_open_where_their_items_begin() {
        assert_eq!(array(&inside("new[] { \"a\" }")), Some(3));
        assert_eq!(array(&inside("new string[] { \"a\" }")), Some(4));
        assert_eq!(array(&inside("new List<string> { \"a\" }")), Some(5));
        for code in ["new JObject { }", "new Uri(x)", "x[0]", "new { a = 1 }"] {
            assert_eq!(array(&inside(code)), None, "{code}");
        }
    }
}
