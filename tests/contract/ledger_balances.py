"""Compares the balances of a ledger three ways, and puts a ledger one fen wrong.

compare DATABASE HLEDGER_CSV: for every account of the SQLite database the balance kept with it, the sum of its postings
and hledger's own balance of the exported journal, in fen. one-fen-off FILE PATTERN OUTPUT: copies the file with one fen
more in the middle one of the lines that match.
"""

import csv
import re
import sqlite3
import sys
import uuid

CLASSES = {
    "receivable": "assets",
    "escrow": "assets",
    "deposit": "liabilities",
    "payable": "liabilities",
    "clearing": "liabilities",
    "rounding": "equity",
}


def compare(database: str, balances: str) -> int:
    hledger = {}
    with open(balances, encoding="utf-8", newline="") as file:
        for account, balance in list(csv.reader(file))[1:]:
            hledger[account] = int(balance.removesuffix(" FEN").replace(",", ""))
    rows = sqlite3.connect(database).execute(
        """select a.kind, a.county_code, a.owner_id, a.balance_fen,
                  (select coalesce(sum(p.amount_fen), 0) from ledger_posting p where p.account_id = a.id)
           from ledger_account a"""
    )
    accounts = differing = 0
    for kind, county, owner, stored, recomputed in rows:
        name = f"{CLASSES[kind]}:{county}:{kind}-{uuid.UUID(bytes=owner) if owner else county}"
        told = hledger.pop(name, None)
        accounts += 1
        if not stored == recomputed == told:
            differing += 1
            print(f"{name}: stored {stored}, recomputed {recomputed}, hledger {told}")
    for name in hledger:
        differing += 1
        print(f"{name} is in the journal and not in the database")
    print(f"{accounts} accounts, {differing} of them differ")
    return 1 if differing or accounts < 100 else 0


def one_fen_off(path: str, pattern: str, output: str) -> int:
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    found = [at for at, line in enumerate(lines) if re.search(pattern, line)]
    if not found:
        print(f"no line of {path} matches {pattern}")
        return 1
    at = found[len(found) // 2]
    # The digits before the commodity at the end of the line: whole fen, or the two decimals of yuan.
    wrong = re.sub(r"(\d+)( (?:CNY|FEN)\n)$", lambda end: f"{int(end[1]) + 1:0{len(end[1])}}{end[2]}", lines[at])
    if wrong == lines[at] or len(wrong) > len(lines[at]) + 1:
        print(f"could not change {lines[at]}")
        return 1
    lines[at] = wrong
    with open(output, "w", encoding="utf-8") as file:
        file.writelines(lines)
    return 0


if __name__ == "__main__":
    sys.exit({"compare": compare, "one-fen-off": one_fen_off}[sys.argv[1]](*sys.argv[2:]))
