//! `memq`.

fn main() {}
