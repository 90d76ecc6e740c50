//! Whom payouts go to: households whose account does not take money are held back, and names and accounts are frozen
//! when the bank is instructed. The clear text of an account lives here no longer than it takes to seal it again.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::rules::LeftOutReason;
use super::store::{self, FrozenPayee, PayoutRow};
use super::{BatchView, CHUNK, PayoutView};
use crate::app::App;
use crate::db::WriteTxn;
use crate::members::households::{self, mask_bank_account};
use crate::members::sealed::Sealed;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::receipts::Waiting;

/// The households of a county whose last money came back for a reason of the account, and whose account is still the
/// same, and of which nobody has said that it is right.
pub async fn held(txn: &WriteTxn, app: &App, county: &str) -> Outcome<Vec<Uuid>> {
    let returned = store::returned_accounts(txn, county).await?;
    let mut held = HashSet::new();
    for returned in returned.chunks(CHUNK) {
        let ids: Vec<Uuid> = returned.iter().map(|row| row.household_id).collect();
        let now: HashMap<Uuid, String> = households::payees(app, txn, &ids)
            .await?
            .into_iter()
            .map(|payee| (payee.id, payee.account))
            .collect();
        for row in returned {
            let then = app.keys.open(Sealed::PayoutPayeeAccount, row.payout_id, &row.account_sealed)?;
            if now.get(&row.household_id) == Some(&then) {
                held.insert(row.household_id);
            }
        }
    }
    let mut held: Vec<Uuid> = held.into_iter().collect();
    held.sort_unstable();
    Ok(held)
}

pub const fn why_left_out(waiting: &Waiting) -> LeftOutReason {
    if waiting.has_account { LeftOutReason::AccountReturned } else { LeftOutReason::NoAccount }
}

/// Seals the names and accounts of a batch for its payouts, and the account it is paid from if one is set; answers how
/// many payees there are.
///
/// Refused with [`Refusal::WrongState`] when a household has no account any more.
pub async fn freeze(txn: &WriteTxn, app: &App, batch: &BatchView) -> Outcome<u64> {
    let (mut frozen, mut after) = (0_u64, Uuid::nil());
    loop {
        let payouts = store::payouts_after(txn, batch.id, after, CHUNK).await?;
        let Some(last) = payouts.last() else { return Ok(frozen) };
        after = last.id;
        let ids: Vec<Uuid> = payouts.iter().map(|payout| payout.household_id).collect();
        let payees: HashMap<Uuid, households::Payee> =
            households::payees(app, txn, &ids).await?.into_iter().map(|payee| (payee.id, payee)).collect();
        let sealed = payouts.iter().map(|payout| {
            let household = payout.household_id;
            seal(app, payout.id, payees.get(&household).ok_or_else(|| without_account(household))?)
        });
        frozen += store::insert_payees(txn, &sealed.collect::<Outcome<Vec<_>>>()?).await?;
    }
}

fn seal(app: &App, payout_id: Uuid, payee: &households::Payee) -> Outcome<FrozenPayee> {
    Ok(FrozenPayee {
        payout_id,
        name_sealed: app.keys.seal(Sealed::PayoutPayeeName, payout_id, &payee.head_name)?,
        account_sealed: app.keys.seal(Sealed::PayoutPayeeAccount, payout_id, &payee.account)?,
    })
}

/// The account that a batch is paid from.
#[derive(Clone)]
pub struct Debtor {
    pub name: String,
    pub bank: String,
    pub account: String,
}

/// The account that was frozen for a batch.
pub async fn debtor(txn: &WriteTxn, app: &App, batch_id: Uuid) -> Outcome<Option<Debtor>> {
    let Some(found) = store::debtor(txn, batch_id).await? else { return Ok(None) };
    let account = app.keys.open(Sealed::PayoutBatchDebtorAccount, batch_id, &found.account_sealed)?;
    Ok(Some(Debtor { name: found.name, bank: found.bank, account }))
}

/// Freezes the account of the settings for a batch that has none yet.
///
/// Refused with [`Refusal::SettingMissing`] when it is not set whole.
pub async fn freeze_debtor(txn: &WriteTxn, app: &App, batch_id: Uuid) -> Outcome<Debtor> {
    let set = |value: &Option<String>, setting| value.clone().ok_or(Refusal::SettingMissing { setting });
    let settings = &app.settings;
    let debtor = Debtor {
        account: set(&settings.escrow_account, "ZHUXIAO_ESCROW_ACCOUNT")?,
        name: set(&settings.escrow_account_name, "ZHUXIAO_ESCROW_ACCOUNT_NAME")?,
        bank: set(&settings.escrow_account_bank, "ZHUXIAO_ESCROW_ACCOUNT_BANK")?,
    };
    let frozen = store::FrozenDebtor {
        name: debtor.name.clone(),
        bank: debtor.bank.clone(),
        account_sealed: app.keys.seal(Sealed::PayoutBatchDebtorAccount, batch_id, &debtor.account)?,
    };
    if store::set_debtor(txn, batch_id, &frozen).await? { Ok(debtor) } else { Err(Failure::LostRace) }
}

/// The same when a batch is approved, which the settings do not keep anybody from: a file is refused until they are whole.
pub async fn freeze_debtor_if_set(txn: &WriteTxn, app: &App, batch_id: Uuid) -> Outcome<Option<Debtor>> {
    match freeze_debtor(txn, app, batch_id).await {
        Ok(debtor) => Ok(Some(debtor)),
        Err(Failure::Refused(Refusal::SettingMissing { .. })) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A payout as people see it.
pub fn view(app: &App, row: PayoutRow) -> Outcome<PayoutView> {
    let open = |sealed: &String| app.keys.open(Sealed::PayoutPayeeAccount, row.id, sealed);
    let account = row.account_sealed.as_ref().map(open).transpose()?;
    row.view(account.as_deref().map(mask_bank_account))
}

fn without_account(household_id: Uuid) -> Refusal {
    Refusal::WrongState {
        what: "payout batch",
        from: format!("for a household without a bank account ({household_id})"),
        attempted: "approve",
    }
}
