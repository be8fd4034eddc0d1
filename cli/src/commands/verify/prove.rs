//! `prove`: claims about one chain.

use core::slice;
use std::collections::BTreeSet;
use std::path::Path;

use callproof_formats::Position;
use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{
    AbiList, CallPattern, Claim, Env, GroundPolicy, Item, Predicate, Problem, Property, PropertyFile, Selector, Sets,
    Span, parse_properties,
};
use callproof_verifier::{Answer, AskError, Limits, Outcome, Query, Session, Shown, Side};
use callproof_vm::{Chain, Filter};

use super::claims::{Claimed, Claims, Stood};
use super::live::Running;
use super::sides;
use super::witness::{Witness, witness};
use crate::args::Prove;
use crate::error::{Failure, Result};
use crate::input::{Input, Loaded, admitted, read_file};
use crate::settings::Settings;

/// Calls that are told of one claim of existence.
const MOST_SHOWN: usize = 8;

pub(crate) fn run(args: &Prove, input: &Input, settings: &Settings) -> Result<Claims> {
    let loaded = sides::chain(&args.filter, input)?;
    let filters = admitted(&loaded, settings)?;
    let mut claims = Claims {
        command: "prove",
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        claims: Vec::new(),
        compiled: sides::compiled(&loaded),
    };
    let mut proofs = Vec::new();
    for typed in &args.properties {
        let text = Text::read(typed)?;
        let file = parse_properties(&text.name, &text.text).map_err(|problems| text.refuse(&problems.problems))?;
        let others = Others::load(&file, text.folder(), input, settings)?;
        let base = Env {
            abis: settings.in_force(),
            sets: Sets::default(),
        };
        file.check(&base).map_err(|problems| text.refuse(&problems))?;
        claims.compiled.extend(others.compiled());
        let judged = others.admitted(settings)?;
        let effort = Asking {
            limits: args.effort.limits(),
            live: args.live,
        };
        let mut judge = Judge::new(&filters, &judged, &args.filter, effort, settings);
        for (property, env) in file.properties(&base) {
            let (mut claimed, outcome) = judge.claim(property, &env, &text)?;
            claimed.file = text.is_file.then(|| text.name.clone());
            claimed.line = text.is_file.then(|| Position::of(&text.text, property.span.start).line);
            claims.claims.push(claimed);
            if let Answer::Holds { proof: Some(proof), .. } = outcome.answer {
                proofs.push(proof);
            }
        }
    }
    if claims.claims.is_empty() {
        return Err(Failure::usage("nothing is claimed")
            .with_help("write a claim such as `deny ptrace`, or a file of claims; see docs/PROPERTIES.md"));
    }
    if let Some(out) = &args.proof_out {
        match proofs.as_slice() {
            [proof] if claims.claims.len() == 1 => {
                std::fs::write(out, proof.file()).map_err(|error| Failure::io("write", out, &error))?;
            }
            _ => return Err(no_proof(&claims)),
        }
    }
    Ok(claims)
}

fn no_proof(claims: &Claims) -> Failure {
    match claims.claims.as_slice() {
        [one] => Failure::usage(format_args!("no proof was written: `{}`: {}", one.claim, one.reason))
            .with_help("leave `--proof-out` away to see the answer"),
        many => Failure::usage(format_args!(
            "`--proof-out` is for one claim, and these are {}",
            many.len()
        ))
        .with_help("prove them one by one"),
    }
}

/// Where claims were written.
struct Text {
    name: String,
    text: String,
    is_file: bool,
}

impl Text {
    /// A file that exists, or the text itself.
    fn read(typed: &str) -> Result<Self> {
        let path = Path::new(typed);
        let names_a_file = path.extension().is_some_and(|ending| ending == "props") && !typed.contains(' ');
        if !names_a_file && !path.is_file() {
            return Ok(Self {
                name: "command line".to_owned(),
                text: typed.to_owned(),
                is_file: false,
            });
        }
        let text = String::from_utf8(read_file(path)?).map_err(|_| {
            Failure::usage(format_args!("`{typed}` is not UTF-8 text")).with_help("name a file of properties")
        })?;
        Ok(Self {
            name: typed.to_owned(),
            text,
            is_file: true,
        })
    }

    fn folder(&self) -> &Path {
        let path = Path::new(&self.name);
        path.parent().filter(|_| self.is_file).unwrap_or_else(|| Path::new(""))
    }

    fn refuse(&self, problems: &[Problem]) -> Failure {
        callproof::Error::text(&self.name, &self.text, problems).into()
    }
}

/// Filters and policies that claims name.
pub(super) struct Others {
    loaded: Vec<(String, OtherSide<Vec<Loaded>>)>,
}

#[derive(Clone)]
enum OtherSide<C> {
    Chain(C),
    Policy(GroundPolicy),
}

