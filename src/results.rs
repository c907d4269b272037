//! results. WIP
