//! A picture: one column for each kind of thing, drawn without any other program.

use std::collections::BTreeMap;

use keyless_plan::{Column, Graph, Node, Way};

use super::COLUMNS;

/// Pixels.
const CHARACTER: usize = 8;
const HEIGHT: usize = 30;
const GAP: usize = 14;
const BETWEEN: usize = 70;
const MARGIN: usize = 20;
const HEAD: usize = 40;
/// The longest label in characters; a longer one is cut and stands whole as a tooltip.
const LONGEST: usize = 44;

const STYLE: &str = "svg{background:#fff;font:13px sans-serif}text{fill:#222}rect{fill:#f6f8fa;\
stroke:#57606a}path{fill:none;stroke:#8c959f}.key rect{stroke:#cf222e}.held rect{stroke:#bf8700}\
.head{font-weight:bold;fill:#57606a}@media(prefers-color-scheme:dark){svg{background:#0d1117}\
text{fill:#e6edf3}rect{fill:#161b22;stroke:#8b949e}path{stroke:#6e7681}.head{fill:#8b949e}}";

struct Place {
    x: usize,
    y: usize,
    width: usize,
}

/// The graph as an SVG document.
pub fn svg(graph: &Graph) -> String {
    let mut places: BTreeMap<&str, Place> = BTreeMap::new();
    let mut body = String::new();
    let (mut x, mut bottom) = (MARGIN, HEAD);
    for (column, title) in COLUMNS {
        let mut nodes: Vec<(&String, &Node)> = graph
            .nodes
            .iter()
            .filter(|(_, n)| n.column == column)
            .collect();
        nodes.sort_by_key(|(id, node)| (line_of(node), id.as_str()));
        if nodes.is_empty() {
            continue;
        }
        let longest = nodes.iter().map(|(_, n)| cut(&n.label).chars().count());
        let width = longest.max().unwrap_or(0).max(title.chars().count()) * CHARACTER + 20;
        let head = HEAD - 14;
        body.push_str(&format!(
            "<text class=\"head\" x=\"{x}\" y=\"{head}\">{title}</text>\n"
        ));
        let mut free = 0;
        for (id, node) in nodes {
            let row = line_of(node).max(free);
            free = row + 1;
            let y = HEAD + row * (HEIGHT + GAP);
            bottom = bottom.max(y + HEIGHT);
            body.push_str(&drawn(node, x, y, width));
            places.insert(id, Place { x, y, width });
        }
        x += width + BETWEEN;
    }
    let lines: String = graph
        .edges
        .iter()
        .filter_map(|e| line(&places, e))
        .collect();
    let (width, height) = ((x + MARGIN).saturating_sub(BETWEEN), bottom + MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>Who reaches what, and as \
         whom</title>\n<style>{STYLE}</style>\n{lines}{body}</svg>\n"
    )
}

/// The line that a node belongs in: that of its first way, or the middle of all for one through
/// which many run.
fn line_of(node: &Node) -> usize {
    let count = node.ways.len().max(1);
    match node.column {
        Column::Identity | Column::Caller => node.ways.iter().sum::<usize>() / count,
        _ => node.ways.first().copied().unwrap_or(0),
    }
    .saturating_sub(1)
}

fn drawn(node: &Node, x: usize, y: usize, width: usize) -> String {
    let class = match node.way {
        Way::Plain => "plain",
        Way::Key => "key",
        Way::HeldUp => "held",
    };
    let (text_x, text_y) = (x + 10, y + 20);
    let (whole, shown) = (escaped(&node.label), escaped(&cut(&node.label)));
    format!(
        "<g class=\"{class}\"><title>{whole}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" \
         height=\"{HEIGHT}\" rx=\"5\"/><text x=\"{text_x}\" y=\"{text_y}\">{shown}</text></g>\n"
    )
}

fn line(places: &BTreeMap<&str, Place>, (from, to): &(String, String)) -> Option<String> {
    let (from, to) = (places.get(from.as_str())?, places.get(to.as_str())?);
    let (x1, y1) = (from.x + from.width, from.y + HEIGHT / 2);
    let (x2, y2) = (to.x, to.y + HEIGHT / 2);
    let middle = usize::midpoint(x1, x2);
    Some(format!(
        "<path d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\"/>\n"
    ))
}

fn cut(label: &str) -> String {
    if label.chars().count() <= LONGEST {
        return label.to_owned();
    }
    let head: String = label.chars().take(LONGEST - 1).collect();
    format!("{head}…")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
