//! `catalogue`: the user's own facts about models.

use std::borrow::Cow;
use std::path::Path;

use super::super::diagnostic::Diagnostic;
use super::super::load::read_text;
use super::super::problems::Problems;
use super::super::value::Field;
use crate::catalogue::Catalogue;

/// What is known about models: what is shipped, corrected by the file that the scenario names.
pub(super) fn catalogue(
    raw: Option<Field<String>>,
    folder: &Path,
    problems: &mut Problems,
) -> Cow<'static, Catalogue> {
    let shipped = Catalogue::shipped();
    let Some(path) = problems.read(raw) else {
        return Cow::Borrowed(shipped);
    };
    let read = read_text(&folder.join(&path.value)).map_err(|error| error.to_string());
    let corrected = read.and_then(|text| shipped.with(&text).map_err(|error| error.to_string()));
    match corrected {
        Ok(corrected) => Cow::Owned(corrected),
        Err(reason) => {
            let title = format!(
                "the catalogue `{}` cannot be used: {}",
                path.value,
                reason.trim_end()
            );
            let problem = Diagnostic::error("catalogue", title).at(path.span, "");
            let help = "its path begins at the scenario's own folder, and its `[[model]]` tables look like \
                        those of src/catalogue/models.toml";
            problems.push(problem.help(help));
            Cow::Borrowed(shipped)
        }
    }
}
