//! Papers that are issued once and never changed, their printed copies, and the rates of value-added tax with the days
//! from which they hold.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Papers, their copies, and rates of tax.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await?;
        sql::apply(manager, RATES).await
    }
}

/// `content` is text and not a document of the engine: its digest is over the very bytes that were issued. Of every
/// subject there is one paper that corrects none; each correction names the paper before it, which is corrected once.
const STATEMENTS: &str = "
create table paper (
    id {uuid} primary key,
    county_code text not null,
    kind text not null check (kind in ('settlement_statement','monthly_statement','payment_slip')),
    number text not null unique,
    settlement_id {uuid} references settlement (id),
    institution_id {uuid} references institution (id),
    month text,
    payout_id {uuid} references payout (id),
    household_id {uuid},
    content text not null,
    digest text not null check (length(digest) = 64),
    issued_by {uuid} not null,
    issued_at {time} not null,
    replaces_id {uuid} unique references paper (id),
    reason text,
    check ((kind = 'settlement_statement') = (settlement_id is not null)),
    check ((kind = 'monthly_statement') = (month is not null)),
    check ((kind = 'payment_slip') = (payout_id is not null)),
    check ((kind = 'payment_slip') = (household_id is not null)),
    check ((kind = 'payment_slip') = (institution_id is null)),
    check ((replaces_id is null) = (reason is null)),
    check (replaces_id <> id)
);
create index paper_county on paper (county_code, id);
create index paper_institution on paper (institution_id, id) where institution_id is not null;
create index paper_household on paper (household_id, id) where household_id is not null;
create index paper_settlement on paper (settlement_id) where settlement_id is not null;
create index paper_payout on paper (payout_id) where payout_id is not null;
create unique index paper_settlement_first on paper (settlement_id)
    where settlement_id is not null and replaces_id is null;
create unique index paper_month_first on paper (institution_id, month) where month is not null and replaces_id is null;
create unique index paper_payout_first on paper (payout_id) where payout_id is not null and replaces_id is null;
create table paper_print (
    id {uuid} primary key,
    paper_id {uuid} not null references paper (id),
    copy_no bigint not null check (copy_no >= 1),
    printed_by {uuid} not null,
    printed_at {time} not null
);
create unique index paper_print_copy on paper_print (paper_id, copy_no);
create table tax_rate (
    treatment text not null check (treatment in ('self_produced','cooperative','purchase','small_scale')),
    from_on {date} not null,
    to_on {date},
    rate text not null,
    deduction text,
    deduction_processing text,
    source text not null,
    primary key (treatment, from_on)
);
";

/// Rates are exact decimal texts. A later rule is a row of a later change; rows that were used are never edited.
///
/// - 自产自销: 《增值税暂行条例》第十五条第(一)项, from 2026-01-01 《增值税法》第二十四条第一款第(一)项: goods that producers
///   of agriculture grew themselves are exempt.
/// - 合作社: 财税〔2008〕81号: what a cooperative sells of its members' produce counts as sold by the producers.
/// - 收购: 财政部 税务总局 海关总署公告2019年第39号第二条: who buys from producers deducts 9 % of the price, 10 % when the goods
///   become goods taxed at 13 %. From 2026-01-01 《增值税法》 is in force; the rates are those of 2019.
/// - 小规模纳税人: 《增值税暂行条例》第十二条 and 《增值税法》第十一条: 3 %; 财政部 税务总局公告2023年第19号: 1 % until 2027-12-31.
const RATES: &str = "
insert into tax_rate (treatment, from_on, to_on, rate, deduction, deduction_processing, source) values
    ('self_produced', '2009-01-01', '2025-12-31', '0', null, null, '中华人民共和国增值税暂行条例第十五条第(一)项'),
    ('self_produced', '2026-01-01', null, '0', null, null, '中华人民共和国增值税法第二十四条第一款第(一)项'),
    ('cooperative', '2008-07-01', null, '0', null, null, '财税〔2008〕81号'),
    ('purchase', '2019-04-01', null, '0', '0.09', '0.10', '财政部 税务总局 海关总署公告2019年第39号第二条'),
    ('small_scale', '2023-01-01', '2027-12-31', '0.01', null, null, '财政部 税务总局公告2023年第19号'),
    ('small_scale', '2028-01-01', null, '0.03', null, null, '中华人民共和国增值税法第十一条');
";
