//! A ledger as text that other programs check: hledger journal, beancount file, or csv. Pure; knows no database.
//!
//! Every amount stands twice, once in yuan (`CNY`, two decimals) and once in whole fen (`FEN`), so that a program that
//! tolerates a rounded cent in the one still sees it in the other. Formats: <https://hledger.org/hledger.html#journal>,
//! <https://beancount.github.io/docs/beancount_language_syntax.html>.

use chrono::{Days, NaiveDate};
use uuid::Uuid;

use super::super::rules::{AccountClass, AccountKey};
use crate::money::Fen;

/// What the ledger is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Hledger,
    Beancount,
    Csv,
}

/// An account of a county.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub county_code: String,
    pub key: AccountKey,
}

/// An entry without its postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub source_kind: String,
    pub source_id: Uuid,
    pub occurred_on: NaiveDate,
    pub reverses_id: Option<Uuid>,
}

/// What an amount beside an account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The account stood so at the beginning of the first day.
    Opening,
    /// The account stands so at the end of a day.
    EndOfDay,
    /// The balance kept with the account.
    Stored,
}

const CSV_HEAD: &str = "record,day,county,entry_id,kind,source_kind,source_id,reverses_id,line_no,account,\
                        amount_cny,amount_fen\r\n";

impl Claim {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::EndOfDay => "balance",
            Self::Stored => "stored",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Opening => "opening balances",
            Self::EndOfDay => "balances at the end of the day",
            Self::Stored => "balances kept with the accounts",
        }
    }
}

impl Account {
    /// `assets:341823:receivable-0197…`: its side, its county, its kind and whose it is. Never a person's name.
    #[must_use]
    pub fn name(&self, format: Format) -> String {
        let kind = self.key.kind.as_str();
        let owner = self.key.owner.map_or_else(|| self.county_code.clone(), |owner| owner.to_string());
        let class = self.key.kind.class();
        match format {
            Format::Hledger | Format::Csv => {
                format!("{}:{}:{kind}-{owner}", class.as_str(), self.county_code)
            }
            Format::Beancount => {
                let (class, kind) = (capital(class.as_str()), capital(kind));
                format!("{class}:{}:{kind}-{owner}", self.county_code)
            }
        }
    }

    const fn type_tag(&self) -> &'static str {
        match self.key.kind.class() {
            AccountClass::Assets => "A",
            AccountClass::Liabilities => "L",
            AccountClass::Equity => "E",
            // hledger calls it revenue.
            AccountClass::Income => "R",
        }
    }
}

impl Format {
    /// What stands before everything: what this is, and the two commodities.
    #[must_use]
    pub fn head(self, scope: &str, day: NaiveDate) -> String {
        match self {
            Self::Hledger => format!(
                "; Zhuxiao ledger, {scope}\n; CNY and FEN are the same money: every amount stands once in each\n\
                 commodity 1000.00 CNY\ncommodity 1000. FEN\n\n"
            ),
            Self::Beancount => format!(
                "; Zhuxiao ledger, {scope}\n; CNY and FEN are the same money: every amount stands once in each\n\
                 option \"operating_currency\" \"CNY\"\n{day} commodity CNY\n{day} commodity FEN\n\n"
            ),
            Self::Csv => CSV_HEAD.to_owned(),
        }
    }

    /// Declares an account, open from `day` on.
    #[must_use]
    pub fn declaration(self, account: &Account, day: NaiveDate) -> String {
        let name = account.name(self);
        match self {
            Self::Hledger => format!("account {name}  ; type: {}\n", account.type_tag()),
            Self::Beancount => format!("{day} open {name} CNY,FEN\n"),
            Self::Csv => String::new(),
        }
    }

    /// What stands before the postings of an entry. A reversal names its original.
    #[must_use]
    pub fn entry(self, entry: &Entry) -> String {
        let Entry { id, kind, source_kind, source_id, occurred_on, reverses_id, .. } = entry;
        match self {
            Self::Hledger => {
                let reverses =
                    reverses_id.map_or_else(String::new, |original| format!(", reverses:{original}"));
                let title = if reverses_id.is_some() { format!("reversal of {kind}") } else { kind.clone() };
                format!(
                    "\n{occurred_on} {title}  ; entry:{id}, source:{source_kind}, source_id:{source_id}{reverses}\n"
                )
            }
            Self::Beancount => {
                let reverses =
                    reverses_id.map_or_else(String::new, |original| format!("  reverses: \"{original}\"\n"));
                let title = if reverses_id.is_some() { format!("reversal of {kind}") } else { kind.clone() };
                format!(
                    "\n{occurred_on} * \"{title}\"\n  entry: \"{id}\"\n  source: \"{source_kind}\"\n  \
                     source_id: \"{source_id}\"\n{reverses}"
                )
            }
            Self::Csv => String::new(),
        }
    }

