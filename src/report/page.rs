//! A page of headings, sentences, lists and tables, as text for a terminal, as Markdown or as HTML.
//!
//! Promises: all say the same; HTML shows charts beside it.

use super::figure::Figure;
use super::style::{Paint, Style};
use super::summary::Said;
use super::table::Table;
use super::words::wrap;

/// A part of a page.
pub(super) enum Block {
    /// The page's title.
    Title(String),
    /// A section's heading.
    Heading(String),
    /// A sentence or more.
    Text(String),
    /// A remark below a table.
    Note(String),
    /// One thing each.
    List(Vec<String>),
    /// Text to copy, as it is.
    Code(String),
    /// A heading and rows, the first so many columns flush left.
    Table(Table),
    /// What it comes to, and how that is to be taken.
    Verdict(Paint, String),
    /// A few numbers to be seen first: the name, the number, and more about it.
    Tiles(Vec<[String; 3]>),
    /// Labels, each with what is said.
    Facts(Vec<Said>),
    /// A chart, which only HTML has.
    Figure(Box<Figure>),
}

/// A page.
#[derive(Default)]
pub(super) struct Page(Vec<Block>);

impl Page {
    pub(super) fn push(&mut self, block: Block) {
        self.0.push(block);
    }

    pub(super) fn title(&mut self, text: impl Into<String>) {
        self.push(Block::Title(text.into()));
    }

    pub(super) fn heading(&mut self, text: impl Into<String>) {
        self.push(Block::Heading(text.into()));
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.push(Block::Text(text.into()));
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.push(Block::Note(text.into()));
    }

    pub(super) fn table(&mut self, table: Table) {
        self.push(Block::Table(table));
    }

    pub(super) fn figure(&mut self, figure: Figure) {
        self.push(Block::Figure(Box::new(figure)));
    }

    /// A chart, where there is one.
    pub(super) fn push_figure(&mut self, figure: Option<Figure>) {
        if let Some(figure) = figure {
            self.figure(figure);
        }
    }

    /// Labels and what is said under them; nothing where there are none.
    pub(super) fn facts(&mut self, facts: Vec<Said>) {
        if !facts.is_empty() {
            self.push(Block::Facts(facts));
        }
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.0
    }

    /// For a terminal.
    pub(super) fn to_text(&self, style: Style) -> String {
        let width = usize::from(style.width);
        let mut parts = Vec::new();
        for block in &self.0 {
            let lines = |text: &str, paint: Option<Paint>| {
                let lines = wrap(text, width);
                let lines = lines.iter().map(|line| match paint {
                    Some(paint) => style.paint(paint, line),
                    None => line.clone(),
                });
                lines.collect::<Vec<_>>().join("\n") + "\n"
            };
            parts.push(match block {
                Block::Title(text) => lines(text, Some(Paint::Strong)),
                Block::Heading(text) => format!("\n{}", lines(text, Some(Paint::Strong))),
                Block::Text(text) => lines(text, None),
                Block::Note(text) => lines(text, Some(Paint::Quiet)),
                Block::List(items) => items
                    .iter()
                    .map(|item| {
                        let lines = wrap(item, width.saturating_sub(2));
                        format!("- {}\n", lines.join("\n  "))
                    })
                    .collect(),
                Block::Code(text) => text.clone(),
                Block::Table(table) => table.render(style),
                Block::Verdict(paint, text) => lines(text, Some(*paint)),
                Block::Tiles(tiles) => tiles.iter().map(|tile| tile.join("  ") + "\n").collect(),
                Block::Facts(facts) => facts
                    .iter()
                    .map(|said| lines(&format!("{:<14}{}", said.label, said.text), said.paint))
                    .collect(),
                Block::Figure(_) => continue,
            });
        }
        parts.concat()
    }

    /// As Markdown.
    pub(super) fn to_markdown(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .filter_map(|block| {
                Some(match block {
                    Block::Title(text) => format!("# {text}\n"),
                    Block::Heading(text) => format!("## {text}\n"),
                    Block::Text(text) | Block::Verdict(_, text) => format!("{text}\n"),
                    Block::Note(text) => format!("*{text}*\n"),
                    Block::List(items) => items.iter().map(|item| format!("- {item}\n")).collect(),
                    Block::Code(text) => format!("```toml\n{text}```\n"),
                    Block::Table(table) => table.to_markdown(),
                    Block::Tiles(tiles) => tiles
                        .iter()
                        .map(|[name, number, more]| format!("- {name}: {number} {more}\n"))
                        .collect(),
                    Block::Facts(facts) => facts
                        .iter()
                        .map(|said| match said.label {
                            "" => format!("  - {}\n", said.text),
                            label => format!("- {label}: {}\n", said.text),
                        })
                        .collect(),
                    Block::Figure(_) => return None,
                })
            })
            .collect();
        parts.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_markdown_say_the_same() {
        let mut page = Page::default();
        page.title("A plan");
        page.heading("Needs");
        page.text("What is needed.");
        let mut table = Table::new(1, ["way", "tpm"]);
        table.row(["bucket".to_owned(), "1,000".to_owned()]);
        page.table(table);
        page.push(Block::List(vec!["one".to_owned(), "two".to_owned()]));
        page.note("A remark.");
        assert_eq!(
            page.to_text(Style::new(false)),
            "A plan\n\nNeeds\nWhat is needed.\nway       tpm\nbucket  1,000\n- one\n- two\nA remark.\n"
        );
        assert_eq!(
            page.to_markdown(),
            "# A plan\n\n## Needs\n\nWhat is needed.\n\n| way | tpm |\n| :-- | --: |\n| bucket | 1,000 |\n\n\
             - one\n- two\n\n*A remark.*\n"
        );
    }
}
