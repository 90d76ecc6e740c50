//! How long one line takes to be shared over many candidate lots, per policy and number of lots. It measures and asserts
//! nothing; what must hold is in the tests of `orders::allocation`. Prints a Markdown table.
//!
//! `cargo bench --bench allocation`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on stops, and its data is its table"
)]

use std::time::{Duration, Instant};

use uuid::Uuid;
use zhuxiao::orders::allocation::{Candidate, Demand, Policy, Tier, allocate};

/// The allocator of the service, so that a figure here is one there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 200_000];

/// Repetitions of one case at most, and how long they may take together.
const RUNS_MAX: usize = 51;
const CASE_TIME_MAX: Duration = Duration::from_secs(2);

fn main() {
    println!("| policy | {} |", SIZES.map(|size| format!("{size} lots")).join(" | "));
    println!("|---|{}", "---:|".repeat(SIZES.len()));
    for policy in Policy::ALL {
        let medians = SIZES.map(|size| shown(median(policy, size)));
        println!("| `{}` | {} |", policy.as_str(), medians.join(" | "));
    }
}

fn median(policy: Policy, size: u64) -> Duration {
    let (demand, lots) = case(policy, size);
    let mut taken = Vec::with_capacity(RUNS_MAX);
    let begun = Instant::now();
    while taken.is_empty() || taken.len() < RUNS_MAX && begun.elapsed() < CASE_TIME_MAX {
        let run = Instant::now();
        let outcome = allocate(&demand, &lots);
        taken.push(run.elapsed());
        assert_eq!(outcome.shortfall_base, 0);
    }
    taken.sort_unstable();
    taken.get(taken.len() / 2).copied().unwrap()
}

/// Half of what all lots have, wanted from households with one to four lots in 200 villages, at twenty prices, in all four
/// tiers: so every tier but the last is emptied or shared, and every policy has to find its level among many.
fn case(policy: Policy, size: u64) -> (Demand, Vec<Candidate>) {
    let mut random = Random(size);
    let mut lots = Vec::new();
    let mut household = 0_u64;
    while u64::try_from(lots.len()).unwrap() < size {
        household += 1;
        let village = 341_823_000_000 + random.below(200);
        let sold_this_year_fen = i64::try_from(random.below(2_000_000)).unwrap();
        let status = [Tier::Monitored, Tier::Registered, Tier::Others, Tier::Others];
        let status = status.into_iter().nth(usize::try_from(random.below(4)).unwrap()).unwrap();
        for _ in 0..=random.below(4) {
            let spoils = random.below(10) == 0;
            lots.push(Candidate {
                lot_id: random.id(),
                household_id: Uuid::from_u64_pair(spread(household), household),
                village,
                available_base: 1_000 + i64::try_from(random.below(500_000)).unwrap(),
                price_fen: 1_000 + 100 * i64::try_from(random.below(20)).unwrap(),
                price_per_base: if random.below(2) == 0 { 500 } else { 1_000 },
                tier: if spoils { Tier::Spoiling } else { status },
                sold_this_year_fen,
            });
        }
    }
    lots.truncate(usize::try_from(size).unwrap());
    // As the store reads them: by id, which has nothing to do with whose they are.
    lots.sort_unstable_by_key(|lot| lot.lot_id);
    let offered: i64 = lots.iter().map(|lot| lot.available_base).sum();
    let demand =
        Demand { quantity_base: offered / 2, policy, pack_base: 1, min_share_base: 0, max_households: None };
    (demand, lots)
}

/// The same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        spread(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn shown(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}
