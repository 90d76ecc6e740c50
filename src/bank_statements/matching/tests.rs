//! The rules by which lines of bank statements find their payments.

use proptest::prelude::*;

use super::*;

fn set(numbers: &[&str]) -> BTreeSet<String> {
    numbers.iter().map(|number| (*number).to_owned()).collect()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn debt(settlement: u128, open: i64) -> Debt {
    Debt { settlement_id: id(settlement), number: format!("ST-{settlement}"), open: Fen::new(open) }
}

fn named(number: &str, institution: u128, debts: &[Debt]) -> Named {
    Named { number: number.to_owned(), institution_id: id(institution), debts: debts.to_vec(), ahead: None }
}

fn line(amount: i64, numbers: &[&str]) -> Incoming {
    Incoming {
        amount: Fen::new(amount),
        payer_name: None,
        known_payers: BTreeSet::new(),
        numbers: set(numbers),
    }
}

fn prospect(institution: u128, name: &str, debts: &[Debt]) -> Prospect {
    Prospect {
        institution_id: id(institution),
        name: name.to_owned(),
        debts: debts.to_vec(),
        named: Vec::new(),
    }
}

const PO: &str = "PO-341823-2027-000012";
const ST: &str = "ST-341823-2027-000003";

#[test]
fn numbers_are_read_however_people_and_banks_write_them() {
    for text in [
        PO,
        "货款PO-341823-2027-000012",
        "po-341823-2027-000012 谢谢",
        "PO341823 2027 000012",
        "PO3418232027000012",
        "ＰＯ－３４１８２３－２０２７－００００１２",
        "订单号：PO—341823—2027—000012。",
        "PO_341823_2027_000012/第一批",
        "PO\u{3000}341823\u{3000}2027\u{3000}000012",
    ] {
        assert_eq!(numbers_in(text), set(&[PO]), "{text}");
    }
    assert_eq!(numbers_in(&format!("{PO}+{ST}")), set(&[PO, ST]));
    assert_eq!(numbers_in(&format!("{PO} 和 po3418232027000012")), set(&[PO]));
}

#[test]
fn what_is_no_number_or_runs_on_is_not_read() {
    for text in [
        "",
        "PO-341823-2027-00012",
        "PO-341823-2027-0000 12",
        "PO-34182-2027-000012",
        "DEPO-341823-2027-000012",
        "PO-341823-2027-000012A",
        "PM-341823-2027-000012",
        "PO-341823-2027-1234567890123",
        "341823-2027-000012",
    ] {
        assert_eq!(numbers_in(text), set(&[]), "{text}");
    }
}

#[test]
fn a_named_number_with_its_open_amount_is_exact_and_one_fen_beside_it_is_not() {
    let of_order = named(PO, 1, &[debt(1, 300), debt(2, 200)]);
    let chosen = Targets::Chosen(vec![
        Target { settlement_id: id(1), amount: Some(Fen::new(300)) },
        Target { settlement_id: id(2), amount: Some(Fen::new(200)) },
    ]);
    let exact =
        |amount, numbers: &[&str], named: &[Named]| exact(&line(amount, numbers), named, &BTreeMap::new());
    assert_eq!(exact(500, &[PO], std::slice::from_ref(&of_order)), Some((id(1), chosen)));
    assert_eq!(exact(499, &[PO], std::slice::from_ref(&of_order)), None);
    assert_eq!(exact(501, &[PO], std::slice::from_ref(&of_order)), None);
    let settlement = named(ST, 1, &[debt(3, 100)]);
    let both = [of_order.clone(), settlement.clone()];
    assert!(exact(600, &[PO, ST], &both).is_some(), "several that sum to it");
    let overlapping = [of_order.clone(), named(ST, 1, &[debt(2, 200)])];
    assert!(exact(500, &[PO, ST], &overlapping).is_some(), "a settlement of a named order counts once");
    assert_eq!(exact(500, &[PO, ST], std::slice::from_ref(&of_order)), None, "one number is of nobody");
    let strangers = [of_order, named(ST, 2, &[debt(3, 100)])];
    assert_eq!(exact(600, &[PO, ST], &strangers), None, "of two institutions");
    assert_eq!(exact(100, &[PO, ST], &[named(PO, 1, &[]), settlement]), None, "one is paid already");
}

#[test]
fn a_prepaid_order_is_paid_ahead_by_its_whole_amount() {
    let ahead = Named { ahead: Some(Fen::new(400)), ..named(PO, 1, &[]) };
    let exact = |amount| exact(&line(amount, &[PO]), std::slice::from_ref(&ahead), &BTreeMap::new());
    assert_eq!(exact(400), Some((id(1), Targets::Deposit)));
    assert_eq!(exact(399), None);
}

#[test]
fn a_payer_who_is_known_to_be_another_institution_contradicts() {
    let of_order = [named(PO, 1, &[debt(1, 300)])];
    let others = BTreeMap::from([("示范医院".to_owned(), id(2)), ("示范学校".to_owned(), id(1))]);
    let from = |name: Option<&str>, accounts: &[u128]| {
        let line = Incoming {
            payer_name: name.map(str::to_owned),
            known_payers: accounts.iter().map(|account| id(*account)).collect(),
            ..line(300, &[PO])
        };
        exact(&line, &of_order, &others).is_some()
    };
    assert!(from(Some("示范学校"), &[1]));
    assert!(from(Some("泾县国库支付中心"), &[]), "treasuries pay for schools");
    assert!(from(Some("泾县国库支付中心"), &[1, 2]), "and for hospitals");
    assert!(!from(Some("示范 医院"), &[]));
    assert!(!from(None, &[2]));
}

#[test]
fn names_are_equal_or_similar_by_their_letters() {
    assert_eq!(comparable_name("泾县 第一中学（ＡＢｃ）"), "泾县第一中学ABC");
    assert!(is_similar("泾县第一中学", "安徽省泾县第一中学"));
    assert!(is_similar("泾县实验小学东校区", "泾县实验小学西校区"));
    assert!(!is_similar("泾县第一中学", "泾县人民医院"));
    assert!(!is_similar("学校", "示范学校"), "too short to be told");
    assert!(!is_similar("", ""));
}

#[test]
fn candidates_are_ranked_by_their_reasons() {
    let school = Prospect {
        named: vec![named(PO, 1, &[debt(1, 300)])],
        ..prospect(1, "示范学校", &[debt(1, 300)])
    };
    let clinic = prospect(2, "示范医院", &[debt(2, 500)]);
    let office = prospect(3, "示范机关", &[debt(3, 100), debt(4, 250), debt(5, 150)]);
    let stranger = prospect(4, "别的单位", &[debt(6, 77)]);
    let line = Incoming { payer_name: Some("示范医院".to_owned()), ..line(400, &[PO]) };
    let ranked = rank(&line, &[stranger, office, clinic, school]);
    let told: Vec<_> =
        ranked.iter().map(|one| (one.institution_id, one.score(), one.deposited.get())).collect();
    assert_eq!(told, [(id(1), 50, 100), (id(2), 25, 0), (id(3), 10, 0)]);
    assert_eq!(ranked[2].reasons, [Reason::AmountOfSeveral]);
    assert_eq!(ranked[2].pays, [(debt(4, 250), Fen::new(250)), (debt(5, 150), Fen::new(150))]);
    assert_eq!(ranked[1].pays, [(debt(2, 500), Fen::new(400))], "the oldest first, as far as it reaches");
}

proptest! {
    #[test]
    fn what_a_candidate_pays_and_leaves_over_is_the_line(
        amount in 1_i64..2_000,
        opens in prop::collection::vec(1_i64..1_000, 0..16),
        is_known in any::<bool>(),
    ) {
        let debts: Vec<Debt> = (1_u128..).zip(&opens).map(|(at, open)| debt(at, *open)).collect();
        let known_payers = if is_known { BTreeSet::from([id(1)]) } else { BTreeSet::new() };
        let line = Incoming { known_payers, ..line(amount, &[]) };
        let ranked = rank(&line, &[prospect(1, "示范学校", &debts)]);
        prop_assert_eq!(is_known, ranked.iter().any(|one| one.reasons.contains(&Reason::AccountKnown)));
        for one in ranked {
            let paid: Fen = one.pays.iter().map(|(_, part)| *part).sum();
            prop_assert_eq!(paid.checked_add(one.deposited), Some(line.amount));
            prop_assert!(one.pays.iter().all(|(debt, part)| *part > Fen::ZERO && *part <= debt.open));
            let fits = one.reasons.iter().any(|why| [Reason::AmountOfOne, Reason::AmountOfSeveral].contains(why));
            prop_assert!(!fits || one.deposited == Fen::ZERO && one.pays.iter().all(|(debt, part)| debt.open == *part));
        }
    }

    #[test]
    fn a_number_is_found_in_any_text_that_does_not_touch_it(before in "[^A-Za-z0-9Ａ-Ｚａ-ｚ０-９]{0,20}", after in "[^A-Za-z0-9Ａ-Ｚａ-ｚ０-９]{0,20}") {
        let text = format!("{before}{PO}{after}");
        prop_assert!(numbers_in(&text).contains(PO));
    }
}
