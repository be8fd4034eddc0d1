//! Who races: one of our engines, in this process, or a peer, in its own. All of them take turns, a round each.

/// How many rounds everybody has.
const ROUNDS: usize = 15;

/// Somebody who can be asked for a round, which gives nanoseconds of an evaluation; none once there is no more to come.
pub(crate) struct Entrant<'a> {
    pub(crate) name: &'static str,
    pub(crate) round: Box<dyn FnMut() -> Option<f64> + 'a>,
}

/// The rounds of an entrant.
pub(crate) struct Result {
    pub(crate) name: &'static str,
    /// The median, in nanoseconds
    pub(crate) time: Option<f64>,
    /// What a quarter and three quarters of the rounds took no longer than
    pub(crate) quartiles: Option<[f64; 2]>,
}

/// Lets everybody run in turn, so that what disturbs the machine for a while disturbs all alike.
pub(crate) fn race(mut entrants: Vec<Entrant<'_>>) -> Vec<Result> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); entrants.len()];
    for _ in 0..ROUNDS {
        for (entrant, times) in entrants.iter_mut().zip(&mut times) {
            times.extend((entrant.round)());
        }
    }
    let results = entrants.iter().zip(times);
    results.map(|(entrant, times)| result(entrant.name, times)).collect()
}

fn result(name: &'static str, mut times: Vec<f64>) -> Result {
    times.sort_by(f64::total_cmp);
    let quarter = |quarters: usize| times.get(times.len() * quarters / 4).copied();
    let quartiles = quarter(1).zip(quarter(3));
    Result {
        name,
        time: quarter(2),
        quartiles: quartiles.map(<[f64; 2]>::from),
    }
}