impl Others {
    /// What one other side is.
    pub(super) fn one(name: &str, chain: Vec<Loaded>) -> Self {
        Self {
            loaded: vec![(name.to_owned(), OtherSide::Chain(chain))],
        }
    }

    fn load(file: &PropertyFile, folder: &Path, input: &Input, settings: &Settings) -> Result<Self> {
        let mut wanted: Vec<(String, String)> = Vec::new();
        let mut stacked = BTreeSet::new();
        for item in &file.items {
            match item {
                Item::Use { path, name } => wanted.push((name.clone(), path.clone())),
                Item::Property(Property {
                    claim: Claim::Relation { left, right, .. },
                    ..
                }) => {
                    for side in [left, right] {
                        files(side, &mut wanted);
                        in_stacks(side, false, &mut stacked);
                    }
                }
                Item::Abis(_) | Item::Set(..) | Item::Property(_) => {}
            }
        }
        let load = |(name, path): (String, String)| {
            let path = folder.join(path);
            let side = side(&path, stacked.contains(&name), input, settings)?;
            Ok((name, side))
        };
        let loaded = wanted.into_iter().map(load).collect::<Result<_>>()?;
        Ok(Self { loaded })
    }

    /// The policies that stand for themselves as filters.
    pub(super) fn compiled(&self) -> Vec<Stood> {
        let chains = self.loaded.iter().filter_map(|(_, side)| match side {
            OtherSide::Chain(chain) => Some(sides::compiled(chain)),
            OtherSide::Policy(_) => None,
        });
        chains.flatten().collect()
    }

    pub(super) fn admitted(&self, settings: &Settings) -> Result<Admitted<'_>> {
        let admit = |(name, side): &'_ (String, OtherSide<Vec<Loaded>>)| match side {
            OtherSide::Chain(_) => Ok(None),
            OtherSide::Policy(policy) => Ok(Some((name.clone(), policy.clone()))),
        };
        let policies: Vec<_> = self.loaded.iter().map(admit).collect::<Result<Vec<_>>>()?;
        let mut chains = Vec::new();
        for (name, side) in &self.loaded {
            if let OtherSide::Chain(loaded) = side {
                chains.push((name.clone(), admitted(loaded, settings)?));
            }
        }
        Ok(Admitted {
            chains,
            policies: policies.into_iter().flatten().collect(),
        })
    }
}

/// The same, ready to be judged.
pub(super) struct Admitted<'l> {
    chains: Vec<(String, Vec<Filter<'l>>)>,
    policies: Vec<(String, GroundPolicy)>,
}

fn files(operand: &Operand, wanted: &mut Vec<(String, String)>) {
    match operand {
        Operand::File(path) => wanted.push((path.clone(), path.clone())),
        Operand::Stack(parts) => parts.iter().for_each(|part| files(part, wanted)),
        Operand::Own | Operand::Named(..) => {}
    }
}

/// The names of what stands in a stack.
fn in_stacks(operand: &Operand, inside: bool, names: &mut BTreeSet<String>) {
    match operand {
        Operand::File(name) | Operand::Named(name, _) if inside => drop(names.insert(name.clone())),
        Operand::Stack(parts) => parts.iter().for_each(|part| in_stacks(part, true, names)),
        Operand::File(_) | Operand::Named(..) | Operand::Own => {}
    }
}

/// A policy of any format, else filters. Policies in a stack, and several that one file comes to, are compiled: chains
/// can be compared with proof, and each filter is proved to be its policy.
fn side(path: &Path, stacked: bool, input: &Input, settings: &Settings) -> Result<OtherSide<Vec<Loaded>>> {
    let name = path.display().to_string();
    let compiled = || input.chain(slice::from_ref(&name)).map(OtherSide::Chain);
    if stacked || !input.may_be_policy(&name) {
        return compiled();
    }
    let found = callproof::policies(path, &settings.options())?;
    match found.as_ref().map(|policies| policies.list.as_slice()) {
        Some([policy]) => Ok(OtherSide::Policy(policy.clone())),
        _ => compiled(),
    }
}

/// How claims are asked about.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) limits: Limits,
    /// Whether the running kernel is asked about every call that is shown
    pub(super) live: bool,
}

/// Answers claims about one chain.
pub(super) struct Judge<'j> {
    session: Session<'j>,
    asking: Asking,
    /// Asked about every call that is shown, if at all
    running: Option<Running>,
    filters: &'j [Filter<'j>],
    others: &'j Admitted<'j>,
    own_name: &'j str,
    settings: &'j Settings,
}

