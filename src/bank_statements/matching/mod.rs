//! Which payment a line of a bank statement is: beyond doubt when it is imported, by a person otherwise. A match is a
//! payment; a wrong one is reversed by reversing that, and the line is open again. Nothing here edits a line or a match.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, CountyScope, RegionScope, Role};
use crate::money::Fen;
use crate::payments::{self, BankLine, MatchKind, NewPayment, PaymentView};
use crate::refusal::{Outcome, Refusal};
use crate::settlement::Targets;
use crate::settlement::deposits;
use crate::trail::{self, Actor, Event};

pub mod api;
pub mod rules;
mod store;

use rules::{Candidate, Incoming, Named, Prospect, Reason};
use store::LineRow;

/// Payments that one import books by itself; what is beyond waits for a person.
pub const BOOKED_MAX: usize = 1_000;

/// Institutions whose name is like the payer's that are looked at.
const SIMILAR_MAX: usize = 20;

/// Characters of a payment's reference.
const REFERENCE_CHARS_MAX: usize = 200;

/// A line and the payment it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchView {
    pub line_id: Uuid,
    pub payment: PaymentView,
}

/// What a person says a line is for.
#[derive(Clone, Debug)]
pub struct NewMatch {
    pub institution_id: Uuid,
    pub targets: Targets,
}

/// A candidate with the name of its institution.
#[derive(Clone, Debug)]
pub struct CandidateView {
    pub institution_name: String,
    pub candidate: Candidate,
}

/// What somebody said a line is.
#[derive(Clone, Debug)]
pub struct ExplanationView {
    pub line_id: Uuid,
    pub note: String,
    pub explained_by: Uuid,
    pub explained_at: DateTime<Utc>,
}

/// Books the incoming lines a statement brought that are payments beyond doubt, [`BOOKED_MAX`] at most, in the transaction
/// of the import; answers how many. The others stay open.
pub async fn book_exact(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    county_code: &str,
    statement_id: Uuid,
) -> Outcome<u64> {
    let numbered: Vec<(LineRow, BTreeSet<String>)> = store::incoming_of(txn, statement_id)
        .await?
        .into_iter()
        .map(|line| (numbers_of(&line), line))
        .filter(|(numbers, _)| !numbers.is_empty())
        .map(|(numbers, line)| (line, numbers))
        .collect();
    if numbered.is_empty() {
        return Ok(0);
    }
    let numbers: BTreeSet<String> = numbered.iter().flat_map(|(_, numbers)| numbers.clone()).collect();
    // Locked in the order of ids before what is open is read, so that nobody pays it meanwhile.
    let payers: BTreeSet<Uuid> =
        store::named(txn, county_code, &numbers).await?.values().map(|one| one.institution_id).collect();
    deposits::lock_all(txn, &payers.into_iter().collect::<Vec<_>>()).await?;
    let mut named = store::named(txn, county_code, &numbers).await?;
    let institution_names = names_of(&store::institutions(txn, county_code).await?);
    let fingerprints =
        numbered.iter().filter_map(|(line, _)| line.payer_account_fingerprint.clone()).collect();
    let known = store::known_payers(txn, county_code, &fingerprints).await?;
    let region = RegionScope::of(county_code);
    let mut booked = 0_u64;
    for (line, numbers) in numbered {
        if usize::try_from(booked).is_ok_and(|booked| booked >= BOOKED_MAX) {
            break;
        }
        let incoming = incoming(&line, numbers, &known);
        let said: Vec<Named> =
            incoming.numbers.iter().filter_map(|number| named.get(number).cloned()).collect();
        let Some((institution_id, targets)) = rules::exact(&incoming, &said, &institution_names) else {
            continue;
        };
        let is_covered = targets == Targets::Deposit
            && payments::deposits::free(txn, institution_id).await? >= incoming.amount;
        if is_covered || !payments::is_bookable(incoming.amount, line.booked_on, app.clock.today()) {
            continue;
        }
        forget_paid(&mut named, &said);
        let new = payment_of(&line, incoming.amount, institution_id, targets);
        let of_line = BankLine { line_id: line.id, kind: MatchKind::Exact };
        payments::book_line(txn, app, actor, &region, new, of_line).await?;
        booked = booked.saturating_add(1);
    }
    Ok(booked)
}

