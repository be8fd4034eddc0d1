use super::*;
use crate::scenario::{SHIPPED, read};

fn target(abi: Abi) -> Target {
    Target {
        abi,
        number_mask: if abi == Abi::S390x { 0xffff } else { u32::MAX },
        kernel: Kernel::LATEST,
        below_zero: if abi == Abi::Arm {
            BelowZero::Arm
        } else {
            BelowZero::NoSuchCall
        },
    }
}

fn one(steps: &str) -> Scenario {
    let text = format!("[[scenario]]\nname = 'x'\nsteps = [{steps}]");
    read(&text).unwrap().remove(0)
}

const ERRNO: &str = "{ do = 'no_new_privs' }, { do = 'install', filter = { 'close[0]==7' = 'errno 5' } }, \
    { do = 'call', nr = 'close', args = [7], expect = 'returns -5' }";

fn value(value: i64) -> Seen {
    Seen {
        happened: Happened::Value(value),
    }
}

#[test]
fn numbers_and_halves_are_the_targets() {
    let scenario = one(ERRNO);
    for (abi, close, low) in [(Abi::Aarch64, 57, 16), (Abi::S390x, 6, 20), (Abi::Ppc64le, 6, 16)] {
        let story = target(abi).story(&scenario).unwrap();
        assert_eq!(story.steps[2].nr, close, "{abi:?}");
        let insns = &story.programs[0].insns;
        assert_eq!((insns[1].k, insns[2].k), (close, low), "{abi:?}");
        assert_eq!((story.steps[1].programs, story.steps[1].args[2]), (4, 0));
    }
}

#[test]
fn what_an_agent_saw_is_held_against_the_model() {
    let scenario = one(ERRNO);
    let target = target(Abi::Aarch64);
    let story = target.story(&scenario).unwrap();
    let (played, as_written) = target.judge(&scenario, &story, &[value(0), value(0), value(-5)]);
    assert_eq!((played, as_written), (Played::Agreed, true));
    let (played, as_written) = target.judge(&scenario, &story, &[value(0), value(0), value(-6)]);
    assert!(!as_written);
    let Played::Differed { expected, seen, .. } = played else {
        panic!("{played:?}")
    };
    assert_eq!((expected.as_str(), seen.as_str()), ("returns -6", "returns -5"));
}

#[test]
fn traps_and_deaths_are_told_as_x86_64_shows_them() {
    let scenario = one("{ do = 'no_new_privs' }, { do = 'handler', signal = 'sys' }, \
        { do = 'install', filter = { getpid = 'trap 3', gettid = 'kill_process' } }, \
        { do = 'call', nr = 'getpid', \
          expect = 'signal 31 code 1 errno 3 syscall 39 arch 0xc000003e at the call, then 39' }, \
        { do = 'call', nr = 'gettid', expect = 'the process dies of SIGSYS with core' }");
    let target = target(Abi::Riscv64);
    let story = target.story(&scenario).unwrap();
    let told = words::Told {
        signo: 31,
        code: 1,
        errno: 3,
        syscall: 172,
        arch: 0xc000_00f3,
        address: words::Address::Right,
    };
    let seen = |told, status| {
        let happened = [
            Happened::Value(0),
            Happened::Value(0),
            Happened::Value(0),
            Happened::Trapped(told),
            Happened::Died(status),
        ];
        happened.map(|happened| Seen { happened })
    };
    let right = target.judge(&scenario, &story, &seen(told, 0x80 | 31));
    assert_eq!(right, (Played::Agreed, true));
    for wrong in [
        seen(told, 31),
        seen(told, 0x80 | 9),
        seen(words::Told { syscall: 173, ..told }, 0x80 | 31),
        seen(
            words::Told {
                arch: 0x8000_0016,
                ..told
            },
            0x80 | 31,
        ),
        seen(words::Told { errno: 4, ..told }, 0x80 | 31),
        seen(
            words::Told {
                address: words::Address::Wrong(0),
                ..told
            },
            0x80 | 31,
        ),
    ] {
        assert!(matches!(
            target.judge(&scenario, &story, &wrong).0,
            Played::Differed { .. }
        ));
    }
}

