//! `equiv` and `subset`: one relation between two chains.

use callproof_policy::property::Comparison;

use super::claims::Claims;
use super::prove::{Asking, Judge, Others};
use super::sides;
use crate::args::{Pair, Subset};
use crate::error::Result;
use crate::input::{Input, admitted};
use crate::settings::Settings;

/// The same verdicts everywhere.
pub(crate) fn equiv(args: &Pair, input: &Input, settings: &Settings) -> Result<Claims> {
    let sides = (args.left.as_str(), args.right.as_str());
    compare("equiv", sides, Comparison::Equals, args.asking(), input, settings)
}

/// Never more permissive.
pub(crate) fn subset(args: &Subset, input: &Input, settings: &Settings) -> Result<Claims> {
    let comparison = if args.allowed_only {
        Comparison::Within
    } else {
        Comparison::Refines
    };
    let asking = Asking {
        limits: args.effort.limits(),
        live: args.live,
    };
    compare("subset", (&args.left, &args.of), comparison, asking, input, settings)
}

impl Pair {
    /// How the two are compared.
    pub(super) fn asking(&self) -> Asking {
        Asking {
            limits: self.effort.limits(),
            live: self.live,
        }
    }
}

fn compare(
    command: &'static str,
    (left, right): (&str, &str),
    comparison: Comparison,
    asking: Asking,
    input: &Input,
    settings: &Settings,
) -> Result<Claims> {
    let loaded = sides::chain(left, input)?;
    let filters = admitted(&loaded, settings)?;
    let others = Others::one(right, sides::chain(right, input)?);
    let admitted_others = others.admitted(settings)?;
    let mut judge = Judge::new(&filters, &admitted_others, left, asking, settings);
    let reads = format!("{left} {comparison} {right}");
    let compiled = sides::compiled(&loaded).into_iter().chain(others.compiled());
    let compiled = compiled.collect();
    Ok(Claims {
        command,
        compiled,
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        claims: vec![judge.relation(comparison, right, reads)?],
    })
}
