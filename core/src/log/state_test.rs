//! Seats are counted right in every mode.
