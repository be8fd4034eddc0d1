//! Case files: the page says nothing that is not read, and nothing makes the reader fall over.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_formats::cases::{MAX_CASES, MAX_CASES_BYTES, Subject, What, read_cases};
use callproof_policy::{AbiItem, AbiList, BUILT_IN_SETS, Item, Property, PropertyFile, Span};
use proptest::prelude::*;

const PAGE: &str = include_str!("../../docs/CASES.md");

#[test]
fn every_block_of_the_page_is_read() {
    let blocks: Vec<&str> = PAGE
        .split("```calls\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 4);
    for block in blocks {
        let file = read_cases("page", block.as_bytes()).unwrap_or_else(|found| panic!("{block}{:?}", found.problems));
        let claims = file.cases.iter().filter_map(|case| match &case.what {
            What::Claim(claim) => Some((**claim).clone()),
            _ => None,
        });
        let property = |claim| {
            Item::Property(Property {
                claim,
                span: Span::default(),
            })
        };
        let items = claims.map(property).collect();
        let env = file.header.env(&AbiList::of([AbiItem::Any]));
        PropertyFile { items }.check(&env).unwrap();
        for case in &file.cases {
            if let What::Verdict(line) = &case.what {
                line.calls
                    .ground(&env)
                    .unwrap_or_else(|found| panic!("{}: {found:?}", case.text));
            }
        }
    }
}

#[test]
fn every_set_has_its_row() {
    for (name, _, source) in BUILT_IN_SETS {
        assert!(PAGE.contains(&format!("| `@{name}` | {source} |")), "{name}");
    }
}

#[test]
fn a_head_is_read_whole() {
    let text = "# mine\r\n\n---\r\nfilter = [\"a\", \"b\"]\r\nkernel = \"5.10\"\r\ncaps = [\"CAP_KILL\"]\r\nruntime = \"crun\"\r\n---\r\ndeny read # x\r\n";
    let file = read_cases("t", text.as_bytes()).unwrap();
    let filters = ["a", "b"].map(str::to_owned).to_vec();
    assert_eq!(file.header.subject, Some(Subject::Filters(filters)));
    assert_eq!(file.header.kernel.unwrap().to_string(), "5.10");
    assert_eq!((file.cases[0].line, file.cases[0].why.as_deref()), (9, Some("x")));
    assert_eq!(read_cases("t", b"deny read").unwrap().header.subject, None);
}

#[test]
fn too_much_is_refused() {
    let many = "deny read\n".repeat(MAX_CASES + 1);
    let problems = read_cases("t", many.as_bytes()).unwrap_err().problems;
    assert!(problems[0].message.contains("more than"), "{problems:?}");
    let long = vec![b'#'; MAX_CASES_BYTES + 1];
    assert_eq!(read_cases("t", &long).unwrap_err().problems.len(), 1);
    let wrong = "x\n".repeat(5000);
    assert_eq!(read_cases("t", wrong.as_bytes()).unwrap_err().problems.len(), 50);
    let deep = format!("---\nfilter = {}\n---\n", "[".repeat(100_000));
    assert!(read_cases("t", deep.as_bytes()).is_err());
    assert!(read_cases("t", &[0xff, 0xfe]).is_err());
}

#[test]
fn a_comparison_early_in_the_file_tells_its_place() {
    for (text, start) in [
        ("equiv a for \"", 12),
        ("subset-of a on vax", 15),
        ("equiv a for read(", 17),
    ] {
        let problems = read_cases("t", text.as_bytes()).unwrap_err().problems;
        assert_eq!(problems[0].span.start, start, "{text}: {problems:?}");
        assert!(problems[0].span.end <= text.len(), "{problems:?}");
    }
}

const PIECES: &[&str] = &[
    "---\n",
    "filter = \"a\"\n",
    "[sets]\n",
    "a = [\"b\"]\n",
    "[cost]\n",
    "mean = 1\n",
    "deny",
    " ",
    "read",
    "(",
    ")",
    "_",
    "xfail ",
    "replay ",
    "expect ",
    "equiv ",
    "subset-of ",
    "snapshot ",
    "\"",
    "\\",
    "#",
    "\n",
    "@",
    "on x86_64",
    "cost<=",
    "5",
    "é",
    "\u{0}",
    "for ",
    "\r\n",
    "unknown arch killed",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_its_bounds(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        if let Err(problems) = read_cases("t", text.as_bytes()) {
            for problem in &problems.problems {
                prop_assert!(problem.span.start <= text.len() && problem.span.end <= text.len(), "{:?} {:?}", problem, text);
                prop_assert!(text.is_char_boundary(problem.span.start), "{:?} {:?}", problem, text);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read_cases("t", &bytes));
    }
}
