//! Prints a report as a table, as CSV or as JSON.

use super::sum::Summary;
use crate::commands::cli::{ReportBy, ReportFormat};
use crate::commands::stdout;
use crate::commands::table::Table;
use crate::exit::Outcome;
use serde_json::{Value, json};

/// Seat-hours are printed in hundredths; this is one in seconds.
const HUNDREDTHS: u64 = 36;

/// Prints the report.
pub(super) fn print(summary: &Summary, by: ReportBy, format: ReportFormat) -> Outcome {
    let text = match format {
        ReportFormat::Json => format!("{:#}", json(summary, by)),
        ReportFormat::Csv => csv(summary, by),
        ReportFormat::Table if summary.rows.is_empty() => return Ok(()),
        ReportFormat::Table => table(summary, by),
    };
    stdout::line(text.trim_end())
}

/// Returns the heading of the first column, if there is one beside the licence.
fn first(by: ReportBy) -> Option<&'static str> {
    match by {
        ReportBy::Licence => None,
        ReportBy::User => Some("user"),
        ReportBy::Host => Some("host"),
        ReportBy::Day => Some("day"),
    }
}

fn hours(seconds: u64) -> String {
    let hundredths = seconds / HUNDREDTHS;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Returns all rows: the first column, if there is one, then those of [`HEADINGS`].
fn rows(summary: &Summary, by: ReportBy) -> impl Iterator<Item = Vec<String>> {
    summary.rows.iter().map(move |((name, (firm_code, product_code, tmr_id)), row)| {
        let mut cells: Vec<String> = first(by).map(|_| name.clone()).into_iter().collect();
        let numbers = [u64::from(*firm_code), (*product_code).into(), (*tmr_id).into()];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.push(row.product.clone());
        cells.extend([row.accesses, row.denied, row.peak].map(|number| number.to_string()));
        cells.push(hours(row.seconds));
        cells
    })
}

const HEADINGS: [&str; 8] = [
    "firm_code",
    "product_code",
    "tmr_id",
    "product",
    "accesses",
    "denied",
    "peak_seats",
    "seat_hours",
];

fn headings(by: ReportBy) -> Vec<&'static str> {
    first(by).into_iter().chain(HEADINGS).collect()
}

fn table(summary: &Summary, by: ReportBy) -> String {
    let headings: Vec<String> =
        headings(by).iter().map(|heading| heading.replace('_', " ")).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for row in rows(summary, by) {
        table.row(row.into_iter().map(|cell| {
            let plain: String =
                cell.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
            if plain.is_empty() { "-".to_owned() } else { plain }
        }));
    }
    table.to_string()
}

fn csv(summary: &Summary, by: ReportBy) -> String {
    let mut text = headings(by).join(",") + "\r\n";
    for row in rows(summary, by) {
        let cells: Vec<String> = row.iter().map(|cell| field(cell)).collect();
        text += &(cells.join(",") + "\r\n");
    }
    text
}

/// Returns a field as RFC 4180 has it. A client's text must not become a formula in a spreadsheet.
fn field(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !cell.contains(['"', ',', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

fn json(summary: &Summary, by: ReportBy) -> Value {
    let rows = summary.rows.iter().map(|((name, (firm_code, product_code, tmr_id)), row)| {
        let mut value = json!({
            "firm_code": firm_code,
            "product_code": product_code,
            "tmr_id": tmr_id,
            "product": row.product,
            "accesses": row.accesses,
            "denied": row.denied,
            "peak_seats": row.peak,
            "seat_seconds": row.seconds,
        });
        if let Some(first) = first(by) {
            value[first] = json!(name);
        }
        value
    });
    json!({
        "by": by.name(),
        "gaps": summary.gaps,
        "lost": summary.lost,
        "rows": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sum::Row;
    use super::*;

    fn summary(name: &str) -> Summary {
        let row =
            Row { product: "A, \"B\"".into(), accesses: 3, denied: 1, peak: 2, seconds: 5_436 };
        let rows = [((name.to_owned(), (10, 201, 1)), row)].into();
        Summary { rows, ..Summary::default() }
    }

    #[test]
    fn a_table_is_for_people() {
        let text = table(&summary(""), ReportBy::User);
        let expected = "  user  firm code  product code  tmr id  product  accesses  denied  \
                        peak seats  seat hours\n  -     10         201           1       A, \"B\"   \
                        3         1       2           1.51\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_field_is_one_field_and_no_formula() {
        let text = csv(&summary("=cmd|x"), ReportBy::Host);
        let expected = "host,firm_code,product_code,tmr_id,product,accesses,denied,peak_seats,\
                        seat_hours\r\n\"'=cmd|x\",10,201,1,\"A, \"\"B\"\"\",3,1,2,1.51\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn json_has_names_and_whole_seconds() {
        let value = json(&summary("2026-11-21"), ReportBy::Day);
        assert_eq!(value["by"], "day");
        assert_eq!(value["rows"][0]["day"], "2026-11-21");
        assert_eq!(value["rows"][0]["seat_seconds"], 5_436);
        assert!(json(&summary(""), ReportBy::Licence)["rows"][0]["user"].is_null());
    }
}
