//! `zhuxiao import statement`: brings a bank statement in, or only says what a file holds. stdout gets a line per
//! statement, with `--json` one document; stderr the count of what is new. Refused cells are told as for every import.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{ImportArgs, count, refused, scope, tell_refused};
use crate::bank_statements::rules::{Amount, Figures, Statement};
use crate::bank_statements::{self, Importer, Parsed, Report};
use crate::cli::{Common, Ended, say};
use crate::clock::Clock;

/// Imports a file, or tries to. A trial without a region reads the file alone and needs no database.
pub async fn run(common: &Common, args: &ImportArgs) -> Result<(), Ended> {
    let file = super::read(&args.file).await?;
    let Some(region) = args.region.as_deref() else {
        if !args.dry_run {
            return Err(refused("say --region: the county whose account it is, such as 341823"));
        }
        let (_, parsed) = bank_statements::read_beside(file, Clock::System.today()).await?;
        return tell_parsed(&parsed, args, common.is_json());
    };
    let otherwise = "--region: an account is of one county; write its six digits";
    let importer =
        Importer { actor: super::actor(), county_code: super::county(&scope(region)?, otherwise)? };
    let app = super::open(common).await?;
    let report = if args.dry_run {
        bank_statements::preview(&app, &importer, file).await?
    } else {
        bank_statements::import_unattended(&app, &importer, file).await?
    };
    tell_report(&report, args, common.is_json())
}

fn tell_parsed(parsed: &Parsed, args: &ImportArgs, is_json: bool) -> Result<(), Ended> {
    tell_refused(&parsed.refused, is_json)?;
    let figures: Vec<Figures> = parsed.statements.iter().filter_map(Statement::figures).collect();
    let lines = count(parsed.line_count());
    let told = Told { figures, left_out: &parsed.left_out, notes: &parsed.notes };
    told.say(args, is_json, json!({ "lines": lines }));
    message(&format!("{lines} lines; nothing was written and no database was asked"));
    Ok(())
}

fn tell_report(report: &Report, args: &ImportArgs, is_json: bool) -> Result<(), Ended> {
    tell_refused(&report.refused, is_json)?;
    let figures = report.statements.iter().map(|statement| statement.figures.clone()).collect();
    let (created, existing) = (report.created, report.existing);
    let lines = created.saturating_add(existing);
    let told = Told { figures, left_out: &report.left_out, notes: &report.notes };
    told.say(args, is_json, json!({ "lines": lines, "created": created, "existing": existing }));
    let verb = if args.dry_run { "would be made" } else { "made" };
    message(&format!("{lines} lines: {created} {verb}, {existing} there already"));
    Ok(())
}

/// What a file holds.
struct Told<'f> {
    figures: Vec<Figures>,
    left_out: &'f BTreeMap<String, u64>,
    notes: &'f [String],
}

impl Told<'_> {
    fn say(&self, args: &ImportArgs, is_json: bool, more: Json) {
        if is_json {
            let statements: Vec<Json> = self.figures.iter().map(document_of).collect();
            let mut document = json!({
                "is_dry_run": args.dry_run, "statements": statements, "left_out": self.left_out, "notes": self.notes,
            });
            if let (Json::Object(document), Json::Object(more)) = (&mut document, more) {
                document.extend(more);
            }
            say(&document.to_string());
            return;
        }
        self.figures.iter().for_each(|figures| say(&line_of(figures)));
        for (reason, rows) in self.left_out {
            message(&format!("{rows} rows moved no money: {reason}"));
        }
        self.notes.iter().for_each(|note| message(note));
    }
}

fn document_of(figures: &Figures) -> Json {
    let balance = |amount: Option<Amount>| {
        amount.map(|one| json!({ "amount": one.to_string(), "currency": one.currency }))
    };
    let total = |minor| Amount::new(minor, figures.currency).to_string();
    json!({
        "bank": figures.bank,
        "format": figures.format,
        "account": figures.account_masked,
        "currency": figures.currency,
        "from_on": figures.from_on,
        "to_on": figures.to_on,
        "lines": figures.totals.line_count,
        "total_in": total(figures.totals.in_minor),
        "total_out": total(figures.totals.out_minor),
        "opening": balance(figures.opening),
        "closing": balance(figures.closing),
    })
}

fn line_of(figures: &Figures) -> String {
    let balance = |amount: Option<Amount>| {
        amount.map_or_else(|| "not stated".to_owned(), |one| format!("{one} {}", one.currency))
    };
    let total = |minor| Amount::new(minor, figures.currency);
    format!(
        "{} {}, account {}, {} to {}: {} lines in {}, in {}, out {}, opening {}, closing {}",
        figures.bank,
        figures.format,
        figures.account_masked.as_deref().unwrap_or("not named"),
        figures.from_on,
        figures.to_on,
        figures.totals.line_count,
        figures.currency,
        total(figures.totals.in_minor),
        total(figures.totals.out_minor),
        balance(figures.opening),
        balance(figures.closing),
    )
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn message(text: &str) {
    eprintln!("{text}");
}
