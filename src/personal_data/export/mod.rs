//! Everything that is stored about whoever asks, in the clear, as it is theirs: of a household all that it has here, of
//! anybody else their own account, their sessions and what they wrote. Others are told by role, never by name.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::members::access::{Caller, Scope};
use crate::members::households::{self, Personal};
use crate::members::sealed::Sealed;
use crate::refusal::Outcome;
use crate::trail::{self, Event};

pub mod api;
mod store;

/// Rows of one list at most; the newest are kept.
pub const ROWS_MAX: usize = 1_000;

/// One kind of row that is stored about somebody.
#[derive(Clone, Debug)]
pub struct Rows {
    pub name: &'static str,
    /// Whether there are no more of them than these.
    pub is_complete: bool,
    pub items: Vec<Map<String, Json>>,
}

/// Everything that is stored about somebody.
#[derive(Clone)]
pub struct Export {
    pub exported_at: DateTime<Utc>,
    pub caller: Caller,
    pub household: Option<Personal>,
    pub lists: Vec<Rows>,
}

/// Gathers it, and leaves a line in the trail that it was.
pub async fn export(app: &App, caller: &Caller) -> Outcome<Export> {
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let export = gather(app, &txn, caller).await?;
            let counts: Map<String, Json> =
                export.lists.iter().map(|list| (list.name.to_owned(), json!(list.items.len()))).collect();
            let event = Event {
                county_code: caller.county_code.clone(),
                household_id: export.household.as_ref().map(|household| household.id),
                action: "export_personal_data",
                subject_kind: "principal",
                subject_id: caller.principal_id,
                before: None,
                after: Some(json!({ "rows": counts })),
            };
            trail::record(&txn, &app.ids, export.exported_at, &caller.actor(), vec![event]).await?;
            txn.commit(export).await
        })
        .await
}

async fn gather(app: &App, txn: &WriteTxn, caller: &Caller) -> Outcome<Export> {
    let mut lists = Vec::new();
    for list in store::OF_PRINCIPALS {
        lists.push(rows(app, txn, list, caller.principal_id).await?);
    }
    let mut household = None;
    if let Scope::Household(id) = caller.scope {
        household = Some(households::personal(app, txn, &caller.scope, id).await?);
        for list in store::OF_HOUSEHOLDS {
            lists.push(rows(app, txn, list, id).await?);
        }
    }
    Ok(Export { exported_at: app.clock.now(), caller: caller.clone(), household, lists })
}

async fn rows(app: &App, txn: &WriteTxn, list: &store::List, of: Uuid) -> Outcome<Rows> {
    let mut items = store::rows(txn, list, of, ROWS_MAX).await?;
    let is_complete = items.len() <= ROWS_MAX;
    items.truncate(ROWS_MAX);
    let items = items.into_iter().map(|row| opened(app, row)).collect::<Outcome<_>>()?;
    Ok(Rows { name: list.name, is_complete, items })
}

/// The account that a payout went to is sealed for the payout.
fn opened(app: &App, mut row: Map<String, Json>) -> Outcome<Map<String, Json>> {
    let id = row.get("id").and_then(Json::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let sealed = row.remove("payee_account_sealed");
    if let (Some(id), Some(sealed)) = (id, sealed.as_ref().and_then(Json::as_str)) {
        let account = app.keys.open(Sealed::PayoutPayeeAccount, id, sealed)?;
        row.insert("account".to_owned(), json!(account));
    }
    Ok(row)
}
