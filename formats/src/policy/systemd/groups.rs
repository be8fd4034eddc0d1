//! Groups of calls: `@system-service` and the like.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The text of the groups; its head says where they are from.
const TEXT: &str = include_str!("groups.txt");

type Groups = BTreeMap<&'static str, Vec<&'static str>>;

fn groups() -> &'static Groups {
    static GROUPS: OnceLock<Groups> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let mut groups = Groups::new();
        let mut name = "";
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('@') {
                name = line;
                groups.entry(name).or_default();
            } else if let Some(members) = groups.get_mut(name) {
                members.extend(line.split_whitespace());
            }
        }
        groups
    })
}

/// The names of all groups.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    groups().keys().copied()
}

/// The calls of a group, those of groups inside of it in their place; `None` when there is no such group.
pub(super) fn calls(name: &str) -> Option<Vec<&'static str>> {
    let mut calls = Vec::new();
    let mut open = vec![groups().get(name)?.iter()];
    while let Some(mut members) = open.pop() {
        let Some(member) = members.next() else { continue };
        open.push(members);
        match groups().get(member) {
            // The table has no cycles; its test says so.
            Some(inner) => open.push(inner.iter()),
            None => calls.push(*member),
        }
    }
    Some(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_made_of_known_groups_and_end() {
        assert_eq!(names().count(), 29);
        for name in names() {
            let calls = calls(name).unwrap();
            assert!(
                !calls.is_empty() && calls.iter().all(|call| !call.starts_with('@')),
                "{name}"
            );
        }
        let service = calls("@system-service").unwrap();
        assert!(service.contains(&"io_setup") && service.contains(&"read") && !service.contains(&"mount"));
        assert_eq!(calls("@system"), None);
    }
}
