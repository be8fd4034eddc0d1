//! Whatever stands in a policy text, reading it ends, and with an answer.

use callproof_formats::policy::{PolicyFormat, PolicyOptions, read_policy};
use proptest::prelude::*;

const TEXTS: [(PolicyFormat, &str); 3] = [
    (
        PolicyFormat::Kafel,
        "#define A 0x1f\nPOLICY a { ALLOW { read { fd == 1 || (fd & A) != 2, !(fd < 3) }, SYSCALL[-1](x) { x >= 5 } } }\n\
         USE a, ERRNO(5) { write ON { x86 } }\n#include \"b\"; DEFAULT KILL_PROCESS /* end */",
    ),
    (
        PolicyFormat::Pfc,
        "# filter for arch x86_64 (3221225534)\nif ($arch == 3221225534)\n  if ($syscall == 0)\n    if ($a0.hi32 & 0x1 == 0)\n      \
         action TRACE(7);\n    else\n      action 0x7fc00000;\n  action ERRNO(1);\naction KILL;\n",
    ),
    (
        PolicyFormat::Systemd,
        "[Service]\nSystemCallFilter=~@clock read:EPERM \\\n  write:kill\nSystemCallErrorNumber=EACCES\nRestrictNamespaces=~net user\n\
         RestrictAddressFamilies=AF_UNIX\nSystemCallArchitectures=native x86\nMemoryDenyWriteExecute=yes\n",
    ),
];

/// A text with pieces cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = (PolicyFormat, String)> {
    let edits = prop::collection::vec(
        (any::<prop::sample::Index>(), 0_usize..12, ".{0,4}", any::<bool>()),
        0..6,
    );
    (0..TEXTS.len(), edits).prop_map(|(which, edits)| {
        let (format, text) = TEXTS.get(which).copied().unwrap_or(TEXTS[0]);
        let mut text: Vec<char> = text.chars().collect();
        for (place, length, new, doubled) in edits {
            let start = place.index(text.len().max(1)).min(text.len());
            let end = (start + length).min(text.len());
            let mut piece: Vec<char> = new.chars().collect();
            if doubled {
                piece.extend(text.get(start..end).unwrap_or_default().to_vec());
                piece.extend(piece.clone());
            }
            text.splice(start..end, piece);
        }
        (format, text.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_texts_end((format, text) in mutated()) {
        let include = |name: &str| Ok(format!("ALLOW {{ {name} }}"));
        let options = PolicyOptions { include: &include, ..PolicyOptions::default() };
        if let Err(problems) = read_policy("test", text.as_bytes(), Some(format), &options) {
            prop_assert!(!problems.problems.is_empty());
            for problem in &problems.problems {
                prop_assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len(), "{problem:?}");
                prop_assert!(text.is_char_boundary(problem.span.start) && text.is_char_boundary(problem.span.end));
            }
        }
    }
}
