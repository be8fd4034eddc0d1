//! The scenarios that come with callproof.

/// File names and texts.
pub const SHIPPED: &[(&str, &str)] = &[
    ("first.toml", include_str!("../../scenarios/first.toml")),
];
