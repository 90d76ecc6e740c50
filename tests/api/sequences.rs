//! The specification of money and stock as a whole: after any sequence of acceptances, partial payments, reversals,
//! uses of deposits, payouts and returns, every figure is what a model in memory says it must be, and the audit finds nothing.
//!
//! `ZHUXIAO_TEST_SEQUENCES` is how many are played (10000 takes minutes), `ZHUXIAO_TEST_SEED` where the seeds begin. A
//! sequence that fails tells its seed and its steps; with that seed and one sequence it is played alone.

mod county;
mod model;
mod money;
mod play;
mod stored;

use zhuxiao::audit;

use crate::support::World;
use county::County;
use play::Play;

const SEQUENCES: usize = 200;
const SEED: u64 = 1;

/// Sequences of one database, each in a county of its own.
const PER_DATABASE: usize = 50;

/// Databases that are played at the same time.
const AT_ONCE: usize = 4;

/// A sequence of numbers that a seed begins.
pub struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(u64::try_from(limit).unwrap())).unwrap()
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(u64::try_from(most - least + 1).unwrap())).unwrap()
    }
}

fn setting<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_sequence_of_acceptances_payments_reversals_payouts_and_returns_keeps_every_invariant() {
    let count = setting("ZHUXIAO_TEST_SEQUENCES", SEQUENCES);
    let first = setting("ZHUXIAO_TEST_SEED", SEED);
    let seeds: Vec<u64> = (first..).take(count).collect();
    let mut steps = 0;
    for round in seeds.chunks(PER_DATABASE * AT_ONCE) {
        let databases = round.chunks(PER_DATABASE).map(|seeds| tokio::spawn(played(seeds.to_vec())));
        for database in databases.collect::<Vec<_>>() {
            steps += database.await.unwrap();
        }
    }
    println!("{count} sequences of {steps} steps, seeds from {first}");
    assert!(steps > count * 5, "{steps} steps are too few to prove anything");
}

/// Plays sequences in one database, one after the other, and audits it.
async fn played(seeds: Vec<u64>) -> usize {
    let world = World::new().await.with_regions().await;
    let codes: Vec<String> = (0..seeds.len()).map(|number| format!("3419{number:02}")).collect();
    county::regions(&world, &codes).await;
    let hash = world.app.hashing.hash("a password for sequences").await.unwrap();
    let mut steps = 0;
    for (seed, code) in seeds.iter().zip(&codes) {
        let mut dice = Dice::new(*seed);
        let county = County::make(&world.app, code, &hash, &mut dice).await;
        steps += Play::new(&world.app, &county, dice, *seed).until_the_end().await;
    }
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.is_empty(), "seeds {seeds:?}: {findings:#?}");
    steps
}
