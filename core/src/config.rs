//! `tmrconf.json`.
