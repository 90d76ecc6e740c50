//! What papers say against what they were made of: digests, and figures against the rows they froze. A digest is not
//! computed in SQL, so papers are read here page by page; memory is bounded by a page, whatever the number of papers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use uuid::Uuid;

use super::store::{self, PaperRow};
use super::{FINDINGS_PER_CHECK_MAX, Finding};
use crate::db::Reader;
use crate::money::Fen;
use crate::papers::content::{MonthlyStatement, PaymentSlip, SettlementStatement};
use crate::papers::{Content, digest};

/// Papers of a page: a paper has up to ten thousand lines.
const PAGE: u64 = 50;

const DIGEST: &str = "the digest of a paper is that of its number and content";
const READABLE: &str = "the content of a paper is of its kind and adds up";
const FIGURES: &str = "a paper in force says what the rows say that it froze";

/// The checks of this file.
pub const CHECKS: usize = 3;

/// Every paper that differs, of all or of those touched since a moment, and the checks that found more than is listed.
pub async fn differing(
    reader: &Reader,
    since: Option<DateTime<Utc>>,
) -> Result<(Vec<Finding>, Vec<&'static str>), DbErr> {
    let mut findings = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let papers = store::papers_after(reader, since, after, PAGE).await?;
        let Some(last) = papers.last() else { return Ok((findings, Vec::new())) };
        after = last.id;
        look_at(reader, &papers, &mut findings).await?;
        if findings.len() >= FINDINGS_PER_CHECK_MAX {
            findings.truncate(FINDINGS_PER_CHECK_MAX);
            return Ok((findings, vec![FIGURES]));
        }
    }
}

async fn look_at(reader: &Reader, papers: &[PaperRow], findings: &mut Vec<Finding>) -> Result<(), DbErr> {
    let mut read = Vec::new();
    for paper in papers {
        let expected = digest(&paper.number, &paper.content);
        if paper.digest != expected {
            findings.push(finding(paper.id, 8, "digest", (&paper.digest, Some(expected)), DIGEST));
        }
        match Content::read(&paper.content) {
            Ok(content) if content.kind().as_str() == paper.kind && content.adds_up() => {
                if paper.is_in_force {
                    read.push((paper, content));
                }
            }
            _ => findings.push(finding(
                paper.id,
                10,
                "content",
                ("none of its kind that adds up", None),
                READABLE,
            )),
        }
    }
    let rows = store::frozen_rows(reader, &statements_of_months(&read)).await?;
    let lines = store::lines_of(reader, &lines_named(&read)).await?;
    let parts = store::payout_parts_of(reader, &payouts(&read)).await?;
    for (paper, content) in &read {
        let (said, is) = match content {
            Content::SettlementStatement(statement) => settlement(paper, statement, &lines),
            Content::MonthlyStatement(statement) => month(paper.id, statement, &rows),
            Content::PaymentSlip(slip) => payout(paper, slip, &parts),
        };
        if said != is {
            findings.push(finding(paper.id, 10, "content", (&said, Some(is)), FIGURES));
        }
    }
    Ok(())
}

/// What a month's paper says and what the ledger says, as far as the paper could know: entries that were written later
/// belong into a correction.
fn month(
    paper_id: Uuid,
    statement: &MonthlyStatement,
    rows: &HashMap<Uuid, store::MonthFigures>,
) -> (String, String) {
    let (opening, closing) = (statement.opening, statement.closing);
    let said = [opening.receivable, closing.receivable, opening.deposit, closing.deposit].map(Fen::get);
    let is = rows.get(&paper_id).map_or([0; 4], |row| {
        [row.opening_receivable, row.closing_receivable, row.opening_deposit, row.closing_deposit]
    });
    (figures(said.into_iter()), figures(is.into_iter()))
}

fn settlement(
    paper: &PaperRow,
    statement: &SettlementStatement,
    lines: &HashMap<Uuid, Vec<store::LineFigures>>,
) -> (String, String) {
    let mut said: Vec<(Uuid, [i64; 3])> = statement
        .lines
        .iter()
        .map(|line| (line.settlement_line_id, [line.quantity_base, line.price.fen.get(), line.amount.get()]))
        .collect();
    let found = paper.settlement_id.and_then(|id| lines.get(&id)).map_or(&[][..], Vec::as_slice);
    let mut is: Vec<(Uuid, [i64; 3])> =
        found.iter().map(|line| (line.id, [line.quantity_base, line.price_fen, line.amount_fen])).collect();
    first_difference(&mut said, &mut is)
}

fn payout(
    paper: &PaperRow,
    slip: &PaymentSlip,
    parts: &HashMap<Uuid, Vec<store::PartFigures>>,
) -> (String, String) {
    let mut said: Vec<(Uuid, [i64; 1])> =
        slip.lines.iter().map(|line| (line.settlement_line_id, [line.paid.get()])).collect();
    let found = paper.payout_id.and_then(|id| parts.get(&id)).map_or(&[][..], Vec::as_slice);
    let mut is: Vec<(Uuid, [i64; 1])> =
        found.iter().map(|part| (part.settlement_line_id, [part.amount_fen])).collect();
    first_difference(&mut said, &mut is)
}

/// The first line on which paper and rows differ, as both have it; two equal texts when there is none.
fn first_difference<const N: usize>(
    said: &mut [(Uuid, [i64; N])],
    is: &mut [(Uuid, [i64; N])],
) -> (String, String) {
    said.sort_unstable();
    is.sort_unstable();
    let shown = |line: Option<&(Uuid, [i64; N])>| {
        line.map_or_else(
            || "no line".to_owned(),
            |(id, values)| format!("{id}: {}", figures(values.iter().copied())),
        )
    };
    let differs = (0..said.len().max(is.len())).find(|&at| said.get(at) != is.get(at));
    differs.map_or_else(Default::default, |at| (shown(said.get(at)), shown(is.get(at))))
}

fn figures(values: impl Iterator<Item = i64>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

fn statements_of_months(read: &[(&PaperRow, Content)]) -> Vec<store::MonthAsked> {
    let asked = read.iter().filter_map(|(paper, content)| {
        let Content::MonthlyStatement(statement) = content else { return None };
        Some(store::MonthAsked {
            paper_id: paper.id,
            county_code: paper.county_code.clone(),
            institution_id: paper.institution_id?,
            first_on: statement.first_on,
            last_on: statement.last_on,
            known_until: statement.known_until.unwrap_or(DateTime::UNIX_EPOCH),
        })
    });
    asked.collect()
}

fn lines_named(read: &[(&PaperRow, Content)]) -> Vec<Uuid> {
    read.iter().filter_map(|(paper, _)| paper.settlement_id).collect()
}

fn payouts(read: &[(&PaperRow, Content)]) -> Vec<Uuid> {
    read.iter().filter_map(|(paper, _)| paper.payout_id).collect()
}

fn finding(
    paper_id: Uuid,
    invariant: u8,
    column: &'static str,
    (stored, recomputed): (&str, Option<String>),
    what: &'static str,
) -> Finding {
    Finding {
        invariant,
        table: "paper",
        row_id: paper_id.to_string(),
        column,
        stored: Some(stored.to_owned()),
        recomputed,
        what,
    }
}
