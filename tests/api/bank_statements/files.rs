//! Made-up files in the layouts of the banks. Nobody in them exists.

/// A preamble, cells padded with blanks and tabs inside quotes, one column for each side, masked balances, a row of
/// totals below a blank one.
pub const ICBC: &str = "明细查询文件下载\n\n卡号: 6222****0018,\"卡别名: 助销专户\"\n\n子账户序号: 00000,子账户类别: 活期,\"子账户别名: \"\n\n\
交易日期,摘要,交易场所,交易国家或地区简称,钞/汇,交易金额(收入),交易金额(支出),交易币种,记账金额(收入),记账金额(支出),记账币种,余额,对方户名\n\
2027-02-20     \t,\"他行汇入            \t\",\"          \t\",\"CHN   \t\",钞   \t,\"-      \t\",\"-    \t\",-    \t,\"1,234.56     \t\",\"        \t\",人民币    \t,\"xx,yyyy.zz   \t\",\"示范学校      \t\",\n\
2027-02-19     \t,\"手续费              \t\",\"手机银行  \t\",\"CHN   \t\",钞   \t,\"-      \t\",\"-    \t\",-    \t,\"     \t\",\"0.50     \t\",人民币    \t,\"xx,yyyy.zz   \t\",\"   \t\",\n\
 \n人民币合计,,,,,,,,\"1,234.56          \t\",\"9.99          \t\",\n";

/// The second layout of ICBC: two columns more, and an account in another currency.
pub const ICBC_SECOND: &str = "明细查询文件下载\n卡号: 6222****0018\n\
交易日期,摘要,交易详情,交易场所,交易国家或地区简称,钞/汇,交易金额(收入),交易金额(支出),交易币种,记账金额(收入),记账金额(支出),记账币种,余额,对方户名,对方账户\n\
2027-02-20,他行汇入,货款 ST-341823-2027-000001,,CHN,钞,-,-,-,\"1,234.56\",,人民币,\"5,000.00\",示范学校,\"6222****4321 \t\",\n\
2027-02-21,结汇,,,CHN,汇,-,-,-,,10.00,美元,\"90.00\",,,\n";

/// A sign on every amount, `--` and nothing for what is missing, rows that end early, days without hyphens.
pub const ABC: &str = "交易日期,交易时间,交易摘要,交易金额,本次余额,对手信息,日 志 号,交易渠道,交易附言\n\
20270201,093015,转存,+10000.00,11000.00,6228480402564890018,369396693,超级网银,采购款\n\
20270202,132324,转支,-10.00,10990.00,示范农资店,369333999,电子商务\n\
20270203,,结息,+0.00,10990.00,--,0000000000,,个人活期结息\n\
20270203,,结息,+0.00,10990.00,--,0000000000,,个人活期结息\n";

/// A column of 借 and 贷.
pub const BOCOM: &str = "序号,交易日期,交易时间,交易类型,借贷,交易金额,余额,对方账号,对方户名,交易地点,摘要\n\
1,2027-02-01,00:00:00,转账,贷 Cr,1.23,101.23,6222020000000000000,示范医院,批处理,\n\
2,2027-02-02,13:15:12,转账,借 Dr,3.21,98.02,6666666666666666,示范种子站,其他,种子\n";

/// Name and account in one cell, signs, thousands.
pub const CMB: &str = "记账日期,货币,交易金额,联机余额,交易摘要,对手信息,客户摘要\n\
2027-02-01,CNY,\"1,234.00\",\"1,271.66\",转账汇入,示范机关食堂1111111111,02月货款\n\
2027-02-02,CNY,\"-1,000.00\",271.66,转账汇款,示范合作社 66666666666666,转账\n\
2027-02-03,CNY,-3.00,268.66,一网通支付,,供电\n";

