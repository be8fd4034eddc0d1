//! Whole campaigns: findings as folders, going on where one was, compilers that misbehave.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::time::Instant;

use callproof::fuzz::{Effort, Fuzz, Kind, Plan, Report, Totals, Verdict, campaign, replay};
use callproof::{Error, Options};

use crate::{command, fuzz, random_policy};

fn plan(out: &Path, cases: u64) -> Plan {
    Plan {
        seed: Some(11),
        fresh_seed: 1,
        cases: Some(cases),
        time: None,
        jobs: NonZeroUsize::new(2).unwrap(),
        most_findings: Some(1),
        effort: Effort::default(),
        out: out.to_owned(),
    }
}

fn run(fuzz: &Fuzz, plan: &Plan) -> Result<Report, Error> {
    campaign(fuzz, plan, &random_policy, &|_| {})
}

#[test]
fn a_finding_can_be_seen_again_and_is_gone_when_it_is_fixed() {
    let room = tempfile::tempdir().unwrap();
    let report = run(&fuzz(&command(Some("halves")), 20_000), &plan(room.path(), 1000)).unwrap();
    let [finding] = report.findings.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(finding.kind, Kind::Differs);
    assert_eq!(finding.folder, room.path().join("001-differs"));
    let text = |name: &str| fs::read_to_string(finding.folder.join(name)).unwrap();
    assert_eq!(text("policy.policy"), finding.policy);
    assert!(text("before.policy").lines().count() > finding.policy.lines().count());
    assert!(finding.folder.join("filter.bpf").exists());
    let explanation = text("explanation.txt");
    for part in [
        "from the filter",
        "from the policy",
        "callproof fuzz --replay",
        finding.policy.lines().next().unwrap(),
    ] {
        assert!(explanation.contains(part), "{part}: {explanation}");
    }

    let again = replay(&finding.folder, None, &Options::default()).unwrap();
    assert!(again.is_there(), "{again:?}");
    let fixed = replay(&finding.folder, Some(&command(None)), &Options::default()).unwrap();
    assert!(!fixed.is_there());
    assert_eq!(fixed.tried.verdict, Verdict::Proved);
    assert!(replay(room.path(), None, &Options::default()).is_err());
}

#[test]
fn a_campaign_goes_on_where_it_was() {
    let room = tempfile::tempdir().unwrap();
    let fuzz = fuzz(&command(None), 20_000);
    let first = run(&fuzz, &plan(room.path(), 5)).unwrap();
    let second = run(
        &fuzz,
        &Plan {
            seed: None,
            ..plan(room.path(), 7)
        },
    )
    .unwrap();
    assert_eq!((first.now.all(), second.now.all(), second.all.all()), (5, 7, 12));
    // Long policies come to more instructions than a filter can have.
    assert_eq!(
        (second.seed, second.all.proved + second.all.declined),
        (11, 12),
        "{second:?}"
    );
    let state = fs::read_to_string(room.path().join("state.json")).unwrap();
    assert!(state.contains("\"next\":12"), "{state}");

    let refused = |fuzz: &Fuzz, plan: &Plan| run(fuzz, plan).unwrap_err().to_string();
    let seed = refused(
        &fuzz,
        &Plan {
            seed: Some(12),
            ..plan(room.path(), 1)
        },
    );
    assert!(seed.contains("its seed is 11") && seed.contains("--out"), "{seed}");
    let other = crate::fuzz("cat", 20_000);
    let other = refused(&other, &plan(room.path(), 1));
    assert!(other.contains("another campaign: its compiler is"), "{other}");
    fs::write(room.path().join("state.json"), "{").unwrap();
    let broken = refused(&fuzz, &plan(room.path(), 1));
    assert!(broken.contains("not the state of a campaign"), "{broken}");
}

#[test]
fn the_same_fault_is_one_finding() {
    let room = tempfile::tempdir().unwrap();
    let fuzz = fuzz("true", 20_000);
    let plan = Plan {
        most_findings: Some(3),
        ..plan(room.path(), 1000)
    };
    let report = run(&fuzz, &plan).unwrap();
    assert_eq!(
        (report.findings.len(), report.repeats),
        (1, 60),
        "{:?}",
        report.findings
    );
    assert_eq!(report.findings[0].rules, 0);
}

#[test]
fn findings_do_not_depend_on_threads() {
    let found = |jobs| {
        let room = tempfile::tempdir().unwrap();
        let plan = Plan {
            jobs: NonZeroUsize::new(jobs).unwrap(),
            most_findings: None,
            ..plan(room.path(), 12)
        };
        let report = run(&fuzz(&command(Some("lost-default")), 20_000), &plan).unwrap();
        (report.now, report.findings.len())
    };
    assert_eq!(found(1), found(3));
}

/// Compilers that do what no compiler should: a campaign ends in time and says what happened.
#[test]
fn hostile_compilers_are_survived() {
    for (command, deadline, kind) in [
        ("yes", 60_000, Kind::Flood),
        ("sh -c 'yes >&2'", 60_000, Kind::Flood),
        (
            "sh -c 'trap \"\" TERM INT HUP; while :; do sleep 9; done'",
            200,
            Kind::Hang,
        ),
        ("sh -c 'sleep 1000 & sleep 1000 & wait'", 200, Kind::Hang),
        ("sh -c 'rm {policy}; exit 0'", 20_000, Kind::Unreadable),
        ("mkdir {out}", 20_000, Kind::Unreadable),
        ("ln -s /dev/zero {out}", 20_000, Kind::Unreadable),
        ("head -c 100000 /dev/urandom", 20_000, Kind::Unsteady),
        ("sh -c 'kill -SEGV $$'", 20_000, Kind::Crash),
        ("sh -c 'kill -KILL 0'", 20_000, Kind::Crash),
        (
            "printf '\\001\\000\\000\\000\\000\\000\\000\\000'",
            20_000,
            Kind::Refused,
        ),
    ] {
        let (room, begun) = (tempfile::tempdir().unwrap(), Instant::now());
        let effort = Effort {
            tries: 3,
            time: Duration::from_secs(2),
        };
        let plan = Plan {
            effort,
            ..plan(room.path(), 4)
        };
        let report = run(&fuzz(command, deadline), &plan).unwrap();
        assert_eq!(
            report.findings.first().map(|finding| finding.kind),
            Some(kind),
            "{command}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{command} took {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn refusing_is_no_finding_unless_it_must_not_be() {
    let room = tempfile::tempdir().unwrap();
    let refusing = fuzz("sh -c 'echo not today >&2; exit 1'", 20_000);
    let report = run(&refusing, &plan(room.path(), 3)).unwrap();
    assert_eq!(
        report.now,
        Totals {
            declined: 3,
            ..Totals::default()
        }
    );
    assert_eq!(report.declined.as_deref(), Some("not today\n"));
    let room = tempfile::tempdir().unwrap();
    let strict = Fuzz {
        strict: true,
        ..refusing
    };
    let report = run(&strict, &plan(room.path(), 3)).unwrap();
    assert_eq!(report.findings[0].kind, Kind::Declined);
}

#[test]
fn a_compiler_that_is_not_there_ends_the_campaign() {
    let room = tempfile::tempdir().unwrap();
    let error = run(&fuzz("/nowhere/cc", 1000), &plan(room.path(), 100)).unwrap_err();
    assert!(
        error.to_string().contains("cannot start the compiler `/nowhere/cc`"),
        "{error}"
    );
}
