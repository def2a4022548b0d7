//! A log's life on a real directory and on one that fails.

mod support;

mod life;
