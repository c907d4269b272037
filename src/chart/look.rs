//! How a mark looks: its colour, and what tells it from others without one.

/// How a mark looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The so-manieth of several.
    Series(u8),
    /// As wanted.
    Good,
    /// Not as wanted: refusals, failures.
    Bad,
    /// To be looked at: what was not decided.
    Caution,
    /// What is there for comparison.
    Quiet,
}

/// Series colours that the style sheet has.
const COLOURS: u8 = 6;

const DASHES: [&str; 4] = ["", "6 3", "2 3", "8 3 2 3"];

/// The style of charts: to be put into a page once. Colours are told apart in print and by those who see
/// few, and have a contrast of 3 to 1 and more on their grounds.
pub const CSS: &str = include_str!("look.css");

impl Look {
    /// Its class, which sets the colour.
    pub(super) fn class(self) -> String {
        match self {
            Self::Series(place) => format!("s{}", place % COLOURS),
            Self::Good => "good".to_owned(),
            Self::Bad => "bad".to_owned(),
            Self::Caution => "caution".to_owned(),
            Self::Quiet => "quiet".to_owned(),
        }
    }

    /// How its line is broken. Neighbours differ.
    pub(super) const fn dash(self) -> &'static str {
        match self {
            Self::Series(place) => DASHES[(place as usize + place as usize / 6) % DASHES.len()],
            Self::Good => "",
            Self::Bad => "3 2",
            Self::Caution => "6 3",
            Self::Quiet => "2 3",
        }
    }

    /// The distance between the strokes that fill it; none where the fill is plain.
    pub(super) const fn hatch(self) -> Option<f64> {
        match self {
            Self::Series(place) => match place % 4 {
                0 => None,
                1 => Some(7.0),
                2 => Some(4.0),
                _ => Some(11.0),
            },
            Self::Bad => Some(5.0),
            Self::Caution => Some(9.0),
            Self::Good | Self::Quiet => None,
        }
    }

    /// The outline of a marker around the origin, as a path.
    pub(super) const fn marker(self) -> &'static str {
        match self {
            Self::Series(place) => match place % 4 {
                0 => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
                1 => "m-4 -4h8v8h-8z",
                2 => "m0 -5l5 5l-5 5l-5 -5z",
                _ => "m0 -5l5 9h-10z",
            },
            Self::Good => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
            Self::Bad => "m-4 -4l8 8m0 -8l-8 8",
            Self::Caution => "m0 -5l5 9h-10z",
            Self::Quiet => "m-3 -3h6v6h-6z",
        }
    }
}
