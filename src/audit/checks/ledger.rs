//! The ledger: entries sum to zero, balances are the sums of postings, and every posting is what its source calls for.

use super::super::dialect::{Dialect, sum};
use super::super::touched::Touched;
use super::{Check, Pair};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        balance(dialect),
        entry_is_zero(dialect),
        posting_as_sourced(dialect),
        posting_reversed(dialect),
        posting_day(dialect),
        entry_as_sourced(dialect),
        account_owner(dialect),
        rounding_is_zero(dialect),
        escrow(dialect),
        settlement_entry(dialect),
        payment_entry(dialect),
        payout_entry(dialect),
        reversal_named(dialect),
    ]
}

fn balance(dialect: Dialect) -> Check {
    let amount = sum("p.amount_fen");
    Check {
        invariant: 3,
        table: "ledger_account",
        what: "an account's balance is the sum of its postings",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new("balance_fen", "a.balance_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "ledger_account a left join (
                select p.account_id, {amount} as amount from ledger_posting p where {} group by p.account_id
             ) t on t.account_id = a.id where {}",
            dialect.only(Touched::Account, "p.account_id"),
            dialect.only(Touched::Account, "a.id")
        ),
    }
}

fn entry_is_zero(dialect: Dialect) -> Check {
    let amount = sum("p.amount_fen");
    Check {
        invariant: 3,
        table: "ledger_entry",
        what: "an entry has at least two postings, and they sum to zero",
        key: dialect.id_text("e.id"),
        pairs: vec![
            Pair::new("sum of amount_fen", "coalesce(t.amount, 0)", "0"),
            Pair::new(
                "postings",
                "coalesce(t.postings, 0)",
                "case when t.postings >= 2 then t.postings else 2 end",
            ),
        ],
        source: format!(
            "ledger_entry e left join (
                select p.entry_id, {amount} as amount, count(*) as postings
                from ledger_posting p where {} group by p.entry_id
             ) t on t.entry_id = e.id where {}",
            dialect.only(Touched::Entry, "p.entry_id"),
            dialect.only(Touched::Entry, "e.id")
        ),
    }
}

/// What every source calls for, as rows `(entry_id, county_code, kind, owner_id, amount_fen)`; debit is positive.
const CALLED_FOR: &str = "
    select e.id as entry_id, s.county_code, 'receivable' as kind, s.institution_id as owner_id,
           s.amount_fen + s.fee_fen as amount_fen
    from settlement s join ledger_entry e
      on e.source_kind = 'settlement' and e.source_id = s.id and e.reverses_id is null
    union all
    select e.id, s.county_code, 'fee', null, -s.fee_fen
    from settlement s join ledger_entry e
      on e.source_kind = 'settlement' and e.source_id = s.id and e.reverses_id is null
    union all
    select e.id, s.county_code, 'payable', l.household_id, -l.amount_fen
    from settlement s join settlement_line l on l.settlement_id = s.id join ledger_entry e
      on e.source_kind = 'settlement' and e.source_id = s.id and e.reverses_id is null
    union all
    select p.entry_id, p.county_code, 'escrow', null, p.amount_fen from payment p
    union all
    select p.entry_id, p.county_code, 'receivable', p.institution_id, p.deposited_fen - p.amount_fen from payment p
    union all
    select p.entry_id, p.county_code, 'deposit', p.institution_id, -p.deposited_fen from payment p
    union all
    select u.entry_id, u.county_code, 'deposit', u.institution_id, u.amount_fen from deposit_use u
    union all
    select u.entry_id, u.county_code, 'receivable', u.institution_id, -u.amount_fen from deposit_use u
    union all
    select p.instruction_entry_id, p.county_code, 'payable', p.household_id, p.amount_fen
    from payout p where p.instruction_entry_id is not null
    union all
    select p.instruction_entry_id, p.county_code, 'clearing', null, -p.amount_fen
    from payout p where p.instruction_entry_id is not null
    union all
    select p.result_entry_id, p.county_code, 'clearing', null, p.amount_fen from payout p where p.state = 'paid'
    union all
    select p.result_entry_id, p.county_code, 'escrow', null, -p.amount_fen from payout p where p.state = 'paid'
    union all
    select p.result_entry_id, p.county_code, 'clearing', null, p.amount_fen from payout p where p.state = 'returned'
    union all
    select p.result_entry_id, p.county_code, 'payable', p.household_id, -p.amount_fen
    from payout p where p.state = 'returned'";

