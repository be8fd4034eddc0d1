//! Policies made smaller while something stays true of them.

use core::time::Duration;
use std::time::Instant;

use callproof_policy::predicate::{AbiList, ArgTest, Check, Cond, Value, View};
use callproof_policy::{Answer, CallPattern, Policy, Rule, Selector};
use callproof_vm::Action;

/// How much may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Policies that are tried
    pub tries: usize,
    /// When to stop in any case
    pub time: Duration,
}

impl Default for Effort {
    /// 3,000 policies, 30 seconds.
    fn default() -> Self {
        Self {
            tries: 3000,
            time: Duration::from_secs(30),
        }
    }
}

/// Makes a policy smaller as long as it fails: rules are joined or go, then calls, conditions and ABIs go, then values,
/// names and answers become plain ones. `fails` is asked of policies that differ from the last one that failed.
pub fn shrink(policy: Policy, effort: Effort, fails: &mut dyn FnMut(&Policy) -> bool) -> Policy {
    let mut work = Work {
        policy,
        left: effort.tries,
        until: Instant::now().checked_add(effort.time),
        fails,
    };
    // Every pass can make room for the others. What is taken shrinks, so this ends; the rounds are bounded all the same.
    const ROUNDS: usize = 12;
    for _ in 0..ROUNDS {
        let before = work.policy.clone();
        work.joins();
        work.rules();
        work.calls();
        work.conditions();
        work.words();
        if work.policy == before {
            break;
        }
    }
    work.policy
}

struct Work<'f> {
    policy: Policy,
    left: usize,
    until: Option<Instant>,
    fails: &'f mut dyn FnMut(&Policy) -> bool,
}

