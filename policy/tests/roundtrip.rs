//! What is printed reads back as the same value; reading never panics and never takes long.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use core::time::Duration;
use std::time::Instant;

use callproof_policy::{
    Answer, Data, Env, Policy, Rule, parse_abi_list, parse_call_pattern, parse_policy, parse_predicate,
    parse_properties, parse_verdict_line, parse_verdict_set,
};
use callproof_vm::Action;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn answer() -> impl Strategy<Value = Answer> {
    let of = |action| {
        move |data| Answer {
            data: Data::Number(data),
            ..Answer::new(action)
        }
    };
    prop_oneof![
        select(
            &[
                Action::Allow,
                Action::Log,
                Action::KillProcess,
                Action::KillThread,
                Action::UserNotif
            ][..]
        )
        .prop_map(Answer::new),
        any::<u16>().prop_map(of(Action::Trap)),
        any::<u16>().prop_map(of(Action::Trace)),
        (0_u16..4096).prop_map(of(Action::Errno)),
        Just(Answer::errno("EPERM")),
    ]
}

/// Words and marks of the language in no order, so that readers get further than with letters at random.
fn soup() -> impl Strategy<Value = String> {
    const PIECES: &str = "deny allow errno read openat * _ ( ) { } [ ] , | || & && ! ~ == != < <= = ..= .. : - 0x12 7 \
        18446744073709551615 flags raw lo hi args ip in @a \"x\" \" on except for x86_64 all other set abi use as \
        default unknown arch self stack refines cost same kernel view verdict no dead code # \\ \u{e9}";
    let pieces: Vec<&str> = PIECES.split(' ').chain(["\n", " "]).collect();
    vec(select(pieces), 0..60).prop_map(|pieces| pieces.join(" "))
}

fn read_everything(text: &str) {
    if let Ok(file) = parse_properties("soup", text) {
        assert_eq!(parse_properties("printed", &file.to_string()).unwrap(), file);
        drop(file.check(&Env::default()));
    }
    if let Ok(policy) = parse_policy("soup", text) {
        assert_eq!(parse_policy("printed", &policy.to_string()).unwrap(), policy);
    }
    drop(parse_call_pattern(text));
    drop(parse_predicate(text));
    drop(parse_verdict_set(text));
    drop(parse_abi_list(text));
    drop(parse_verdict_line(text, usize::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn property_files(file in common::file()) {
        let text = file.to_string();
        let read = parse_properties("printed", &text);
        prop_assert_eq!(read.map_err(|problems| format!("{text}\n{:?}", problems.problems)).unwrap(), file);
    }

    #[test]
    fn conditions(cond in common::cond()) {
        let text = format!("f({cond})");
        let read = parse_call_pattern(&text).map_err(|problems| format!("{text}\n{:?}", problems.problems)).unwrap();
        prop_assert_eq!(&read.args, &[Some(cond)], "{}", text);
    }

    #[test]
    fn policies(default in answer(), rules in vec((common::predicate(), answer()), 0..5)) {
        let rules = rules.into_iter().map(|(calls, answer)| Rule { calls, answer }).collect();
        let policy = Policy { default, rules };
        prop_assert_eq!(parse_policy("printed", &policy.to_string()).unwrap(), policy);
    }

    #[test]
    fn any_letters(text in any::<String>()) {
        read_everything(&text);
    }

    #[test]
    fn any_words(text in soup()) {
        read_everything(&text);
    }

    #[test]
    fn cut_short(file in common::file(), cut in any::<prop::sample::Index>()) {
        let text = file.to_string();
        let mut end = cut.index(text.len() + 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        read_everything(text.get(..end).unwrap());
    }
}

/// Texts meant to take long. They fill a quarter of what is read at most, for the sake of unoptimised test runs.
#[test]
fn hostile_texts() {
    const SIZE: usize = 1 << 18;
    let fill = |head: &str, body: &str, tail: &str| {
        let times = (SIZE - head.len() - tail.len()) / body.len();
        format!("{head}{}{tail}", body.repeat(times))
    };
    let mut chain = String::new();
    for index in 0..10_000 {
        chain += &format!("set a{index}={{@a{}}}\n", index + 1);
    }
    let mut doubled = String::from("deny @a0\n");
    for index in 0..60 {
        doubled += &format!("set a{index} = {{ @a{0}, @a{0}, read }}\n", index + 1);
    }
    let texts = [
        fill("deny read(", "(", ""),
        fill("deny read(", "!", "1)"),
        fill("deny read(", "~", "1)"),
        fill("deny read(", "1|", "1)"),
        fill("deny read(fd == 1", "|| fd == 1", ")"),
        fill("deny read(", "args[0] == AF_UNIX && ", "args[0] == 1)"),
        fill("deny read", ",zzzzzzz", ""),
        fill("deny read", ",raed", ""),
        fill("deny read", ",*_*", ""),
        fill("deny ", "*", "e"),
        fill("deny a", ",a*************e", ""),
        fill("deny read", ",waitpid", ""),
        fill("set a = {", "read,", "}\ndeny @a, @a, @a\nallow *(raw:@a)"),
        fill("set a = {", "1,", "}\ndeny read(@a|@a|@a)\nallow 5"),
        "deny *\n".repeat(4000),
        fill("", "{", ""),
        fill("", "\"", ""),
        fill("", "x\n", ""),
        fill("", "stack(", ""),
        fill("@", "a", ""),
        fill("deny x", "y", ""),
        format!("{chain}deny @a0\nallow read(@a0)"),
        doubled,
        "set a = { @b }\nset b = { @a }\ndeny @a\nallow read(@b)".to_owned(),
    ];
    for text in texts {
        let start = Instant::now();
        if let Ok(file) = parse_properties("hostile", &text) {
            drop(file.check(&Env::default()));
        }
        let head: String = text.chars().take(40).collect();
        let took = start.elapsed();
        println!("{took:?} {head:?}");
        assert!(took < Duration::from_secs(20), "{head}: {took:?}");
    }
}
