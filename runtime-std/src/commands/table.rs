//! Tables of columns as text.

use crate::commands::client::listing::cut;
use std::fmt;

/// The indentation of every line.
const INDENT: usize = 2;
/// The space between two columns.
const GAP: usize = 2;

/// Rows under headings, each column as wide as it must be.
#[derive(Clone, Debug)]
pub struct Table {
    lines: Vec<Line>,
    /// The most terminal columns of a line.
    most: usize,
}

#[derive(Clone, Debug)]
enum Line {
    Row(Vec<String>),
    /// Phrases that belong to the row above, and are not broken.
    Note(Vec<String>),
}

impl Table {
    /// Makes a table with these headings and no rows.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(ToString::to_string).collect();
        Self { lines: vec![Line::Row(headings)], most: usize::MAX }
    }

    /// Limits the length of lines: the last column is cut, notes continue in the next line.
    #[must_use]
    pub fn within(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Adds a row, with a cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(Line::Row(cells.into_iter().collect()));
    }

    /// Adds phrases below the last row, beginning in its second column.
    pub fn note(&mut self, phrases: &[String]) {
        if !phrases.is_empty() {
            self.lines.push(Line::Note(phrases.to_vec()));
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for line in &self.lines {
            let Line::Row(cells) = line else { continue };
            widths.resize(cells.len(), 0);
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for line in &self.lines {
            match line {
                Line::Row(cells) => {
                    let mut line = " ".repeat(INDENT);
                    for (cell, width) in cells.iter().zip(&widths) {
                        line.push_str(&format!("{cell:width$}{:GAP$}", ""));
                    }
                    writeln!(f, "{}", cut(line.trim_end(), self.most))?;
                }
                Line::Note(phrases) => {
                    let indent = INDENT + widths.first().map_or(0, |width| width + GAP);
                    let mut line = String::new();
                    for (at, phrase) in phrases.iter().enumerate() {
                        let end = if at + 1 == phrases.len() { "" } else { ";" };
                        let long = line.chars().count() + 1 + phrase.chars().count() + end.len();
                        if !line.is_empty() && indent.saturating_add(long) > self.most {
                            writeln!(f, "{:indent$}{line}", "")?;
                            line.clear();
                        }
                        let space = if line.is_empty() { "" } else { " " };
                        line.push_str(&format!("{space}{phrase}{end}"));
                    }
                    let room = self.most.saturating_sub(indent);
                    writeln!(f, "{:indent$}{}", "", cut(&line, room))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["a", "bb"]);
        table.row(["long".to_owned(), String::new()]);
        table.row(["ü".to_owned(), "x".to_owned()]);
        assert_eq!(table.to_string(), "  a     bb\n  long\n  ü     x\n");
    }

    #[test]
    fn notes_stand_below_their_row_and_lines_are_not_too_long() {
        let mut table = Table::new(&["a", "bb"]).within(14);
        table.row(["1".to_owned(), "a text that is long".to_owned()]);
        table.note(&["one".to_owned(), "two".to_owned(), "three".to_owned()]);
        table.note(&[]);
        let shown = "  a  bb\n  1  a text t…\n     one; two;\n     three\n";
        assert_eq!(table.to_string(), shown);
    }
}
