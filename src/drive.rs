//! The loops that drive an engine.
