//! What every part of the demo is handed: the service on a clock of its own, the seed, the made-up year, the data.

use super::calendar::Calendar;
use super::data::{self, DataError, MappedLines, NameKind, NamePart};
use super::dice::Dice;
use super::progress::Progress;
use crate::app::App;
use crate::trail::Actor;

/// Jing County.
pub const COUNTY: &str = "341823";

/// The county as a region.
pub const COUNTY_REGION: &str = "341823000000";

/// The demo at work.
#[derive(Debug)]
pub struct Stage {
    pub app: App,
    pub seed: u64,
    pub calendar: Calendar,
    pub data: Embedded,
    pub progress: Progress,
    /// Who writes what nobody has to sign for.
    pub actor: Actor,
    /// Whether phones and bank accounts can be sealed.
    pub has_keys: bool,
}

/// Everything embedded, read once.
#[derive(Debug)]
pub struct Embedded {
    pub regions: Vec<data::Region>,
    pub products: Vec<data::Product>,
    pub institutions: Vec<data::Institution>,
    pub cooperatives: Vec<data::Cooperative>,
    pub purchases: MappedLines,
    names: Vec<NamePart>,
}

impl Embedded {
    pub fn read() -> Result<Self, DataError> {
        Ok(Self {
            regions: data::regions()?,
            products: data::products()?,
            institutions: data::institutions()?,
            cooperatives: data::cooperatives()?,
            purchases: data::mapped_orders()?,
            names: data::names()?,
        })
    }

    /// A name that nobody gave.
    pub fn person(&self, dice: &mut Dice) -> String {
        let part = |kind, dice: &mut Dice| {
            let of_kind: Vec<&NamePart> = self.names.iter().filter(|part| part.kind == kind).collect();
            let picked = dice.weighted(&of_kind, |part| i64::from(part.weight));
            picked.map_or_else(String::new, |part| part.text.clone())
        };
        format!("{}{}", part(NameKind::Surname, dice), part(NameKind::Given, dice))
    }
}
