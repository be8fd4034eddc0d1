//! How fast a campaign is, in words for people who wait.

use core::time::Duration;

/// How far a campaign is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Policies that were tried
    pub(crate) tried: u64,
    /// Filters that were proved to be their policies
    pub(crate) proved: u64,
    pub(crate) findings: usize,
    pub(crate) elapsed: Duration,
    /// After so many policies it ends
    pub(crate) cases: Option<u64>,
    /// After such a time it ends
    pub(crate) time: Option<Duration>,
}

impl Pace {
    /// What is behind the count of policies: proofs a second, findings, and the time left if that is known.
    pub(crate) fn words(&self) -> String {
        let findings = if self.findings == 1 { "finding" } else { "findings" };
        let left = self
            .left()
            .map_or_else(String::new, |left| format!(", about {} left", in_words(left)));
        format!(
            "{:.1} proofs a second, {} {findings}{left}",
            self.rate(self.proved),
            self.findings
        )
    }

    /// So many a second.
    fn rate(&self, count: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        // Exact for counts below 2^53.
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let count = count as f64;
        if seconds > 0.0 { count / seconds } else { 0.0 }
    }

    /// The time until either limit, if there is one and anything is known.
    fn left(&self) -> Option<Duration> {
        let by_time = self.time.map(|time| time.saturating_sub(self.elapsed));
        let by_cases = self.cases.and_then(|cases| {
            let rest = u32::try_from(cases.saturating_sub(self.tried)).ok()?;
            let tried = u32::try_from(self.tried).ok()?;
            self.elapsed.checked_div(tried)?.checked_mul(rest)
        });
        match (by_time, by_cases) {
            (Some(time), Some(cases)) => Some(time.min(cases)),
            (time, cases) => time.or(cases),
        }
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace {
            tried: 400,
            proved: 380,
            findings: 1,
            elapsed: Duration::from_secs(20),
            ..Pace::default()
        }
    }

    #[test]
    fn it_tells_rate_findings_and_the_time_left() {
        assert_eq!(pace().words(), "19.0 proofs a second, 1 finding");
        let cases = Pace {
            cases: Some(1000),
            findings: 0,
            ..pace()
        };
        assert_eq!(cases.words(), "19.0 proofs a second, 0 findings, about 30 s left");
        let time = Some(Duration::from_secs(25));
        assert_eq!(
            Pace { time, ..cases }.words(),
            "19.0 proofs a second, 0 findings, about 5 s left"
        );
        let cases = Some(40_000);
        assert_eq!(
            Pace { cases, ..pace() }.words(),
            "19.0 proofs a second, 1 finding, about 33 min left"
        );
    }

    #[test]
    fn nothing_is_known_at_the_beginning() {
        let cases = Some(u64::MAX);
        let none = Pace {
            cases,
            ..Pace::default()
        };
        assert_eq!(none.words(), "0.0 proofs a second, 0 findings");
    }
}
