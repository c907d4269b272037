//! The one reader of clocks.
