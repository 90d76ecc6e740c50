//! Reads the file in which a bank says what became of a batch: pain.002.001.10, or a table as csv or xlsx. The kind is told
//! by the content. Nothing is guessed: a status that is not known here is refused with the place where it stands.

use uuid::Uuid;

use super::rules::{BankResult, ReturnCode, payout_of};
use crate::money::Fen;
use crate::refusal::{Outcome, Refusal};
use crate::sheet;

mod form;
mod pain002;
mod rules;

use rules::Told;
pub use rules::{Answers, weigh};

/// Payouts that one file answers at most.
const ROWS_MAX: usize = 100_000;

/// Reads a file beside the threads that serve requests: 100,000 rows take a second of work.
pub async fn read(file: Vec<u8>) -> Outcome<Answers> {
    Ok(sheet::beside(move || read_now(&file)).await??)
}

fn read_now(file: &[u8]) -> Result<Answers, Refusal> {
    let text = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    if text.trim_ascii_start().starts_with(b"<") { pain002::read(text) } else { form::read(file) }
}

/// A file that cannot be read, with the place in it.
fn refuse(place: &str, why: impl std::fmt::Display) -> Refusal {
    Refusal::invalid("", format!("{place}: {why}"))
}

fn named(place: &str, end_to_end_id: &str) -> Result<Uuid, Refusal> {
    payout_of(end_to_end_id)
        .ok_or_else(|| refuse(place, format_args!("{end_to_end_id:?} is not a reference that we gave")))
}

fn amount(place: &str, text: &str) -> Result<Fen, Refusal> {
    let plain: String = text.chars().filter(|letter| !matches!(letter, ',' | '¥' | ' ')).collect();
    Fen::parse(&plain).map_err(|error| refuse(place, format_args!("amount {text:?}: {error}")))
}

/// What a status of the list `ExternalPaymentTransactionStatus1Code` of ISO 20022 means here. Settled is paid; accepted
/// and checked is not.
fn status(place: &str, code: &str, why: Why) -> Result<Told, Refusal> {
    Ok(match code {
        "ACSC" | "ACCC" => Told::Result(BankResult::Paid),
        "RJCT" | "CANC" => Told::Result(why.returned()),
        "ACCP" | "ACFC" | "ACSP" | "ACTC" | "ACWC" | "ACWP" | "PATC" | "PDNG" | "PRES" | "RCVD" => {
            Told::Pending
        }
        "BLCK" => Told::Unknown,
        other => return Err(refuse(place, format_args!("status {other:?} is not known here"))),
    })
}

/// Why money came back, as a bank writes it.
#[derive(Clone, Debug, Default)]
struct Why {
    code: String,
    words: String,
}

