//! The parts of an ISO 20022 customer credit transfer initiation, `pain.001.001.09`: one payment instruction from one
//! account with a transfer for every payout. Its time is that of the approval, never that of the writing.

use chrono::SecondsFormat;
use quick_xml::escape::escape;

use super::{BatchView, Line, Order};

/// What follows the last transfer.
pub const TAIL: &str = "</PmtInf></CstmrCdtTrfInitn></Document>\n";

/// Everything before the first transfer. The number of the batch names the message and its one instruction.
pub fn head(order: &Order) -> String {
    let batch = &order.batch;
    let (number, count, sum) = (&batch.number, batch.payout_count, batch.amount);
    let made_at = order.approved.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (name, account) = (text(&order.debtor.name), &order.debtor.account);
    let (bank, day) = (text(&order.debtor.bank), order.day());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn>\
         <GrpHdr><MsgId>{number}</MsgId><CreDtTm>{made_at}</CreDtTm><NbOfTxs>{count}</NbOfTxs>\
         <CtrlSum>{sum}</CtrlSum><InitgPty><Nm>{name}</Nm></InitgPty></GrpHdr>\n\
         <PmtInf><PmtInfId>{number}</PmtInfId><PmtMtd>TRF</PmtMtd><BtchBookg>true</BtchBookg>\
         <NbOfTxs>{count}</NbOfTxs><CtrlSum>{sum}</CtrlSum><ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt>\
         <Dbtr><Nm>{name}</Nm></Dbtr><DbtrAcct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>CNY</Ccy></DbtrAcct>\
         <DbtrAgt><FinInstnId><Nm>{bank}</Nm></FinInstnId></DbtrAgt><ChrgBr>DEBT</ChrgBr>\n"
    )
}

/// One transfer. Fees of the bank are the payer's: no fee is taken from households.
pub fn transfer(line: &Line, batch: &BatchView) -> String {
    format!(
        "<CdtTrfTxInf><PmtId><EndToEndId>{}</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"CNY\">{}</InstdAmt></Amt>\
         <Cdtr><Nm>{}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{}</Id></Othr></Id></CdtrAcct>\
         <RmtInf><Ustrd>{} {}</Ustrd></RmtInf></CdtTrfTxInf>\n",
        line.end_to_end_id,
        line.amount,
        text(&line.name),
        line.account,
        super::form::PURPOSE,
        batch.number
    )
}

/// A text as content of an element. What XML has no way to write is left out.
fn text(text: &str) -> String {
    let is_writable = |letter: &char| {
        let is_blank = matches!(letter, '\t' | '\n' | '\r');
        is_blank || (!letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'))
    };
    escape(text.chars().filter(is_writable).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_would_be_markup_is_written_as_text() {
        assert_eq!(text("<李&\"四'>"), "&lt;李&amp;&quot;四&apos;&gt;");
        assert_eq!(text("李\u{0}\u{ffff}四"), "李四");
    }
}
