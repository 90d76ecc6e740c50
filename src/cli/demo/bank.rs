//! The bank of the demo: takes a file of payments as a bank does and answers it with a report. It knows nothing but what
//! stands in the file.

use std::collections::BTreeMap;

use crate::cli::Ended;
use crate::payouts::bank_file::Pieces;

/// The account that the demo pays from, when no other one is set.
pub const ACCOUNT: [&str; 3] = ["0000000000000000042", "泾县消费帮扶结算专户(示范)", "示范银行泾县支行"];

/// A file as it arrived, whole.
pub async fn received(mut pieces: Pieces) -> Result<String, Ended> {
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.recv().await {
        bytes.extend(piece.map_err(|error| Ended::Failed(error.to_string()))?);
    }
    String::from_utf8(bytes).map_err(|error| Ended::Failed(error.to_string()))
}

/// The report on a message: every transfer is settled but those named in `refused`, by reference and with the reason.
pub fn answer(message: &str, refused: &BTreeMap<String, &str>) -> String {
    let transfers = message.split("<CdtTrfTxInf>").skip(1).map(|transfer| {
        let (id, amount) = (value(transfer, "<EndToEndId>"), value(transfer, "<InstdAmt Ccy=\"CNY\">"));
        let status = refused.get(id).map_or_else(
            || "<TxSts>ACSC</TxSts>".to_owned(),
            |reason| format!("<TxSts>RJCT</TxSts><StsRsnInf><AddtlInf>{reason}</AddtlInf></StsRsnInf>"),
        );
        format!(
            "<TxInfAndSts><OrgnlEndToEndId>{id}</OrgnlEndToEndId>{status}<OrgnlTxRef><Amt>\
             <InstdAmt Ccy=\"CNY\">{amount}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>\n"
        )
    });
    let head = message.split("<PmtInf>").next().unwrap_or_default();
    let (id, made_at) = (value(head, "<MsgId>"), value(head, "<CreDtTm>"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\"><CstmrPmtStsRpt>\
         <GrpHdr><MsgId>R-{id}</MsgId><CreDtTm>{made_at}</CreDtTm></GrpHdr>\
         <OrgnlGrpInfAndSts><OrgnlMsgId>{id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>\
         <OrgnlNbOfTxs>{}</OrgnlNbOfTxs><OrgnlCtrlSum>{}</OrgnlCtrlSum></OrgnlGrpInfAndSts>\
         <OrgnlPmtInfAndSts><OrgnlPmtInfId>{id}</OrgnlPmtInfId>\n{}</OrgnlPmtInfAndSts>\
         </CstmrPmtStsRpt></Document>\n",
        value(head, "<NbOfTxs>"),
        value(head, "<CtrlSum>"),
        transfers.collect::<String>()
    )
}

/// What stands behind a mark, up to the next one.
fn value<'t>(text: &'t str, mark: &str) -> &'t str {
    text.split(mark).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default()
}
