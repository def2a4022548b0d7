//! The fields of log lines: every name that memq's programs use, with what it means.
//!
//! docs/logging.md shows this table, and a test runs the programs and finds no other name in their lines.
