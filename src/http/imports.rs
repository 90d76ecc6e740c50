//! What an import of a table answers, for every noun that has one. Files come as `application/octet-stream`.

use poem_openapi::Object;
use poem_openapi::payload::Json;

use crate::http::problem::{Answer, Problem, ProblemBody};
use crate::sheet::{BadCell, ImportReport};

/// Refused cells told at most; the first ones are enough to see what is wrong with a file.
pub const CELLS_MAX: usize = 1_000;

/// What an import did, or would do.
#[derive(Debug, Object)]
pub struct ImportResult {
    /// Whether this was a trial that wrote nothing.
    pub is_dry_run: bool,
    /// Rows of the table, blank ones left out.
    pub rows: u64,
    /// Rows that became, or would become, something new.
    pub created: u64,
    /// Rows that were there already.
    pub existing: u64,
    /// All refused cells. When there is one, nothing of the file is imported.
    pub refused: u64,
    /// The first 1,000 refused cells.
    pub cells: Vec<RefusedCell>,
}

/// A cell that was refused.
#[derive(Clone, Debug, Object)]
pub struct RefusedCell {
    pub sheet: String,
    /// As a spreadsheet program numbers it, from 1.
    pub row: u64,
    /// The header above it.
    pub column: String,
    pub value: String,
    pub reason: String,
}

/// Answers a report. A trial is always told in full; an import with a refused cell is a problem, as nothing was written.
pub fn answer(report: ImportReport, is_dry_run: bool) -> Answer<Json<ImportResult>> {
    if !report.refused.is_empty() && !is_dry_run {
        return Err(refused(report.refused));
    }
    let rows = number(report.rows);
    let (refused, cells) = told(report.refused);
    Ok(Json(ImportResult {
        is_dry_run,
        rows,
        created: report.created,
        existing: report.existing,
        refused,
        cells,
    }))
}

/// How many cells were refused, and the first of them.
#[must_use]
pub fn told(refused: Vec<BadCell>) -> (u64, Vec<RefusedCell>) {
    (number(refused.len()), refused.into_iter().take(CELLS_MAX).map(RefusedCell::from).collect())
}

/// The problem of a file in which cells were refused.
#[must_use]
pub fn refused(refused: Vec<BadCell>) -> Problem {
    let (count, cells) = told(refused);
    let detail = format!(
        "{count} cells were refused and nothing was imported. Correct them, then send the file again."
    );
    let body = Problem::of(422, "cells_refused", detail).into_body();
    Problem::UnprocessableEntity(Json(ProblemBody { cells: Some(cells), ..body }))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl From<BadCell> for RefusedCell {
    fn from(cell: BadCell) -> Self {
        Self {
            sheet: cell.sheet,
            row: number(cell.row),
            column: cell.column,
            value: cell.value,
            reason: cell.reason,
        }
    }
}