impl Work<'_> {
    /// Keeps a smaller policy if it still fails.
    fn keeps(&mut self, change: impl FnOnce(&mut Policy)) -> bool {
        let mut smaller = self.policy.clone();
        change(&mut smaller);
        if self.left == 0 || self.until.is_none_or(|until| Instant::now() >= until) || smaller == self.policy {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        let keeps = (self.fails)(&smaller);
        if keeps {
            self.policy = smaller;
        }
        keeps
    }

    /// Removes runs of a list's elements, long ones first.
    fn thin(&mut self, least: usize, count: impl Fn(&Policy) -> usize, cut: impl Fn(&mut Policy, usize, usize)) {
        let mut run = count(&self.policy);
        while run > 0 {
            let mut at = 0;
            while at < count(&self.policy) {
                let left = count(&self.policy).saturating_sub(run.min(count(&self.policy).saturating_sub(at)));
                let end = at.saturating_add(run);
                if left < least || !self.keeps(|policy| cut(policy, at, end)) {
                    at = end;
                }
            }
            run /= 2;
        }
    }

    fn rules(&mut self) {
        let cut = |policy: &mut Policy, from, to| remove(&mut policy.rules, from, to);
        self.thin(0, |policy| policy.rules.len(), cut);
    }

    /// Runs of rules become one, with the answer of one of them. Long runs alone as long as there are many rules.
    fn joins(&mut self) {
        let mut run = self.policy.rules.len();
        let least = (run / 8).max(2);
        while run >= least {
            let mut at: usize = 0;
            while at.saturating_add(1) < self.policy.rules.len() {
                let end = at.saturating_add(run);
                let mut answers = answers(self.policy.rules.get(at..).unwrap_or_default(), run).into_iter();
                if !answers.any(|answer| self.keeps(|policy| join(&mut policy.rules, at, end, answer))) {
                    at = end;
                }
            }
            run /= 2;
        }
    }

    /// A list of ABIs gets shorter and does not go: without one a rule would mean what somebody says beside the policy.
    fn calls(&mut self) {
        for at in 0..self.policy.rules.len() {
            self.thin(
                1,
                |policy| rule(policy, at).map_or(0, |rule| rule.calls.calls.len()),
                |policy, from, to| with_rule(policy, at, |rule| remove(&mut rule.calls.calls, from, to)),
            );
            self.thin(
                0,
                |policy| rule(policy, at).map_or(0, |rule| rule.calls.except.len()),
                |policy, from, to| with_rule(policy, at, |rule| remove(&mut rule.calls.except, from, to)),
            );
            self.thin(
                1,
                |policy| rule(policy, at).and_then(list).map_or(0, |list| list.items.len()),
                |policy, from, to| {
                    with_rule(policy, at, |rule| {
                        if let Some(list) = &mut rule.calls.on {
                            remove(&mut list.items, from, to);
                        }
                    });
                },
            );
        }
    }

    fn conditions(&mut self) {
        for (at, place) in self.patterns() {
            self.keeps(|policy| with_pattern(policy, at, place, |pattern| pattern.args.clear()));
            for index in 0..self.pattern(at, place).map_or(0, |pattern| pattern.args.len()) {
                self.keeps(|policy| with_arg(policy, at, place, index, |arg| *arg = None));
                while self
                    .smaller_args(at, place, index)
                    .into_iter()
                    .any(|cond| self.keeps(|policy| with_arg(policy, at, place, index, |arg| *arg = Some(cond))))
                {
                }
            }
            self.keeps(|policy| with_pattern(policy, at, place, trim));
        }
    }

    fn smaller_args(&self, at: usize, place: usize, index: usize) -> Vec<Cond> {
        let pattern = self.pattern(at, place);
        let arg = pattern.and_then(|pattern| pattern.args.get(index)?.as_ref());
        arg.map(smaller).unwrap_or_default()
    }

    /// Names of calls and answers become those that everybody knows.
    fn words(&mut self) {
        for (at, place) in self.patterns() {
            for name in ["read", "write"] {
                let plain = |pattern: &mut CallPattern| pattern.selector = Selector::Name(name.to_owned());
                let is_plain = self
                    .pattern(at, place)
                    .is_some_and(|pattern| is_plain(&pattern.selector));
                if !is_plain && self.keeps(|policy| with_pattern(policy, at, place, plain)) {
                    break;
                }
            }
        }
        for at in 0..self.policy.rules.len() {
            let answer = rule(&self.policy, at).map(|rule| rule.answer.clone());
            for plain in answer.iter().flat_map(plainer) {
                self.keeps(|policy| with_rule(policy, at, |rule| rule.answer = plain));
            }
        }
        for plain in plainer(&self.policy.default.clone()) {
            self.keeps(|policy| policy.default = plain);
        }
    }

    /// The places of all patterns.
    fn patterns(&self) -> Vec<(usize, usize)> {
        let rules = self.policy.rules.iter().enumerate();
        rules
            .flat_map(|(at, rule)| (0..rule.calls.calls.len()).map(move |place| (at, place)))
            .collect()
    }

    fn pattern(&self, at: usize, place: usize) -> Option<&CallPattern> {
        rule(&self.policy, at)?.calls.calls.get(place)
    }
}

/// Answers that say less, the one that says least last: what is kept last counts.
fn plainer(answer: &Answer) -> Vec<Answer> {
    let order = [Action::Allow, Action::KillProcess].map(Answer::new);
    let known = order.iter().position(|plain| plain == answer).unwrap_or(order.len());
    order.into_iter().take(known).rev().collect()
}

fn is_plain(selector: &Selector) -> bool {
    matches!(selector, Selector::Name(name) if name == "read" || name == "write")
}

fn remove<T>(items: &mut Vec<T>, from: usize, to: usize) {
    let to = to.min(items.len());
    items.drain(from.min(to)..to);
}

fn rule(policy: &Policy, at: usize) -> Option<&Rule> {
    policy.rules.get(at)
}

fn list(rule: &Rule) -> Option<&AbiList> {
    rule.calls.on.as_ref()
}

fn with_rule(policy: &mut Policy, at: usize, change: impl FnOnce(&mut Rule)) {
    if let Some(rule) = policy.rules.get_mut(at) {
        change(rule);
    }
}

fn with_pattern(policy: &mut Policy, at: usize, place: usize, change: impl FnOnce(&mut CallPattern)) {
    with_rule(policy, at, |rule| {
        if let Some(pattern) = rule.calls.calls.get_mut(place) {
            change(pattern);
        }
    });
}