/// Both sides are added up per entry and account, so that an entry without a source, a source without its posting and
/// a posting of another amount all show.
fn posting_as_sourced(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "ledger_posting",
        what: "a posting is what its settlement, payment, use of a deposit or payout calls for",
        key: posting_key(dialect, "'missing ' || t.kind"),
        pairs: vec![Pair::new("amount_fen", "t.posted", "t.due")],
        source: format!(
            "(select side.entry_id, side.county_code, side.kind, side.owner_id, {posted_sum} as posted,
                     {due_sum} as due,
                     min(side.line_no) as first_line, max(side.line_no) as last_line
              from (select posting.entry_id, account.county_code, account.kind, account.owner_id,
                           posting.amount_fen as posted_fen, 0 as due_fen, posting.line_no
                    from ledger_posting posting join ledger_account account on account.id = posting.account_id
                    join ledger_entry entry on entry.id = posting.entry_id and entry.reverses_id is null
                    where {posted}
                    union all
                    select source.entry_id, source.county_code, source.kind, source.owner_id, 0, source.amount_fen, null
                    from ({CALLED_FOR}) source where {called}) side
              group by side.entry_id, side.county_code, side.kind, side.owner_id) t",
            posted_sum = sum("side.posted_fen"),
            due_sum = sum("side.due_fen"),
            posted = dialect.only(Touched::Entry, "posting.entry_id"),
            called = dialect.only(Touched::Entry, "source.entry_id")
        ),
    }
}

fn posting_reversed(dialect: Dialect) -> Check {
    let (posted, due) = (sum("side.posted_fen"), sum("side.due_fen"));
    Check {
        invariant: 3,
        table: "ledger_posting",
        what: "a reversing entry undoes every posting of the entry it names",
        key: posting_key(dialect, "'missing ' || coalesce(t.original, '')"),
        pairs: vec![Pair::new("amount_fen", "t.posted", "t.due")],
        source: format!(
            "(select side.entry_id, side.account_id, {posted} as posted, {due} as due,
                     min(side.line_no) as first_line, max(side.line_no) as last_line,
                     cast(min(side.original_no) as text) as original
              from (select entry.id as entry_id, posting.account_id, posting.amount_fen as posted_fen, 0 as due_fen,
                           posting.line_no, null as original_no
                    from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.id
                    where entry.reverses_id is not null and {only}
                    union all
                    select entry.id, original.account_id, 0, -original.amount_fen, null, original.line_no
                    from ledger_entry entry join ledger_posting original on original.entry_id = entry.reverses_id
                    where {only}
                   ) side
              group by side.entry_id, side.account_id) t",
            only = dialect.only(Touched::Entry, "entry.id")
        ),
    }
}

/// `entry/line`, `entry/first-last` when an account has several lines, or what is `missing`.
fn posting_key(dialect: Dialect, missing: &str) -> String {
    format!(
        "{} || '/' || coalesce(case when t.first_line = t.last_line then cast(t.first_line as text)
                                    else t.first_line || '-' || t.last_line end, {missing})",
        dialect.id_text("t.entry_id")
    )
}

fn posting_day(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "ledger_posting",
        what: "a posting has the day of its entry, and an account that there is",
        key: format!("{} || '/' || p.line_no", dialect.id_text("p.entry_id")),
        pairs: vec![
            Pair::new("occurred_on", "p.occurred_on", "e.occurred_on"),
            Pair::new("account_id", dialect.id_text("p.account_id"), dialect.id_text("a.id")),
        ],
        source: format!(
            "ledger_posting p left join ledger_entry e on e.id = p.entry_id
             left join ledger_account a on a.id = p.account_id where {}",
            dialect.only(Touched::Entry, "p.entry_id")
        ),
    }
}

/// Entries of sources that are not known here have postings that nothing calls for, and show there.
fn entry_as_sourced(dialect: Dialect) -> Check {
    let id = |of: &str| dialect.id_text(of);
    let source_id = id("coalesce(s.id, p.id, u.id, b.id)");
    let named = |source: &str| {
        format!(
            "case when e.source_kind in ('settlement', 'payment', 'deposit_use', 'payout_batch') then {source}
                  else '' end"
        )
    };
    Check {
        invariant: 3,
        table: "ledger_entry",
        what: "an entry has the county, the day and the kind that its settlement, payment or payouts call for",
        key: id("e.id"),
        pairs: vec![
            Pair::new("source_id", named(&id("e.source_id")), named(&source_id)),
            Pair::new(
                "county_code",
                "e.county_code",
                "coalesce(s.county_code, p.county_code, u.county_code, b.county_code)",
            ),
            Pair::new(
                "occurred_on",
                "e.occurred_on",
                "case when e.reverses_id is null then coalesce(s.settled_on, p.received_on, u.used_on, e.occurred_on)
                      when original.occurred_on > e.occurred_on then original.occurred_on
                      else e.occurred_on end",
            ),
            Pair::new(
                "kind",
                "e.kind",
                "case e.source_kind when 'settlement' then 'acceptance' when 'payment' then 'payment'
                      when 'deposit_use' then 'deposit_use' else step.kind end",
            ),
        ],
        source: format!(
            "ledger_entry e
             left join settlement s on e.source_kind = 'settlement' and s.id = e.source_id
             left join payment p on e.source_kind = 'payment' and p.id = e.source_id
             left join deposit_use u on e.source_kind = 'deposit_use' and u.id = e.source_id
             left join payout_batch b on e.source_kind = 'payout_batch' and b.id = e.source_id
             left join ledger_entry original on original.id = e.reverses_id
             left join (
                 select o.instruction_entry_id as entry_id, 'payout_instruction' as kind from payout o
                 where o.instruction_entry_id is not null and {only} group by o.instruction_entry_id
                 union all
                 select o.result_entry_id, 'payout_' || min(o.state) from payout o
                 where o.result_entry_id is not null and {only} group by o.result_entry_id
             ) step on step.entry_id = e.id
             where {entries}",
            only = dialect.only(Touched::Payout, "o.id"),
            entries = dialect.only(Touched::Entry, "e.id")
        ),
    }
}

