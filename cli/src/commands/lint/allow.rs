//! `--allow RULE=REASON`

use callproof::lint::{RULES, Rule};

use crate::error::{Failure, Result};

/// Rules whose findings are not reported, with the reasons.
pub(super) struct Allowed(Vec<(&'static str, String)>);

impl Allowed {
    pub(super) fn parse(typed: &[String]) -> Result<Self> {
        typed.iter().map(|typed| one(typed)).collect::<Result<_>>().map(Self)
    }

    pub(super) fn reason(&self, rule: &str) -> Option<String> {
        let found = self.0.iter().find(|(allowed, _)| *allowed == rule);
        found.map(|(_, reason)| reason.clone())
    }
}

fn one(typed: &str) -> Result<(&'static str, String)> {
    let (id, reason) = typed.split_once('=').unwrap_or((typed, ""));
    let Some(rule) = Rule::named(id.trim()) else {
        let near = nearest(id).map(|near| format!("; did you mean `{near}`?"));
        let message = format!("no rule is called `{id}`{}", near.unwrap_or_default());
        return Err(Failure::usage(message).with_help("`callproof lint --list-rules` lists them"));
    };
    if reason.trim().is_empty() {
        let message = format!("`--allow {id}` gives no reason");
        let help = format!("say why the finding is wanted: `--allow '{id}=REASON'`");
        return Err(Failure::usage(message).with_help(help));
    }
    Ok((rule.id, reason.trim().to_owned()))
}

/// The rule whose name takes the fewest changes, if few.
fn nearest(id: &str) -> Option<&'static str> {
    const MOST: usize = 4;
    let id: String = id.chars().take(64).collect();
    let near = RULES
        .iter()
        .map(|rule| (strsim::damerau_levenshtein(&id, rule.id), rule.id));
    near.filter(|(changes, _)| *changes <= MOST).min().map(|(_, rule)| rule)
}
