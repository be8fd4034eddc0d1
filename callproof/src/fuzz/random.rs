//! Policies at random, in shapes that filter compilers get wrong.

use callproof_abi::Abi;
use callproof_policy::predicate::{AbiItem, AbiList};
use callproof_policy::{Env, Policy, Rule, parse_policy};

/// Values near which comparisons go wrong.
const VALUES: [u64; 12] = [
    0,
    1,
    2,
    7,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x1234_5678_9abc_def0,
    u64::MAX,
];
const MASKS: [u64; 6] = [1, 3, 0xf0, 0xffff_0000, 0xff_0000_0000, 0x8000_0000_0000_0001];
const ANSWERS: [&str; 8] = [
    "allow",
    "allow",
    "errno(1)",
    "errno(38)",
    "kill",
    "kill_thread",
    "log",
    "trap(3)",
];

/// The policy of this number: equal seeds and numbers give equal policies.
pub fn random_policy(seed: u64, number: u64, abis: &[Abi]) -> Policy {
    let mut dice = Dice(mix(seed) ^ mix(number.wrapping_add(1)));
    let env = Env::new(AbiList::of(abis.iter().copied().map(AbiItem::Abi)));
    let default = format!("default {}\n", dice.pick(&ANSWERS));
    // Now and then there are so many rules that jumps get long.
    let count = if dice.one_in(12) {
        200 + dice.below(200)
    } else {
        1 + dice.below(8)
    };
    let mut policy = parse_policy("default", &default).unwrap_or_else(|_| Policy {
        default: callproof_policy::Answer::new(callproof_vm::Action::KillProcess),
        rules: Vec::new(),
    });
    let mut last = None;
    for _ in 0..count {
        // Of some arguments the kernel does not read so much; another one is taken then.
        let rule = (0..8).find_map(|_| dice.rule(abis, last, &env));
        if let Some((rule, name)) = rule {
            last = Some(name);
            policy.rules.push(rule);
        }
    }
    policy
}

/// The generator SplitMix64 (Steele, Lea and Flood 2014).
struct Dice(u64);

const fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = usize::try_from(mix(self.0) >> 32).unwrap_or_default();
        word.checked_rem(bound).unwrap_or_default()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        items.get(self.below(items.len())).copied().unwrap_or_default()
    }

    fn rule(&mut self, abis: &[Abi], last: Option<&'static str>, env: &Env) -> Option<(Rule, &'static str)> {
        let abi = abis.get(self.below(abis.len()))?;
        let names: Vec<&'static str> = abi.syscalls().map(|call| call.name).collect();
        let name = last.filter(|_| self.one_in(3)).unwrap_or_else(|| self.pick(&names));
        let conditions = match self.below(4) {
            0 | 1 => String::new(),
            _ => format!("({})", self.conditions()),
        };
        let more = if self.one_in(4) {
            format!(", {}", self.pick(&names))
        } else {
            String::new()
        };
        let on = if self.one_in(3) {
            format!(" on {}", abi.name())
        } else {
            String::new()
        };
        let text = format!("default kill\n{} {name}{conditions}{more}{on}\n", self.pick(&ANSWERS));
        let policy = parse_policy("rule", &text).ok()?;
        policy.ground(env).ok()?;
        policy.rules.into_iter().next().map(|rule| (rule, name))
    }

    fn conditions(&mut self) -> String {
        let count = 1 + self.below(3);
        let all: Vec<String> = (0..count)
            .map(|_| {
                if self.one_in(3) {
                    "_".to_owned()
                } else {
                    self.condition()
                }
            })
            .collect();
        all.join(", ")
    }

    fn condition(&mut self) -> String {
        let view = self.pick(&["", "", "raw:", "raw:", "lo:", "hi:"]);
        let (value, mask) = (self.pick(&VALUES), self.pick(&MASKS));
        let one = match self.below(5) {
            0 => format!("{view}& {mask} == {}", value & mask),
            1 => format!("{view}& {mask}"),
            _ => format!("{view}{} {value}", self.pick(&["==", "!=", ">", ">=", "<", "<="])),
        };
        match self.below(4) {
            0 => format!("{one} && {view}& {mask}"),
            1 => format!("{one} | {view}== {}", self.pick(&VALUES)),
            _ => one,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_fine_and_reproducible() {
        let abis = [Abi::X86_64, Abi::I386, Abi::S390x];
        let env = Env::new(AbiList::of(abis.map(AbiItem::Abi)));
        let mut rules = 0;
        for number in 0..200 {
            let policy = random_policy(1, number, &abis);
            assert_eq!(policy, random_policy(1, number, &abis));
            let again = parse_policy("again", &policy.to_string()).unwrap();
            assert!(again.ground(&env).is_ok());
            rules = rules.max(policy.rules.len());
        }
        assert!(rules > 255);
    }
}
