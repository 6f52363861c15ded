//! Tables that read the same in a terminal and in a README, and how figures are written in them.

use std::time::Duration;

/// A table in Markdown, with its columns aligned.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Table { rows: vec![columns.iter().map(|name| (*name).to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Prints it, with an empty line behind it.
    pub(crate) fn print(&self) {
        let widths: Vec<usize> = (0..self.rows[0].len()).map(|at| self.width(at)).collect();
        for (at, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| match is_figure(cell) {
                    true => format!(" {cell:>width$} "),
                    false => format!(" {cell:<width$} "),
                })
                .collect();
            println!("|{}|", cells.join("|"));
            if at == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
                println!("|{}|", rules.join("|"));
            }
        }
        println!();
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    }
}

fn is_figure(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit())
}

/// A time, to three digits.
pub(crate) fn time(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return "none".to_owned() };
    let microseconds = duration.as_secs_f64() * 1e6;
    match microseconds {
        ..1e3 => format!("{} µs", digits(microseconds)),
        ..1e6 => format!("{} ms", digits(microseconds / 1e3)),
        _ => format!("{} s", digits(microseconds / 1e6)),
    }
}

/// How many times one is the other.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "none".to_owned(), |ratio| format!("{}×", digits(ratio)))
}

/// A number of bytes.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes @ ..1e3 => format!("{bytes} B"),
        bytes @ ..1e6 => format!("{} kB", digits(bytes / 1e3)),
        bytes => format!("{} MB", digits(bytes / 1e6)),
    }
}

/// A whole number with its thousands set apart.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// One figure as a multiple of another; `None` where one of them is missing.
pub(crate) fn multiple(figure: Option<Duration>, floor: Option<Duration>) -> Option<f64> {
    Some(figure?.as_secs_f64() / floor?.as_secs_f64())
}

fn digits(number: f64) -> String {
    match number {
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => count(number),
    }
}
