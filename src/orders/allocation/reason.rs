//! Why a lot got what it got, as facts and as a sentence. It never decides anything.

use serde::{Deserialize, Serialize};

use super::Tier;
use super::stock::Price;

/// Why a share is as large as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// All whole packs of the lot, and of every other lot the household has in the tier.
    WholeLot,
    /// The household stands at this level with all its lots of the tier.
    Level { level_base: i64 },
    /// The household's sales income of this year is raised to this level.
    IncomeLevel { level_fen: i64 },
    /// So many hundredths of a percent of the household's stock in the tier, rounded down.
    Proportional { basis_points: i64 },
    /// Picked up in one of so many villages, at this level.
    Pickup { villages: u32, level_base: i64 },
    /// The highest price that is still needed, at this level.
    Price { price_fen: i64, price_per_base: i64, level_base: i64 },
    /// The least that a household may get from this order.
    MinimumShare { min_share_base: i64 },
}

impl Reason {
    pub(super) fn price(price: Price, level_base: i64) -> Self {
        Self::Price { price_fen: price.fen, price_per_base: price.per_base, level_base }
    }

    /// A sentence for buyer, household and bureau: "tier 2 monitored, level 350 kg". `show_base` writes grams or
    /// pieces as people read them.
    #[must_use]
    pub fn describe(&self, tier: Tier, show_base: impl Fn(i64) -> String) -> String {
        let why = match *self {
            Self::WholeLot => "whole lot".to_owned(),
            Self::Level { level_base } => format!("level {}", show_base(level_base)),
            Self::IncomeLevel { level_fen } => format!("income level {} yuan", show_hundredths(level_fen)),
            Self::Proportional { basis_points } => {
                let percent = show_hundredths(basis_points);
                format!("proportional {} %", percent.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Pickup { villages: 1, level_base } => {
                format!("pickup in 1 village, level {}", show_base(level_base))
            }
            Self::Pickup { villages, level_base } => {
                format!("pickup in {villages} villages, level {}", show_base(level_base))
            }
            Self::Price { price_fen, price_per_base, level_base } => {
                let (yuan, per) = (show_hundredths(price_fen), show_base(price_per_base));
                format!("price {yuan} yuan per {per}, level {}", show_base(level_base))
            }
            Self::MinimumShare { min_share_base } => format!("minimum share {}", show_base(min_share_base)),
        };
        format!("tier {} {}, {why}", tier.number(), tier.name())
    }
}

fn show_hundredths(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}