impl Why {
    /// The code decides; without one the words do.
    fn returned(self) -> BankResult {
        let Self { code, words } = self;
        let by_code = if code.is_empty() { ReturnCode::Other } else { ReturnCode::of_iso(&code) };
        let meant = if by_code == ReturnCode::Other { ReturnCode::of_words(&words) } else { by_code };
        let shown = [code, words].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let shown: String = shown.chars().take(200).collect();
        let reason = if shown.is_empty() { "no reason given".to_owned() } else { shown };
        BankResult::Returned { code: meant, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::rules::Answer;
    use super::*;

    const ONE: Uuid = Uuid::from_u128(0x0195_8000_0000_7000_8000_0000_0000_0001);

    fn report(transactions: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><d:Document xmlns:d=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\">\
             <d:CstmrPmtStsRpt><d:GrpHdr><d:MsgId>R1</d:MsgId></d:GrpHdr><d:OrgnlGrpInfAndSts>\
             <d:OrgnlMsgId>PB-341823-2027-000001</d:OrgnlMsgId><d:OrgnlNbOfTxs>2</d:OrgnlNbOfTxs>\
             <d:OrgnlCtrlSum>3.5</d:OrgnlCtrlSum><d:GrpSts>PART</d:GrpSts></d:OrgnlGrpInfAndSts>\
             <d:OrgnlPmtInfAndSts>{transactions}</d:OrgnlPmtInfAndSts></d:CstmrPmtStsRpt></d:Document>"
        )
    }

    fn transaction(id: &str, more: &str) -> String {
        format!("<d:TxInfAndSts><d:OrgnlEndToEndId>{id}</d:OrgnlEndToEndId>{more}</d:TxInfAndSts>")
    }

    fn id() -> String {
        super::super::end_to_end_id(ONE)
    }

    #[test]
    fn a_report_says_what_became_of_each_transfer_and_why() {
        let more = "<d:TxSts>RJCT</d:TxSts><d:StsRsnInf><d:Rsn><d:Cd>AC04</d:Cd></d:Rsn>\
                    <d:AddtlInf>账户 &lt;已&gt; 销户</d:AddtlInf></d:StsRsnInf>\
                    <d:OrgnlTxRef><d:Amt><d:InstdAmt Ccy=\"CNY\">1.50</d:InstdAmt></d:Amt></d:OrgnlTxRef>";
        let read = read_now(report(&transaction(&id(), more)).as_bytes()).unwrap();
        let message = read.message.unwrap();
        assert_eq!(message.id, "PB-341823-2027-000001");
        assert_eq!((message.count.as_deref(), message.sum.as_deref()), (Some("2"), Some("3.5")));
        let reason = "AC04 账户 <已> 销户".to_owned();
        let told = Told::Result(BankResult::Returned { code: ReturnCode::ClosedAccount, reason });
        let place = "transaction 1".to_owned();
        assert_eq!(read.answers, [Answer { place, payout_id: ONE, told, amount: Some(Fen::new(150)) }]);
        assert_eq!(read.others, None, "a part of the group says nothing about the rest");
    }

    #[test]
    fn settled_is_paid_accepted_is_pending_and_what_is_not_known_is_refused_with_its_place() {
        for (code, told) in [
            ("ACSC", Told::Result(BankResult::Paid)),
            ("ACCC", Told::Result(BankResult::Paid)),
            ("ACSP", Told::Pending),
            ("PDNG", Told::Pending),
            ("BLCK", Told::Unknown),
        ] {
            let file = report(&transaction(&id(), &format!("<d:TxSts>{code}</d:TxSts>")));
            assert_eq!(read_now(file.as_bytes()).unwrap().answers[0].told, told, "{code}");
        }
        let file = report(&transaction(&id(), "<d:TxSts>WHAT</d:TxSts>"));
        let refused = read_now(file.as_bytes()).unwrap_err();
        assert!(matches!(refused, Refusal::Invalid { detail, .. } if detail.starts_with("transaction 1: ")));
    }

    #[test]
    fn a_status_of_the_group_is_that_of_all_when_no_transfer_is_named() {
        let whole = |code: &str| report("").replace("PART", code);
        assert_eq!(read_now(whole("ACSC").as_bytes()).unwrap().others, Some(Told::Result(BankResult::Paid)));
        assert_eq!(read_now(whole("ACCP").as_bytes()).unwrap().others, Some(Told::Pending));
        let named = report(&transaction(&id(), "<d:TxSts>ACSC</d:TxSts>")).replace("PART", "ACSC");
        assert_eq!(read_now(named.as_bytes()).unwrap().others, None);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let other = report("").replace("pain.002.001.10", "camt.053.001.08");
        for file in [
            "<a/>",
            "<Document",
            report("").split_at(300).0,
            &other,
            "<!DOCTYPE d [<!ENTITY e \"x\">]><Document/>",
            &report(&transaction("P1", "<d:TxSts>ACSC</d:TxSts>")),
            &report(&transaction(&id(), "")).replace("<d:GrpSts>PART</d:GrpSts>", ""),
            &report(&transaction(&id(), "<d:TxSts>&e;</d:TxSts>")),
            &report(&"<d:x>".repeat(100)),
        ] {
            assert!(matches!(read_now(file.as_bytes()), Err(Refusal::Invalid { .. })), "{file}");
        }
    }

    #[test]
    fn a_table_says_the_same_in_words() {
        let id = id();
        let file = format!(
            "业务参考号,金额(元),处理结果,失败原因\n{id},\"1,234.50\",成功,\n{id},2.00,退汇,户名不符\n{id},3,处理中,\n{id},4,状态不明,\n"
        );
        let read = read_now(file.as_bytes()).unwrap();
        let told: Vec<Told> = read.answers.iter().map(|answer| answer.told.clone()).collect();
        let returned =
            BankResult::Returned { code: ReturnCode::NameMismatch, reason: "户名不符".to_owned() };
        let expected = [Told::Result(BankResult::Paid), Told::Result(returned), Told::Pending, Told::Unknown];
        assert_eq!(told, expected);
        assert_eq!(read.answers[0].amount, Some(Fen::new(123_450)));
        assert_eq!((read.answers[1].place.as_str(), read.message), ("row 3", None));
        for bad in ["P12,1,成功,", ",1,成功,", "{id},x,成功,", "{id},1,也许,", "{id},,成功,"] {
            let file = format!("业务参考号,金额,状态,原因\n{}\n", bad.replace("{id}", &id));
            let refused = read_now(file.as_bytes()).unwrap_err();
            assert!(
                matches!(refused, Refusal::Invalid { detail, .. } if detail.starts_with("row 2: ")),
                "{bad}"
            );
        }
    }
}
