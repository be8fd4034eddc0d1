//! kernel-diff
