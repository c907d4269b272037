//! What went wrong last: each kind once for each prompt class, with how often.
//!
//! Promises: the list is bounded, and holds no character that a terminal would obey.

use bedload::time::Instant;

/// The most that are kept.
const MISHAPS_MAX: usize = 32;

/// The longest message that is kept, in characters.
const MESSAGE_MAX: usize = 200;

/// One kind of thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mishap {
    /// When it did last.
    pub at: Instant,
    /// The prompt class, by position.
    pub class: u16,
    /// The name of the failure, or of the reason to drop.
    pub what: &'static str,
    /// How often it did.
    pub times: u64,
    /// The service's words when it was last told.
    pub message: Option<String>,
}

/// The list, the latest first.
#[derive(Clone, Debug, Default)]
pub struct Mishaps(Vec<Mishap>);

impl Mishaps {
    /// Something went wrong.
    pub fn add(&mut self, at: Instant, class: u16, what: &'static str) {
        let known = self.place(class, what);
        let mut mishap = match known {
            Some(place) => self.0.remove(place),
            None => Mishap {
                at,
                class,
                what,
                times: 0,
                message: None,
            },
        };
        mishap.at = at;
        mishap.times += 1;
        self.0.truncate(MISHAPS_MAX - 1);
        self.0.insert(0, mishap);
    }

    /// These were the service's words for it.
    pub fn explain(&mut self, class: u16, what: &'static str, message: Option<&str>) {
        if let (Some(place), Some(message)) = (self.place(class, what), message) {
            let shown = message.chars().filter(|c| !c.is_control());
            self.0[place].message = Some(shown.take(MESSAGE_MAX).collect());
        }
    }

    /// The latest first.
    pub fn iter(&self) -> impl Iterator<Item = &Mishap> {
        self.0.iter()
    }

    fn place(&self, class: u16, what: &str) -> Option<usize> {
        let mut all = self.0.iter();
        all.position(|mishap| mishap.class == class && mishap.what == what)
    }
}
