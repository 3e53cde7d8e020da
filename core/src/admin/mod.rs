//! The web admin role: HTTP in, JSON out.