/// Five and twenty lines above the table, padded cells, a comma at every end; rows that moved nothing.
pub const ALIPAY: &str = "------------------------------------\n导出信息：\n姓名：示范\n支付宝账户：county@example.org\n\
起始时间：[2027-02-01 00:00:00]    终止时间：[2027-02-28 23:59:59]\n导出交易类型：[全部]\n导出时间：[2027-02-28 09:12:52]\n\
共5笔记录\n收入：1笔 28.50元\n支出：1笔 16.54元\n不计收支：2笔 16.37元\n\n特别提示：\n1.甲\n2.乙\n3.丙\n4.丁\n5.戊\n6.己\n\
7.庚\n8.辛\n9.壬\n\n--------------支付宝（中国）网络技术有限公司  电子客户回单--------------\n\
交易时间            ,交易分类       ,交易对方   ,对方账号     ,商品说明    ,收/支    ,金额     ,收/付款方式   ,交易状态    ,交易订单号     ,商家订单号    ,备注     ,\n\
2027-02-12 21:32:14 ,转账红包  ,示范企业  ,buyer@example.org   ,转账   ,收入  ,28.50  ,余额   ,交易成功  ,20270212xx0011\t,\t,     ,\n\
2027-02-10 13:10:16,日用百货,示范店,/,肥料,支出,16.54,,等待确认收货,20270210xx0012\t,T1\t,,\n\
2027-02-09 13:10:16,日用百货,示范店,/,肥料,支出,50.00,,交易关闭,20270209xx0013\t,T2\t,,\n\
2027-02-09 18:22:28,退款,示范店,/,退款-肥料,不计收支,50.00,余额宝,退款成功,20270209xx0014\t,T2\t,,\n\
2027-02-08 18:22:28,投资理财,示范基金,/,转入,不计收支,1.00,余额宝,交易成功,20270208xx0015\t,,,\n";

/// Of a bank that has no layout of its own, with balances above the table.
pub const GENERIC: &str = "账户明细\n账号：,3418230000001234\n期初余额,\"1,000.00\",期末余额：1800.00\n\
交易日期,交易时间,借方发生额(元),贷方发生额(元),余额,币种,对方户名,对方账号,摘要,用途,交易流水号\n\
2027/2/1,09:30,,\"1,000.00\",\"2,000.00\",CNY,示范学校,3418230000009999,货款,PO-341823-2027-000001,A1\n\
2027年2月2日,,200.00,,\"1,800.00\",,示范运输队,,运费,,A2\n合计,,200.00,\"1,000.00\"\n";

/// The same with one amount and a word for its side.
pub const GENERIC_WORDS: &str =
    "日期;收支;金额;对方户名;摘要\n2027-02-01;收入;12.5;示范学校;货款\n2027-02-02;支出;¥3;示范店;纸张\n";

/// What an entry of camt.053 is: amount, side, day and remark.
pub type Entry = (&'static str, &'static str, &'static str, &'static str);

/// A camt.053 file of one account in CNY. Version 8 writes status, names and identifiers one level deeper.
pub fn camt(version: &str, opening: &str, closing: &str, entries: &[Entry]) -> String {
    let is_eight = version == "08";
    let balance = |code: &str, amount: &str| {
        let (side, amount) = amount.strip_prefix('-').map_or(("CRDT", amount), |rest| ("DBIT", rest));
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{amount}</Amt>\n\
             <CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>2027-02-28</Dt></Dt></Bal>\n"
        )
    };
    let entry = |(amount, side, day, remark): &Entry| {
        let status = if is_eight { "<Cd>BOOK</Cd>" } else { "BOOK" };
        let (name, who) = if is_eight {
            ("<Pty><Nm>示范学校</Nm></Pty>", if *side == "CRDT" { "Dbtr" } else { "Cdtr" })
        } else {
            ("<Nm>示范学校</Nm>", if *side == "CRDT" { "Dbtr" } else { "Cdtr" })
        };
        format!(
            "<Ntry><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>\n\
             <BookgDt><DtTm>{day}T13:15:00+08:00</DtTm></BookgDt><ValDt><Dt>{day}</Dt></ValDt>\n\
             <AcctSvcrRef>REF/{day}</AcctSvcrRef><NtryDtls><TxDtls><RltdPties><{who}>{name}</{who}>\n\
             <{who}Acct><Id><Othr><Id>3418230000009999</Id></Othr></Id></{who}Acct></RltdPties>\n\
             <RmtInf><Ustrd>{remark}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\">\n<BkToCstmrStmt>\n\
         <GrpHdr><MsgId>1</MsgId><CreDtTm>2027-02-28T18:00:00+08:00</CreDtTm></GrpHdr>\n<Stmt>\n<Id>1</Id>\n\
         <CreDtTm>2027-02-28T18:00:00+08:00</CreDtTm>\n\
         <Acct><Id><Othr><Id>3418230000001234</Id></Othr></Id><Ccy>CNY</Ccy>\n\
         <Svcr><FinInstnId><Nm>示范银行</Nm></FinInstnId></Svcr></Acct>\n{}{}{}</Stmt>\n</BkToCstmrStmt>\n</Document>\n",
        balance("OPBD", opening),
        balance("CLBD", closing),
        entries.iter().map(entry).collect::<String>(),
    )
}

/// Two entries that lead from 1,000.00 to 1,800.00.
pub const ENTRIES: [Entry; 2] = [
    ("1000.00", "CRDT", "2027-02-01", "ST-341823-2027-000001 &amp; 谢谢"),
    ("200", "DBIT", "2027-02-02", "运费"),
];
