//! wire. WIP
