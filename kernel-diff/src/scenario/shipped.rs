//! The scenarios that come with callproof.

/// File names and texts.
pub const SHIPPED: &[(&str, &str)] = &[
    ("actions.toml", include_str!("../../scenarios/actions.toml")),
    ("api.toml", include_str!("../../scenarios/api.toml")),
    ("death.toml", include_str!("../../scenarios/death.toml")),
    ("install.toml", include_str!("../../scenarios/install.toml")),
    ("notify.toml", include_str!("../../scenarios/notify.toml")),
    ("ptrace.toml", include_str!("../../scenarios/ptrace.toml")),
    ("records.toml", include_str!("../../scenarios/records.toml")),
    ("restart.toml", include_str!("../../scenarios/restart.toml")),
    ("state.toml", include_str!("../../scenarios/state.toml")),
    ("strict.toml", include_str!("../../scenarios/strict.toml")),
    ("trace.toml", include_str!("../../scenarios/trace.toml")),
    ("tsync.toml", include_str!("../../scenarios/tsync.toml")),
];