#[test]
fn what_the_agent_cannot_do_is_refused_with_a_reason() {
    let why = |steps: &str, abi| target(abi).story(&one(steps)).unwrap_err();
    assert!(why("{ do = 'status', of = 'main' }", Abi::Arm).contains("`status`"));
    assert!(
        why(
            "{ do = 'fork', name = 'x' }, { who = 'x', do = 'no_new_privs' }",
            Abi::Arm
        )
        .contains("`fork`")
    );
    assert!(why("{ do = 'call', nr = -1 }", Abi::S390x).contains("cuts"));
    assert!(why("{ do = 'call', nr = 'fork' }", Abi::Aarch64).contains("no call `fork`"));
    assert!(
        why(
            "{ do = 'install', insns = [[32, 0, 0, 0], [84, 0, 0, 1], [22, 0, 0, 0]] }",
            Abi::Arm
        )
        .contains("more")
    );
}

#[test]
fn a_good_share_of_the_scenarios_can_be_told() {
    for abi in [
        Abi::I386,
        Abi::Arm,
        Abi::Aarch64,
        Abi::Riscv64,
        Abi::S390x,
        Abi::Ppc64le,
    ] {
        let all = SHIPPED.iter().flat_map(|(_, text)| read(text).unwrap());
        let told = all.filter(|scenario| target(abi).story(scenario).is_ok()).count();
        assert!(told >= 90, "{abi:?}: {told}");
    }
}

#[test]
fn answers_that_do_not_fit_are_refused() {
    let story = target(Abi::Arm).story(&one(ERRNO)).unwrap();
    let stories = [story.clone(), story];
    let bytes = |count: usize, kind: u32| -> Vec<u8> {
        let words = (0..count * 9).map(|at| if at % 9 == 0 { kind } else { 0 });
        words.flat_map(u32::to_le_bytes).collect()
    };
    assert_eq!(
        decode(&stories, &bytes(6, 2)).unwrap(),
        [vec![value(0); 3], vec![value(0); 3]]
    );
    assert_eq!(decode(&stories, &bytes(5, 2)), None);
    assert_eq!(decode(&stories, &bytes(7, 2)), None);
    assert_eq!(decode(&stories, &bytes(6, 6)), None);
    assert_eq!(decode(&stories, &bytes(6, 2)[1..]), None);
}

#[test]
fn stories_are_written_as_the_agent_reads_them() {
    let story = target(Abi::Arm).story(&one(
        "{ do = 'install', filter = {}, pointer = 'bad_program', len = 9 }",
    ));
    let mut expected = b"CPSTORY1\x01\0\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\x02\0\0\0\x01\0\0\0".to_vec();
    expected.extend([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    expected.extend([1_u32, 0, 4, 0, 383].into_iter().flat_map(u32::to_le_bytes));
    expected.extend([1_u64, 0, 0, 0, 0, 0].into_iter().flat_map(u64::to_le_bytes));
    assert_eq!(encode(&[story.unwrap()]), expected);
}

#[test]
fn arm_has_private_calls_below_zero() {
    let scenario = one("{ do = 'no_new_privs' }, { do = 'install' }, \
        { do = 'call', nr = -1, args = [9], expect = 'returns -38' }, \
        { do = 'call', nr = -2, expect = 'returns -38' }");
    let dies = Seen {
        happened: Happened::Died(0x80 | 4),
    };
    let enosys = [value(0), value(0), value(-38), value(-38)];
    let judge = |abi, seen: &[Seen]| {
        let target = target(abi);
        target.judge(&scenario, &target.story(&scenario).unwrap(), seen).0
    };
    assert_eq!(judge(Abi::Arm, &[value(0), value(0), value(9), dies]), Played::Agreed);
    assert_eq!(judge(Abi::Aarch64, &enosys), Played::Agreed);
    assert_ne!(judge(Abi::Arm, &enosys), Played::Agreed);
    assert_ne!(
        judge(Abi::Aarch64, &[value(0), value(0), value(9), dies]),
        Played::Agreed
    );
}
