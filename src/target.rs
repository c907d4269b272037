//! Where requests go.
