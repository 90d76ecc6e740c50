//! Schema changes in the order they are applied. A change that has landed is never edited; it is followed by another.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m0001_platform;
mod m0002_regions;
mod m0003_members;
mod m0004_products;
mod m0005_lots;
mod m0006_orders;
mod m0007_deliveries;
mod m0008_ledger;
mod m0009_settlement;
mod m0010_payments;
mod m0015_ledger_days;
mod m0016_bank_statements;
mod m0017_matching;
mod m0018_payout_files;
mod m0019_payment_terms;
mod m0020_papers;
mod m0021_problems;
mod m0023_counted_changes;
mod m0024_trail_chain;
mod m0025_sign_in;
mod m0026_personal_data;
mod m0027_webhooks;
mod m0028_append_only;
mod m0029_price_guide;
mod sql;

/// Applies every change that a database does not have yet.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_platform::Migration),
            Box::new(m0002_regions::Migration),
            Box::new(m0003_members::Migration),
            Box::new(m0004_products::Migration),
            Box::new(m0005_lots::Migration),
            Box::new(m0006_orders::Migration),
            Box::new(m0007_deliveries::Migration),
            Box::new(m0008_ledger::Migration),
            Box::new(m0009_settlement::Migration),
            Box::new(m0010_payments::Migration),
            Box::new(m0015_ledger_days::Migration),
            Box::new(m0016_bank_statements::Migration),
            Box::new(m0017_matching::Migration),
            Box::new(m0018_payout_files::Migration),
            Box::new(m0019_payment_terms::Migration),
            Box::new(m0020_papers::Migration),
            Box::new(m0021_problems::Migration),
            Box::new(m0023_counted_changes::Migration),
            Box::new(m0024_trail_chain::Migration),
            Box::new(m0025_sign_in::Migration),
            Box::new(m0026_personal_data::Migration),
            Box::new(m0027_webhooks::Migration),
            Box::new(m0028_append_only::Migration),
            Box::new(m0029_price_guide::Migration),
        ]
    }
}
