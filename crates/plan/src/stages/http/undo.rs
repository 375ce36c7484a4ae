//! The edits that take the edits of a switch back. What they put back was parked before, so that
//! no secret is in it.

use keyless_policy::{Document, ElementRef};

use crate::step::Splice;

/// The edits of `after` that lead back to `before`, from which `edits` led there. None when the two
/// texts do not go together.
pub(crate) fn back(before: &Document, after: &Document, edits: &[Splice]) -> Option<Vec<Splice>> {
    let mut walk = Walk {
        before,
        edits,
        out: Vec::new(),
    };
    walk.element(before.root(), after.root())?;
    Some(walk.out)
}

struct Walk<'a> {
    before: &'a Document,
    edits: &'a [Splice],
    out: Vec<Splice>,
}

impl Walk<'_> {
    /// Goes through the children of one element side by side.
    fn element(&mut self, old: ElementRef, new: ElementRef) -> Option<()> {
        let path = old.path().to_string();
        let here: Vec<&Splice> = self.edits.iter().filter(|e| e.path() == path).collect();
        let mut there = new.children().into_iter();
        let mut last: Option<ElementRef> = None;
        for edit in &here {
            match edit {
                Splice::InsertFirst { .. } => {
                    let added = there.next()?;
                    self.out.push(Splice::Remove {
                        path: added.path().to_string(),
                    });
                    last = Some(added);
                }
                Splice::Text { .. } => self.out.push(Splice::Text {
                    path: new.path().to_string(),
                    text: old.text()?,
                }),
                Splice::Attribute { name, .. } => self.out.push(Splice::Attribute {
                    path: new.path().to_string(),
                    name: name.clone(),
                    value: old.attribute(name)?.value,
                }),
                _ => {}
            }
        }
        for child in old.children() {
            let path = child.path().to_string();
            let mut own = self.edits.iter().filter(|e| e.path() == path);
            if own.clone().any(|e| matches!(e, Splice::Remove { .. })) {
                let xml = self.text(child);
                self.out.push(match last {
                    Some(anchor) => Splice::InsertAfter {
                        path: anchor.path().to_string(),
                        xml,
                    },
                    None => Splice::InsertFirst {
                        path: new.path().to_string(),
                        xml,
                    },
                });
                continue;
            }
            let twin = there.next()?;
            match own.any(|e| matches!(e, Splice::Replace { .. })) {
                true => self.out.push(Splice::Replace {
                    path: twin.path().to_string(),
                    xml: self.text(child),
                }),
                false => self.element(child, twin)?,
            }
            last = Some(twin);
        }
        for added in there {
            self.out.push(Splice::Remove {
                path: added.path().to_string(),
            });
        }
        Some(())
    }

    fn text(&self, element: ElementRef) -> String {
        self.before.text()[element.range()].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::edited;

    fn there_and_back(text: &str, edits: &[Splice]) -> String {
        let after = edited(text, edits).unwrap();
        let (old, new) = (
            Document::parse(text).unwrap(),
            Document::parse(&after).unwrap(),
        );
        let back = back(&old, &new, edits).unwrap();
        edited(&after, &back).unwrap()
    }

    #[test]
    fn what_was_replaced_removed_and_added_comes_back() {
        let text = "<policies><inbound><base /><a n=\"1\"/><a n=\"2\"/><b><c>{{x}}</c></b><a \
                    n=\"3\"/></inbound></policies>";
        let path = |p: &str| format!("/policies/inbound{p}");
        let edits = [
            Splice::Replace {
                path: path("/a[1]"),
                xml: "<z />".into(),
            },
            Splice::Remove {
                path: path("/a[2]"),
            },
            Splice::Remove { path: path("/b") },
            Splice::InsertLast {
                path: path(""),
                xml: "<y />".into(),
            },
        ];
        assert!(keyless_policy::same(&there_and_back(text, &edits), text));
    }

    #[test]
    fn the_first_of_a_section_comes_back_first() {
        let text = "<policies><inbound><a u=\"{{k}}\"/><b/></inbound></policies>";
        let edits = [
            Splice::Remove {
                path: "/policies/inbound/a".into(),
            },
            Splice::Attribute {
                path: "/policies/inbound/b".into(),
                name: "c".into(),
                value: "d".into(),
            },
        ];
        let after = edited(text, &edits).unwrap();
        assert_eq!(
            after,
            "<policies><inbound><b c=\"d\"/></inbound></policies>"
        );
        let gone = [edits[0].clone()];
        assert!(keyless_policy::same(&there_and_back(text, &gone), text));
    }
}
