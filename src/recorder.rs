//! recorder. WIP