impl<'j> Judge<'j> {
    pub(super) fn new(
        filters: &'j [Filter<'j>],
        others: &'j Admitted<'j>,
        own_name: &'j str,
        asking: Asking,
        settings: &'j Settings,
    ) -> Self {
        let chains = others
            .chains
            .iter()
            .map(|(name, chain)| (name.clone(), Side::Chain(chain)));
        let policies = others
            .policies
            .iter()
            .map(|(name, policy)| (name.clone(), Side::Policy(policy.clone())));
        let sides = chains.chain(policies).collect();
        let machine = settings.machine_of(settings.layout());
        let session = Session::new(filters, sides, machine, settings.byte_order(), &asking.limits);
        Self {
            session,
            asking,
            running: asking.live.then(Running::new),
            filters,
            others,
            own_name,
            settings,
        }
    }

    fn claim(&mut self, property: &Property, env: &Env, text: &Text) -> Result<(Claimed, Outcome)> {
        let query = Query {
            claim: &property.claim,
            env,
        };
        let outcome = self.session.ask(&query).map_err(|error| match error {
            AskError::Problems(problems) => text.refuse(&problems),
            AskError::Disagreement(disagreement) => Failure::bug(disagreement),
        })?;
        let claimed = self.claimed(property.to_string(), &property.claim, &outcome)?;
        Ok((claimed, outcome))
    }

    /// Whether a relation of the chain to another side holds, over the calls in force.
    pub(super) fn relation(&mut self, comparison: Comparison, other: &str, reads: String) -> Result<Claimed> {
        let calls = Predicate::of(CallPattern::new(Selector::Any));
        let claim = Claim::Relation {
            left: Operand::Own,
            relation: comparison,
            right: Operand::Named(other.to_owned(), Span::default()),
            calls,
        };
        let env = Env::new(self.settings.in_force());
        let query = Query {
            claim: &claim,
            env: &env,
        };
        let outcome = self.session.ask(&query).map_err(Failure::bug)?;
        self.claimed(reads, &claim, &outcome)
    }

    /// Whether the chain equals another side for some calls; `shown` are the ABIs that `other` in a list of ABIs leaves
    /// out. `None` when the calls take more tests than a claim can have.
    pub(super) fn equal_for(
        &mut self,
        other: &str,
        calls: Predicate,
        shown: &AbiList,
        reads: String,
    ) -> Result<Option<Claimed>> {
        let claim = Claim::Relation {
            left: Operand::Own,
            relation: Comparison::Equals,
            right: Operand::Named(other.to_owned(), Span::default()),
            calls,
        };
        let query = Query {
            claim: &claim,
            env: &Env::new(shown.clone()),
        };
        match self.session.ask(&query) {
            Ok(outcome) => self.claimed(reads, &claim, &outcome).map(Some),
            Err(AskError::Problems(_)) => Ok(None),
            Err(AskError::Disagreement(disagreement)) => Err(Failure::bug(disagreement)),
        }
    }

    fn claimed(&mut self, reads: String, claim: &Claim, outcome: &Outcome) -> Result<Claimed> {
        let shown = match &outcome.answer {
            Answer::Fails(found) => found.shown.as_slice(),
            Answer::Holds { shown, .. } => shown.get(..MOST_SHOWN).unwrap_or(shown),
            Answer::Vacuous | Answer::Undecided(_) => &[],
        };
        let own = &Operand::Own;
        let sides = match claim {
            Claim::Relation { left, right, .. } => [left, right],
            _ => [own, own],
        };
        let mut witnesses = Vec::new();
        for (at, one) in shown.iter().enumerate() {
            let side = sides.get(at).copied().unwrap_or(own);
            witnesses.push(self.witness(one, side)?);
        }
        Ok(Claimed::new(reads, outcome, witnesses, &self.asking.limits))
    }

    /// A call with what an operand says about it.
    fn witness(&mut self, shown: &Shown, operand: &Operand) -> Result<Witness> {
        let name = match operand {
            Operand::Own => self.own_name.to_owned(),
            Operand::Named(name, _) => name.clone(),
            Operand::File(path) => path.clone(),
            Operand::Stack(_) => operand.to_string(),
        };
        let filters = self.filters_of(operand);
        let chain = filters.as_ref().map(|filters| Chain::new(filters));
        let mut witness = witness(shown, &name, chain.as_ref(), self.settings)?;
        if let (Some(running), Some(filters)) = (&mut self.running, &filters) {
            witness.live = Some(running.ask(filters, &shown.call, shown.verdict.value, self.settings));
        }
        Ok(witness)
    }

    /// The filters of an operand, oldest first; `None` when a policy is in it.
    fn filters_of(&self, operand: &Operand) -> Option<Vec<Filter<'j>>> {
        match operand {
            Operand::Own => Some(self.filters.to_vec()),
            Operand::Named(name, _) | Operand::File(name) => {
                let found = self.others.chains.iter().find(|(known, _)| known == name);
                found.map(|(_, filters)| filters.clone())
            }
            Operand::Stack(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(|part| self.filters_of(part)).collect();
                parts.map(|parts| parts.concat())
            }
        }
    }
}
