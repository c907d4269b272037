//! Rows as CSV, in memory.

/// A heading and rows, each with as many cells.
pub(super) fn csv_text(
    heading: Vec<String>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    for record in std::iter::once(heading).chain(rows) {
        out.write_record(record)
            .expect("memory takes everything, and rows have as many cells as the heading");
    }
    let bytes = out.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("what was written was text")
}