/// What a line may pay, the likeliest first. None for one that is matched or did not come in.
pub async fn candidates(app: &App, caller: &Caller, line_id: Uuid) -> Outcome<Vec<CandidateView>> {
    let counties = readable(caller)?;
    let reader = app.db.reader();
    let line = store::find(reader, &counties, line_id).await?.ok_or(Refusal::NotFound("bank line"))?;
    if !is_incoming(&line) || store::is_matched(reader, line.id).await? {
        return Ok(Vec::new());
    }
    let institutions = store::institutions(reader, &line.county_code).await?;
    let fingerprints: BTreeSet<String> = line.payer_account_fingerprint.iter().cloned().collect();
    let known = store::known_payers(reader, &line.county_code, &fingerprints).await?;
    let incoming = incoming(&line, numbers_of(&line), &known);
    let prospects = prospects(reader, &line.county_code, &incoming, &institutions).await?;
    let name_of = |id: &Uuid| institutions.get(id).cloned().unwrap_or_default();
    let ranked = rules::rank(&incoming, &prospects);
    Ok(ranked
        .into_iter()
        .map(|candidate| CandidateView { institution_name: name_of(&candidate.institution_id), candidate })
        .collect())
}

/// Matches a line by hand: it becomes a payment of an institution of its county, for settlements or onto the deposit.
///
/// Refused with [`Refusal::WrongState`] when the line did not come in, is in another currency, or is matched.
pub async fn match_line(
    app: &App,
    caller: &Caller,
    key: &Key,
    line_id: Uuid,
    new: NewMatch,
) -> Outcome<Once<MatchView>> {
    caller.allow(&[Role::Finance])?;
    let counties = readable(caller)?;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        store::lock(&txn, line_id).await?;
        let line = store::find(&txn, &counties, line_id).await?.ok_or(Refusal::NotFound("bank line"))?;
        if !is_incoming(&line) {
            return Err(wrong_state("not money that came in as CNY").into());
        }
        if store::is_matched(&txn, line_id).await? {
            return Err(wrong_state("matched already").into());
        }
        let amount = Fen::new(line.amount_minor);
        let region = RegionScope::of(&line.county_code);
        let payment = payment_of(&line, amount, new.institution_id, new.targets.clone());
        let of_line = BankLine { line_id, kind: MatchKind::Manual };
        let payment = payments::book_line(&txn, app, &caller.actor(), &region, payment, of_line).await?;
        idempotency::commit(txn, key, app.clock.now(), MatchView { line_id, payment }).await
    })
    .await
}

/// Says what a line is that is no payment of an institution, such as interest or a fee of the bank. It is not open any
/// more; a match afterwards still counts.
pub async fn explain(app: &App, caller: &Caller, line_id: Uuid, note: &str) -> Outcome<ExplanationView> {
    caller.allow(&[Role::Finance])?;
    let counties = readable(caller)?;
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            store::lock(&txn, line_id).await?;
            let line = store::find(&txn, &counties, line_id).await?.ok_or(Refusal::NotFound("bank line"))?;
            if store::is_matched(&txn, line_id).await? {
                return Err(wrong_state("matched already").into());
            }
            let explanation = store::Explanation {
                id: app.ids.next(now),
                county_code: line.county_code,
                line_id,
                note: note.to_owned(),
                explained_by: caller.principal_id,
                explained_at: now,
            };
            store::insert_explanation(&txn, &explanation).await?;
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![explained(&explanation)]).await?;
            let view = ExplanationView {
                line_id,
                note: explanation.note,
                explained_by: explanation.explained_by,
                explained_at: now,
            };
            txn.commit(view).await
        })
        .await
}

