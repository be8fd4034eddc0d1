//! Claims about the container profile, and their proofs.

use callproof_checker::{Claim, Part, Region, Relation, View};
use callproof_verifier::{Limits, Subject, Unprovable, prove};
use callproof_vm::{Endian, Filter, Insn, Machine};

use crate::{I386, X86_64, allowed};

/// Everything but the allowed calls of both ABIs is not permitted.
#[must_use]
pub fn default_deny() -> Claim {
    let table = |numbers: Vec<u32>| {
        let mut cases: Vec<(u32, u32, u32)> = Vec::new();
        for nr in numbers {
            match cases.last_mut() {
                Some((_, last, _)) if last.saturating_add(1) == nr => *last = nr,
                _ => cases.push((nr, nr, 0)),
            }
        }
        select(1, cases)
    };
    let arch = select(0, vec![(I386, I386, 3), (X86_64, X86_64, 2)]);
    claim(
        vec![table(allowed(0..335)), table(allowed(0..385)), arch],
        // Neither `allow` nor `log`, whatever the data.
        vec![view(0)],
        Relation::Within(vec![
            (0, 0x7ffb_ffff),
            (0x7ffd_0000, 0x7ffe_ffff),
            (0x8000_0000, u32::MAX),
        ]),
    )
}

/// Two chains return the same for every call.
#[must_use]
pub fn equal() -> Claim {
    claim(vec![], vec![view(0), view(1)], Relation::Equal(vec![(0, u32::MAX)]))
}

/// No call executes more instructions than this.
#[must_use]
pub fn cost(bound: u32) -> Claim {
    claim(vec![], vec![view(0)], Relation::Cost(bound))
}

/// A proof of a claim about chains of one filter each.
///
/// # Errors
/// No proof can be written.
pub fn proof(claim: &Claim, filters: &[[Filter<'_>; 1]]) -> Result<Vec<u8>, Unprovable> {
    let limits = Limits::default();
    let subjects = filters
        .iter()
        .map(|filter| Subject::new(filter, Machine::default(), &limits));
    let subjects: Vec<Subject<'_>> = subjects.collect::<Result<_, _>>()?;
    prove(&subjects.iter().collect::<Vec<_>>(), claim, &limits)
}

/// A program as the checker takes it.
#[must_use]
pub fn bytes(program: &[Insn]) -> Vec<u8> {
    program.iter().flat_map(|insn| insn.to_bytes(Endian::Little)).collect()
}

fn select(word: u8, cases: Vec<(u32, u32, u32)>) -> Region {
    Region {
        word,
        mask: u32::MAX,
        cases,
        otherwise: 1,
    }
}

fn view(chain: u8) -> View {
    let force = Vec::new();
    View { chain, force }
}

/// A claim of one part about the last node.
fn claim(region: Vec<Region>, views: Vec<View>, relation: Relation) -> Claim {
    let within = u32::try_from(region.len()).unwrap_or(0).saturating_add(1);
    let parts = vec![Part {
        within,
        views,
        relation,
    }];
    Claim { region, parts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{container_linear, container_tree};
    use callproof_checker::check;

    /// What a proof takes, if the checker accepts it.
    fn size(claim: &Claim, programs: &[Vec<Insn>]) -> usize {
        let filters: Vec<_> = programs
            .iter()
            .map(|program| [Filter::load(program.clone()).unwrap()])
            .collect();
        let file = proof(claim, &filters).unwrap();
        let programs: Vec<Vec<u8>> = programs.iter().map(|program| bytes(program)).collect();
        let chains: Vec<[&[u8]; 1]> = programs.iter().map(|program| [program.as_slice()]).collect();
        let chains: Vec<&[&[u8]]> = chains.iter().map(|chain| chain.as_slice()).collect();
        let accepted = check(&file, &chains).unwrap();
        assert_eq!(accepted.claim, *claim);
        file.len()
    }

    #[test]
    fn proofs_stay_small() {
        let (linear, tree) = (container_linear(), container_tree());
        let sizes = [
            size(&default_deny(), core::slice::from_ref(&linear)),
            size(&default_deny(), core::slice::from_ref(&tree)),
            size(&cost(600), core::slice::from_ref(&linear)),
            size(&equal(), &[linear, tree]),
        ];
        println!("{sizes:?}");
        let most = [1_300, 1_300, 2_700, 490];
        assert!(sizes.iter().zip(most).all(|(size, most)| *size <= most), "{sizes:?}");
    }
}
