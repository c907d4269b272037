//! A page as HTML: one file that needs no network and no script, for screens, light and dark, and for paper.
//!
//! Promises: what stands before a page's first heading is its head, and each heading begins a section; all
//! text is escaped; the page is well-formed XML as well; it refers to nothing but its own sections; the
//! numbers behind each chart stand in a table below it and, once for all, as JSON.

use askama::Template;

use super::figure::{Cell, Data};
use super::page::{Block, Page};
use super::style::Paint;
use crate::chart::{self, escape};

/// A section of the page.
struct Section<'a> {
    id: String,
    heading: &'a str,
    blocks: Vec<&'a Block>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Whole<'a> {
    kind: &'a str,
    title: &'a str,
    chart_css: &'a str,
    page_css: &'a str,
    head: Vec<&'a Block>,
    sections: Vec<Section<'a>>,
    json: String,
    version: &'a str,
}

impl Page {
    /// As a page for a browser. `kind` says what it is of, such as `run`.
    pub(super) fn to_html(&self, kind: &str) -> String {
        let mut whole = Whole {
            kind,
            title: kind,
            chart_css: chart::CSS,
            page_css: include_str!("../../templates/page.css"),
            head: Vec::new(),
            sections: Vec::new(),
            json: json(self.blocks()),
            version: env!("CARGO_PKG_VERSION"),
        };
        for block in self.blocks() {
            match (block, whole.sections.last_mut()) {
                (Block::Title(title), _) => whole.title = title,
                (Block::Heading(heading), _) => {
                    let id = format!("section-{}", whole.sections.len() + 1);
                    whole.sections.push(Section {
                        id,
                        heading,
                        blocks: Vec::new(),
                    });
                }
                (block, Some(section)) => section.blocks.push(block),
                (block, None) => whole.head.push(block),
            }
        }
        whole
            .render()
            .expect("the template writes into a String, which takes everything")
    }
}

/// The numbers of all charts. Nothing in it can end the element that it stands in.
fn json(blocks: &[Block]) -> String {
    #[derive(serde::Serialize)]
    struct Named<'a> {
        title: &'a str,
        #[serde(flatten)]
        data: &'a Data,
    }
    let figures: Vec<Named<'_>> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Figure(figure) => Some(Named {
                title: &figure.title,
                data: &figure.data,
            }),
            _ => None,
        })
        .collect();
    let text =
        serde_json::to_string(&figures).expect("strings and finite numbers have a JSON form");
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// Escaped text, in which what stands between backticks is set as code.
fn prose(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escape).collect();
    // An odd number of backticks is no pair of quotes.
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let set = parts.iter().enumerate().map(|(place, part)| {
        if place % 2 == 1 {
            format!("<code>{part}</code>")
        } else {
            part.clone()
        }
    });
    set.collect()
}

/// Text to copy: escaped, line by line.
fn code(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn shown(cell: &Cell) -> String {
    escape(&cell.shown())
}

/// What a paint is called in the style sheet.
const fn tone(paint: Option<&Paint>) -> &'static str {
    match paint {
        Some(Paint::Good) => "is-good",
        Some(Paint::Bad) => "is-bad",
        Some(Paint::Caution) => "is-caution",
        Some(Paint::Strong) => "is-strong",
        Some(Paint::Quiet) | None => "is-plain",
    }
}

/// A sign for it, for those who do not see its colour.
const fn sign(paint: &Paint) -> &'static str {
    match paint {
        Paint::Good => "✓ ",
        Paint::Bad => "✗ ",
        Paint::Caution => "! ",
        Paint::Strong | Paint::Quiet => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Figure;
    use super::super::summary::Said;
    use super::super::table::Table;
    use super::*;

    fn hostile() -> Page {
        let mut page = Page::default();
        page.title("</title><script>alert(1)</script>");
        page.push(Block::Verdict(Paint::Bad, "MISSED `a<b`".to_owned()));
        page.heading("A \"heading\" & more");
        page.text("odd ` backtick \u{0} <b>");
        page.push(Block::List(vec!["]]> one".to_owned()]));
        page.facts(vec![Said::plain("Run", "<i>".to_owned())]);
        let mut table = Table::new(1, ["way", "tpm"]);
        table.row(["<td>".to_owned(), "1,000".to_owned()]);
        page.table(table);
        let mut data = Data::new(["name", "s"]);
        data.row(["</script>".into(), 0.25.into()]);
        page.figure(Figure {
            title: "</script><script>".to_owned(),
            note: String::new(),
            svg: "<svg viewBox=\"0 0 1 1\"></svg>".to_owned(),
            data,
        });
        page
    }

    #[test]
    fn whatever_it_says_the_page_is_well_formed() {
        let html = hostile().to_html("run");
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        };
        let tree = roxmltree::Document::parse_with_options(&html, options).expect("well-formed");
        let scripts: Vec<_> = tree
            .descendants()
            .filter(|node| node.has_tag_name("script"))
            .collect();
        assert_eq!(scripts.len(), 1);
        assert_eq!(scripts[0].attribute("type"), Some("application/json"));
        let json: serde_json::Value =
            serde_json::from_str(scripts[0].text().expect("a text")).expect("JSON");
        assert_eq!(json[0]["rows"][0][0], "</script>");
        assert_eq!(json[0]["rows"][0][1], 0.25);
        assert!(html.contains("<code>a&lt;b</code>"));
    }

    #[test]
    fn each_heading_begins_a_section_that_can_be_gone_to() {
        let mut page = hostile();
        page.heading("Another");
        page.heading("A third");
        let html = page.to_html("run");
        assert!(html.contains("href=\"#section-3\""));
        assert!(html.contains("href=\"#section-1\""));
        assert!(html.contains("<section id=\"section-1\">"));
    }
}
