//! forecast. WIP
