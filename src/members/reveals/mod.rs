//! Personal data of one household in the clear, for a reason: counted per person and day, and in the audit trail before
//! anything is answered. Households are found by it here too, masked.

use chrono::Days;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::clock::day_start;
use crate::members::access::{Caller, Role};
use crate::members::households::{self, Personal};
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

/// What can be revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    IdentityNumber,
    Phone,
    BankAccount,
    Address,
}

impl Field {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdentityNumber => "identity_number",
            Self::Phone => "phone",
            Self::BankAccount => "bank_account",
            Self::Address => "address",
        }
    }
}

/// Shows some of what is personal about a household; what was not asked for is absent.
///
/// Refused with [`Refusal::DailyLimit`] after so many reveals of one person on one day.
pub async fn reveal(
    app: &App,
    caller: &Caller,
    household_id: Uuid,
    fields: &[Field],
    reason: &str,
) -> Outcome<Personal> {
    caller.allow(&[Role::Officer, Role::Finance])?;
    let reason = rules::reason(reason)?;
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    fields.dedup();
    let (now, today, max) = (app.clock.now(), app.clock.today(), app.settings.reveals_per_day_max);
    let shown = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let personal = households::personal(app, &txn, &caller.scope, household_id).await?;
        if !store::count_one(&txn, caller.principal_id, today, max).await? {
            return Err(used_up(app, max).into());
        }
        let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
        let event = Event {
            county_code: Some(personal.county_code.clone()),
            household_id: Some(household_id),
            action: "reveal_household",
            subject_kind: "household",
            subject_id: household_id,
            before: None,
            after: Some(json!({ "fields": names, "reason": reason })),
        };
        trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
        txn.commit(personal).await
    });
    Ok(only(shown.await?, &fields))
}

/// The next day begins at midnight in Shanghai.
fn used_up(app: &App, max: u64) -> Refusal {
    let tomorrow = app.clock.today().checked_add_days(Days::new(1)).and_then(day_start);
    let wait = tomorrow.map_or(0, |tomorrow| (tomorrow - app.clock.now()).num_seconds());
    let retry_after_seconds = u64::try_from(wait).unwrap_or(0).max(1);
    Refusal::DailyLimit { what: "reveals", max, retry_after_seconds }
}

fn only(personal: Personal, fields: &[Field]) -> Personal {
    let wanted = |field, value: Option<String>| value.filter(|_| fields.contains(&field));
    Personal {
        identity_number: wanted(Field::IdentityNumber, personal.identity_number),
        phone: wanted(Field::Phone, personal.phone),
        bank_account: wanted(Field::BankAccount, personal.bank_account),
        address: wanted(Field::Address, personal.address),
        ..personal
    }
}