    /// One posting of an entry.
    #[must_use]
    pub fn posting(self, entry: &Entry, line_no: i64, account: &Account, amount: Fen) -> String {
        match self {
            Self::Hledger | Self::Beancount => self.both(account, amount),
            Self::Csv => format!(
                "posting,{},{},{},{},{},{},{},{line_no},{},{amount},{}\r\n",
                entry.occurred_on,
                entry.county_code,
                entry.id,
                entry.kind,
                entry.source_kind,
                entry.source_id,
                entry.reverses_id.map_or_else(String::new, |original| original.to_string()),
                account.name(self),
                amount.get()
            ),
        }
    }

    /// What stands before the claims of a day.
    #[must_use]
    pub fn claims(self, claim: Claim, day: NaiveDate) -> String {
        match (self, claim) {
            (Self::Hledger, _) => format!("\n{day} {}\n", claim.title()),
            (Self::Beancount, Claim::Opening) => format!("\n{day} * \"{}\"\n", claim.title()),
            (Self::Beancount, _) => format!("\n; {}\n", claim.title()),
            (Self::Csv, _) => String::new(),
        }
    }

    /// What an account holds; a program that reads it compares it with what it has added up itself. Beancount's
    /// assertions hold at the start of a day, so the end of one is the start of the next.
    #[must_use]
    pub fn claim(self, claim: Claim, day: NaiveDate, account: &Account, amount: Fen) -> String {
        let (name, fen) = (account.name(self), amount.get());
        match (self, claim) {
            (Self::Hledger | Self::Beancount, Claim::Opening) => self.both(account, amount),
            (Self::Hledger, _) => {
                format!("    {name}  0.00 CNY = {amount} CNY\n    {name}  0 FEN = {fen} FEN\n")
            }
            (Self::Beancount, _) => {
                let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
                format!("{next} balance {name} {amount} ~ 0.00 CNY\n{next} balance {name} {fen} FEN\n")
            }
            (Self::Csv, _) => {
                format!("{},{day},{},,,,,,,{name},{amount},{fen}\r\n", claim.as_str(), account.county_code)
            }
        }
    }

    fn both(self, account: &Account, amount: Fen) -> String {
        let name = account.name(self);
        let indent = if self == Self::Beancount { "  " } else { "    " };
        format!("{indent}{name}  {amount} CNY\n{indent}{name}  {} FEN\n", amount.get())
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
    format!("{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rules::AccountKind;

    fn day() -> NaiveDate {
        "2027-03-01".parse().unwrap()
    }

    fn payable() -> Account {
        let key = AccountKey { kind: AccountKind::Payable, owner: Some(Uuid::from_u128(7)) };
        Account { county_code: "341823".to_owned(), key }
    }

    fn reversal() -> Entry {
        Entry {
            id: Uuid::from_u128(2),
            county_code: "341823".to_owned(),
            kind: "payment".to_owned(),
            source_kind: "payment".to_owned(),
            source_id: Uuid::from_u128(3),
            occurred_on: day(),
            reverses_id: Some(Uuid::from_u128(1)),
        }
    }

    #[test]
    fn an_account_is_named_by_its_side_county_kind_and_owner() {
        let owner = "00000000-0000-0000-0000-000000000007";
        assert_eq!(payable().name(Format::Hledger), format!("liabilities:341823:payable-{owner}"));
        assert_eq!(payable().name(Format::Beancount), format!("Liabilities:341823:Payable-{owner}"));
        let escrow = AccountKey { kind: AccountKind::Escrow, owner: None };
        let escrow = Account { county_code: "341823".to_owned(), key: escrow };
        assert_eq!(escrow.name(Format::Csv), "assets:341823:escrow-341823");
    }

    #[test]
    fn every_amount_stands_in_yuan_and_in_fen() {
        let told = Format::Hledger.posting(&reversal(), 1, &payable(), Fen::new(-1_234));
        assert!(told.contains("  -12.34 CNY\n") && told.ends_with("  -1234 FEN\n"), "{told}");
        let told = Format::Csv.posting(&reversal(), 1, &payable(), Fen::new(-5));
        assert!(told.ends_with(",-0.05,-5\r\n"), "{told}");
    }

    #[test]
    fn a_reversal_names_its_original_in_every_format() {
        let original = Uuid::from_u128(1).to_string();
        assert!(Format::Hledger.entry(&reversal()).contains(&format!("reverses:{original}")));
        assert!(Format::Beancount.entry(&reversal()).contains(&format!("reverses: \"{original}\"")));
        assert!(Format::Csv.posting(&reversal(), 1, &payable(), Fen::new(1)).contains(&original));
    }

    #[test]
    fn beancount_asserts_the_end_of_a_day_at_the_start_of_the_next() {
        let told = Format::Beancount.claim(Claim::EndOfDay, day(), &payable(), Fen::new(1));
        assert!(told.starts_with("2027-03-02 balance ") && told.contains(" 0.01 ~ 0.00 CNY"), "{told}");
        let told = Format::Hledger.claim(Claim::EndOfDay, day(), &payable(), Fen::new(1));
        assert!(told.contains("0 FEN = 1 FEN"), "{told}");
    }
}
