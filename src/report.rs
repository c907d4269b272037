//! report. WIP