fn with_arg(policy: &mut Policy, at: usize, place: usize, index: usize, change: impl FnOnce(&mut Option<Cond>)) {
    with_pattern(policy, at, place, |pattern| {
        if let Some(arg) = pattern.args.get_mut(index) {
            change(arg);
        }
    });
}

/// Arguments at the end that can be anything need not be written.
fn trim(pattern: &mut CallPattern) {
    while pattern.args.last().is_some_and(Option::is_none) {
        pattern.args.pop();
    }
}

/// The different answers of the first rules, a few of them.
fn answers(rules: &[Rule], run: usize) -> Vec<Answer> {
    const TRIED: usize = 3;
    let mut answers: Vec<Answer> = Vec::new();
    for rule in rules.iter().take(run) {
        if answers.len() < TRIED && !answers.contains(&rule.answer) {
            answers.push(rule.answer.clone());
        }
    }
    answers
}

/// The rules between two places as one, if they are for the same ABIs.
fn join(rules: &mut Vec<Rule>, at: usize, end: usize, answer: Answer) {
    let end = end.min(rules.len());
    let together = rules.get(at..end).unwrap_or_default();
    if together
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.calls.on != b.calls.on))
    {
        return;
    }
    let mut joined = rules.drain(at.min(end)..end);
    let Some(mut first) = joined.next() else { return };
    for next in joined {
        first.calls.calls.extend(next.calls.calls);
        first.calls.except.extend(next.calls.except);
    }
    rules.insert(at, Rule { answer, ..first });
}

/// Conditions that are simpler, the simplest first.
fn smaller(cond: &Cond) -> Vec<Cond> {
    match cond {
        Cond::Test(test) => smaller_tests(test).into_iter().map(Cond::Test).collect(),
        Cond::Not(inner) => {
            let inside = smaller(inner).into_iter().map(|inner| Cond::Not(Box::new(inner)));
            core::iter::once((**inner).clone()).chain(inside).collect()
        }
        Cond::All(parts) => smaller_parts(parts, Cond::All),
        Cond::Either(parts) => smaller_parts(parts, Cond::Either),
    }
}

/// One part alone, half of the parts, all parts but one, or one part simpler.
fn smaller_parts(parts: &[Cond], whole: fn(Vec<Cond>) -> Cond) -> Vec<Cond> {
    let alone = parts.iter().take(8).cloned();
    let (first, second) = parts.split_at(parts.len() / 2);
    let halves = [first, second].into_iter().filter(|half| half.len() > 1);
    let but_one = (0..parts.len()).filter(|_| parts.len() > 2).map(|skip| {
        let kept = parts.iter().enumerate().filter(|(at, _)| *at != skip);
        whole(kept.map(|(_, part)| part.clone()).collect())
    });
    let simpler = parts.iter().enumerate().flat_map(|(at, part)| {
        smaller(part).into_iter().map(move |part| {
            let mut parts = parts.to_vec();
            if let Some(old) = parts.get_mut(at) {
                *old = part;
            }
            whole(parts)
        })
    });
    alone
        .chain(halves.map(|half| whole(half.to_vec())))
        .chain(but_one)
        .chain(simpler)
        .collect()
}

fn smaller_tests(test: &ArgTest) -> Vec<ArgTest> {
    let checks = match &test.check {
        Check::AnyBit(mask) => numbers(mask).into_iter().map(Check::AnyBit).collect(),
        Check::Compare(mask, relation, value) => {
            let plain = mask.iter().map(|_| Check::Compare(None, *relation, value.clone()));
            let masks = mask.iter().flat_map(numbers);
            let masks = masks.map(|mask| Check::Compare(Some(mask), *relation, value.clone()));
            let values = numbers(value).into_iter();
            let values = values.map(|value| Check::Compare(mask.clone(), *relation, value));
            plain.chain(values).chain(masks).collect()
        }
        Check::Range(low, high) => {
            let lows = numbers(low).into_iter().map(|low| Check::Range(low, high.clone()));
            let highs = numbers(high).into_iter().map(|high| Check::Range(low.clone(), high));
            lows.chain(highs).collect()
        }
        Check::In(_) => Vec::new(),
    };
    let checked: Vec<ArgTest> = checks
        .into_iter()
        .map(|check| ArgTest { check, ..test.clone() })
        .collect();
    let unseen = (test.view != View::Kernel).then(|| ArgTest {
        view: View::Kernel,
        ..test.clone()
    });
    unseen.into_iter().chain(checked).collect()
}

