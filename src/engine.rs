//! engine. WIP