fn account_owner(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "ledger_account",
        what: "an account belongs to an institution or a household of its county, or to the county",
        key: dialect.id_text("a.id"),
        pairs: vec![
            Pair::new("owner_id", dialect.id_text("a.owner_id"), dialect.id_text("coalesce(i.id, h.id)")),
            Pair::new(
                "county_code",
                "a.county_code",
                "case when a.owner_id is null then a.county_code else coalesce(i.county_code, h.county_code) end",
            ),
        ],
        source: format!(
            "ledger_account a
             left join institution i on a.kind in ('receivable', 'deposit') and i.id = a.owner_id
             left join household h on a.kind = 'payable' and h.id = a.owner_id where {}",
            dialect.only(Touched::Account, "a.id")
        ),
    }
}

fn rounding_is_zero(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "ledger_account",
        what: "the rounding account stays zero",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new("balance_fen", "a.balance_fen", "0")],
        source: "ledger_account a where a.kind = 'rounding'".to_owned(),
    }
}

fn escrow(dialect: Dialect) -> Check {
    let (received, paid) = (sum("p.amount_fen"), sum("p.amount_fen"));
    Check {
        invariant: 5,
        table: "ledger_account",
        what: "escrow holds the payments that stand less the payouts that were paid",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new(
            "balance_fen",
            "a.balance_fen",
            format!(
                "(select {received} from payment p where p.county_code = a.county_code and p.state = 'recorded')
                 - (select {paid} from payout p where p.county_code = a.county_code and p.state = 'paid')"
            ),
        )],
        source: "ledger_account a where a.kind = 'escrow'".to_owned(),
    }
}

fn settlement_entry(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "settlement",
        what: "a settlement of more than nothing has exactly one ledger entry",
        key: dialect.id_text("s.id"),
        pairs: vec![Pair::new(
            "ledger entries",
            "(select count(*) from ledger_entry e where e.source_kind = 'settlement' and e.source_id = s.id
              and e.reverses_id is null)",
            "case when s.amount_fen > 0 then 1 else 0 end",
        )],
        source: format!("settlement s where {}", dialect.only(Touched::Settlement, "s.id")),
    }
}

fn payment_entry(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "payment",
        what: "a payment's entry names it, and is reversed exactly when the payment is",
        key: dialect.id_text("p.id"),
        pairs: vec![
            Pair::new("entry_id", dialect.id_text("e.source_id"), dialect.id_text("p.id")),
            Pair::new("state", "p.state", "case when r.id is null then 'recorded' else 'reversed' end"),
        ],
        source: format!(
            "payment p left join ledger_entry e on e.id = p.entry_id
             left join ledger_entry r on r.reverses_id = p.entry_id where {}",
            dialect.only(Touched::Payment, "p.id")
        ),
    }
}

fn payout_entry(dialect: Dialect) -> Check {
    let batch_of = |entry: &str| {
        format!(
            "case when {entry}.source_kind = 'payout_batch' then {} end",
            dialect.id_text(&format!("{entry}.source_id"))
        )
    };
    let due =
        |column: &str| format!("case when p.{column} is not null then {} end", dialect.id_text("p.batch_id"));
    Check {
        invariant: 3,
        table: "payout",
        what: "a payout's instruction and result are entries of its batch",
        key: dialect.id_text("p.id"),
        pairs: vec![
            Pair::new("instruction_entry_id", batch_of("i"), due("instruction_entry_id")),
            Pair::new("result_entry_id", batch_of("r"), due("result_entry_id")),
        ],
        source: format!(
            "payout p left join ledger_entry i on i.id = p.instruction_entry_id
             left join ledger_entry r on r.id = p.result_entry_id where {}",
            dialect.only(Touched::Payout, "p.id")
        ),
    }
}

/// A returned payout is an entry of its own kind; payments and uses of deposits alone are taken back by reversal.
fn reversal_named(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "ledger_entry",
        what: "a reversing entry belongs to a payment or a use of a deposit that was reversed",
        key: dialect.id_text("e.id"),
        pairs: vec![Pair::new(
            "reverses_id",
            dialect.id_text("e.reverses_id"),
            dialect.id_text("coalesce(p.entry_id, u.entry_id)"),
        )],
        source: format!(
            "ledger_entry e left join payment p on p.entry_id = e.reverses_id and p.state = 'reversed'
             left join deposit_use u on u.entry_id = e.reverses_id and u.state = 'reversed'
             where e.reverses_id is not null and {}",
            dialect.only(Touched::Entry, "e.id")
        ),
    }
}