/// Smaller values, the smallest first.
fn numbers(value: &Value) -> Vec<Value> {
    let Value::Number(number) = value else {
        return vec![Value::Number(0), Value::Number(1)];
    };
    let (low, high) = (number & 0xffff_ffff, number & !0xffff_ffff);
    let one_high = if *number >> 32 > 1 { 1 << 32 } else { 0 };
    let fewer_bits = number & number.saturating_sub(1);
    let candidates = [0, 1, one_high, low, high, number / 2, fewer_bits];
    let mut smaller: Vec<i128> = candidates
        .into_iter()
        .filter(|smaller| *smaller >= 0 && smaller < number)
        .collect();
    smaller.dedup();
    smaller.into_iter().map(Value::Number).collect()
}

#[cfg(test)]
mod tests {
    use callproof_policy::parse_policy;

    use super::*;

    fn policy(text: &str) -> Policy {
        parse_policy("test", text).unwrap()
    }

    fn shrunk(text: &str, fails: impl Fn(&Policy) -> bool) -> String {
        let policy = policy(text);
        assert!(fails(&policy), "it does not fail to begin with");
        let mut asked = |policy: &Policy| parse_policy("test", &policy.to_string()).is_ok() && fails(policy);
        let small = shrink(policy.clone(), Effort::default(), &mut asked);
        assert!(small.to_string().len() <= policy.to_string().len());
        small.to_string()
    }

    #[test]
    fn what_does_not_matter_goes() {
        let text = "default errno(EPERM)\nallow open, close on x86_64\nkill ptrace(3, _, > 5), read(7 | 8) on x86_64, i386\nlog getpid on x86_64\n";
        let has = |policy: &Policy| policy.to_string().contains("ptrace");
        assert_eq!(shrunk(text, has), "default allow\nallow ptrace on i386\n");
        let deep = |policy: &Policy| policy.to_string().contains("> 5");
        assert_eq!(shrunk(text, deep), "default allow\nallow read(_, _, > 5) on i386\n");
    }

    #[test]
    fn many_rules_become_one() {
        let rules: String = (0..300).map(|n| format!("errno({}) {n}\n", n + 1)).collect();
        let many = |policy: &Policy| policy.rules.iter().map(|rule| rule.calls.calls.len()).sum::<usize>() > 255;
        let small = policy(&shrunk(&format!("default kill\n{rules}"), many));
        assert_eq!((small.rules.len(), small.rules[0].calls.calls.len()), (1, 256));
    }

    #[test]
    fn values_become_small() {
        let text = "default kill\nallow lseek(_, >= 0x123456789abcdef0, _)\n";
        let wide = |policy: &Policy| policy.to_string().contains(">= 0x1");
        let small = shrunk(text, |policy| {
            let text = policy.to_string();
            let number = text.split(">= ").nth(1).and_then(|rest| rest.split([',', ')']).next());
            let number = number.map(|digits| match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
                None => digits.parse().unwrap(),
            });
            number.is_some_and(|number| number >> 32 != 0)
        });
        assert!(wide(&policy(&small)) && small.contains("0x100000000"), "{small}");
    }

    #[test]
    fn effort_is_bounded() {
        let rules: String = (0..300).map(|n| format!("allow {n}\n")).collect();
        let mut tries = 0;
        let effort = Effort {
            tries: 10,
            ..Effort::default()
        };
        shrink(policy(&format!("default kill\n{rules}")), effort, &mut |_| {
            tries += 1;
            false
        });
        assert_eq!(tries, 10);
    }
}
