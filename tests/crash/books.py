"""What must stand in the database after what was acknowledged, and what does: nothing lost, nothing doubled."""

from clients import grams

# Each gives (id, facts). Lines of a delivery count together.
QUERIES = {
    "purchase_order": """select id, case when confirmed_at is null then 'placed' else 'confirmed' end
                         from purchase_order""",
    "delivery": "select id, order_id from delivery",
    "acceptance": """select delivery.id, sum(line.accepted_base) from acceptance
                     join delivery on delivery.id = acceptance.delivery_id
                     join delivery_line line on line.delivery_id = delivery.id group by delivery.id""",
    "settlement": """select settlement.id, acceptance.delivery_id from settlement
                     join acceptance on acceptance.id = settlement.acceptance_id""",
    "payment": "select id, state, amount_fen, reference from payment",
    "deposit_use": "select id, state from deposit_use where order_id is null",
    # What a prepaid order is paid with has no answer of its own; each order here is accepted once.
    "deposit_use of an order": """select order_id, count(*) from deposit_use where order_id is not null
                                  group by order_id having count(*) > 1""",
    "payout_batch": "select id, state from payout_batch",
    "payout": "select id, state from payout where state in ('paid', 'returned')",
    "unknown payout": "select id, '' from payout where unknown_since is not null and state = 'instructed'",
    "payout to retry": "select id, '' from payout where retry_allowed_at is not null",
    "bank_statement": """select bank_statement.id, line_count, count(line.id) from bank_statement
                         left join bank_statement_line line on line.statement_id = bank_statement.id
                         group by bank_statement.id, line_count""",
    "bank_statement_match": "select line_id, payment_id from bank_statement_match",
    # To explain needs no key: it may be said twice.
    "bank_statement_explanation": "select distinct line_id, note from bank_statement_explanation",
    "idempotency_key": "select key, '' from idempotency_key",
    "ledger_entry": """select kind || case when reverses_id is null then '' else ' reversed' end, count(*)
                       from ledger_entry where source_kind <> 'deposit_use' group by 1""",
}


def expected(journal):
    """The same facts, from the answers that were given."""
    facts = {table: {} for table in QUERIES}
    for request in journal:
        if request.is_done:
            if request.operation not in KEYLESS:
                facts["idempotency_key"][request.key] = ("",)
            WRITES[request.operation](facts, request, request.answer.body)
    return facts


def place_order(facts, _request, body):
    facts["purchase_order"][body["id"]] = ("placed",)


def confirm_order(facts, _request, body):
    facts["purchase_order"][body["id"]] = ("confirmed",)


def dispatch_delivery(facts, _request, body):
    facts["delivery"][body["id"]] = (body["order_id"],)


def accept_delivery(facts, request, body):
    accepted = sum(grams(line["accepted"]) for line in request.body["lines"])
    facts["acceptance"][body["id"]] = (str(accepted),)
    facts["settlement"][body["settlement_id"]] = (body["id"],)
    post(facts, "acceptance")


def record_payment(facts, request, body):
    fen = request.body["amount"].replace(".", "").lstrip("0")
    facts["payment"][body["id"]] = ("recorded", fen, request.body["reference"])
    post(facts, "payment")


def reverse_payment(facts, _request, body):
    facts["payment"][body["id"]] = ("reversed", *facts["payment"][body["id"]][1:])
    post(facts, "payment reversed")


def use_deposit(facts, _request, body):
    facts["deposit_use"][body["id"]] = ("recorded",)


def reverse_deposit_use(facts, _request, body):
    facts["deposit_use"][body["id"]] = ("reversed",)


def make_payout_batch(facts, _request, body):
    facts["payout_batch"][body["id"]] = ("drafted",)


def approve_payout_batch(facts, _request, body):
    facts["payout_batch"][body["id"]] = ("approved",)
    post(facts, "payout_instruction")


def mark_payouts_unknown(facts, request, _body):
    facts["unknown payout"].update({payout: ("",) for payout in request.body["payout_ids"]})


def record_payout_results(facts, request, body):
    facts["payout_batch"][body["id"]] = (body["state"],)
    for result in request.body["results"]:
        facts["payout"][result["payout_id"]] = (result["result"],)
        facts["unknown payout"].pop(result["payout_id"], None)
    for kind in {result["result"] for result in request.body["results"]}:
        post(facts, f"payout_{kind}")


def allow_payout_retry(facts, request, _body):
    facts["payout to retry"].update({payout: ("",) for payout in request.body["payout_ids"]})


def import_bank_statement(facts, request, body):
    lines = str(request.body.count(b"\n"))
    facts["bank_statement"][body["statements"][0]["id"]] = (lines, lines)


def match_bank_statement_line(facts, _request, body):
    payment = body["payment"]
    facts["bank_statement_match"][body["line_id"]] = (payment["id"],)
    fen = payment["amount"].replace(".", "").lstrip("0")
    facts["payment"][payment["id"]] = ("recorded", fen, payment["reference"])
    post(facts, "payment")


def explain_bank_statement_line(facts, request, body):
    facts["bank_statement_explanation"][body["line_id"]] = (request.body["note"],)


def post(facts, kind):
    (count,) = facts["ledger_entry"].get(kind, ("0",))
    facts["ledger_entry"][kind] = (str(int(count) + 1),)


WRITES = {
    function.__name__: function
    for function in (
        place_order, confirm_order, dispatch_delivery, accept_delivery, record_payment, reverse_payment, use_deposit,
        reverse_deposit_use, make_payout_batch, approve_payout_batch, mark_payouts_unknown, record_payout_results,
        allow_payout_retry, import_bank_statement, match_bank_statement_line, explain_bank_statement_line,
    )
}


KEYLESS = {"explain_bank_statement_line"}


def differences(journal, database):
    """Every row that was acknowledged and is not there, is there and was never asked for, or says something else."""
    found = []
    for table, facts in expected(journal).items():
        stored = {row[0]: row[1:] for row in database.rows(QUERIES[table])}
        found += [f"LOST     {table} {key}: {facts[key]} was acknowledged" for key in facts.keys() - stored.keys()]
        found += [f"DOUBLED  {table} {key}: {stored[key]} is no answer's" for key in stored.keys() - facts.keys()]
        found += [
            f"DIFFERS  {table} {key}: acknowledged {facts[key]}, stored {stored[key]}"
            for key in facts.keys() & stored.keys()
            if facts[key] != stored[key]
        ]
    return sorted(found)