/// Everybody a line may be from: whom it names, who paid from its account, whose name is like the payer's, and who owes
/// its amount.
async fn prospects(
    connection: &impl ConnectionTrait,
    county_code: &str,
    line: &Incoming,
    institutions: &BTreeMap<Uuid, String>,
) -> Outcome<Vec<Prospect>> {
    let mut named: HashMap<Uuid, Vec<Named>> = HashMap::new();
    for one in store::named(connection, county_code, &line.numbers).await?.into_values() {
        named.entry(one.institution_id).or_default().push(one);
    }
    let mut ids: BTreeSet<Uuid> = named.keys().copied().collect();
    ids.extend(&line.known_payers);
    ids.extend(store::owing_exactly(connection, county_code, line.amount).await?);
    if let Some(payer) = line.payer_name.as_deref().map(rules::comparable_name) {
        let is_like = |name: &String| {
            let name = rules::comparable_name(name);
            name == payer || rules::is_similar(&name, &payer)
        };
        ids.extend(
            institutions.iter().filter(|(_, name)| is_like(name)).take(SIMILAR_MAX).map(|(id, _)| *id),
        );
    }
    let mut debts = store::oldest_debts(connection, &ids).await?;
    let prospect = |id: Uuid| Prospect {
        institution_id: id,
        name: institutions.get(&id).cloned().unwrap_or_default(),
        debts: debts.remove(&id).unwrap_or_default(),
        named: named.remove(&id).unwrap_or_default(),
    };
    Ok(ids.into_iter().map(prospect).collect())
}

/// What a line pays is not open for the next one of the same import.
fn forget_paid(named: &mut HashMap<String, Named>, paid: &[Named]) {
    let settlements: BTreeSet<Uuid> =
        paid.iter().flat_map(|one| &one.debts).map(|debt| debt.settlement_id).collect();
    for one in named.values_mut() {
        one.debts.retain(|debt| !settlements.contains(&debt.settlement_id));
    }
    for one in paid {
        if let Some(known) = named.get_mut(&one.number) {
            known.ahead = None;
        }
    }
}

fn incoming(line: &LineRow, numbers: BTreeSet<String>, known: &HashMap<String, BTreeSet<Uuid>>) -> Incoming {
    let account = line.payer_account_fingerprint.as_ref();
    Incoming {
        amount: Fen::new(line.amount_minor),
        payer_name: line.payer_name.clone(),
        known_payers: account.and_then(|account| known.get(account)).cloned().unwrap_or_default(),
        numbers,
    }
}

fn numbers_of(line: &LineRow) -> BTreeSet<String> {
    let reference = line.bank_reference.as_deref().unwrap_or_default();
    rules::numbers_in(&format!("{}\n{reference}", line.remark))
}

/// Comparable names of institutions. Of two with the same name the first counts.
fn names_of(institutions: &BTreeMap<Uuid, String>) -> BTreeMap<String, Uuid> {
    let mut names = BTreeMap::new();
    for (id, name) in institutions {
        names.entry(rules::comparable_name(name)).or_insert(*id);
    }
    names
}

fn payment_of(line: &LineRow, amount: Fen, institution_id: Uuid, targets: Targets) -> NewPayment {
    let written = [line.remark.trim(), line.bank_reference.as_deref().unwrap_or_default(), "bank transfer"];
    let reference = written.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    NewPayment {
        institution_id,
        amount,
        received_on: line.booked_on,
        reference: reference.chars().take(REFERENCE_CHARS_MAX).collect(),
        targets,
    }
}

fn is_incoming(line: &LineRow) -> bool {
    line.amount_minor > 0 && line.currency == "CNY"
}

fn readable(caller: &Caller) -> Result<CountyScope, Refusal> {
    caller.allow(&[Role::Finance, Role::Auditor])?;
    Ok(caller.region()?.counties())
}

fn wrong_state(from: &str) -> Refusal {
    Refusal::WrongState { what: "bank line", from: from.to_owned(), attempted: "match or explain it" }
}

fn explained(explanation: &store::Explanation) -> Event {
    Event {
        county_code: Some(explanation.county_code.clone()),
        household_id: None,
        action: "explain_bank_statement_line",
        subject_kind: "bank_statement_explanation",
        subject_id: explanation.id,
        before: None,
        after: Some(json!({ "line_id": explanation.line_id, "note": explanation.note })),
    }
}
