"""The clients: each does its work step by step, every write under a key of its own, and says a step again under the same
key until it is answered. Written as generators, so that a client goes on where it stood when the service was killed.
"""

import datetime
import uuid
from dataclasses import dataclass, field

# What may be refused: to take back what went out or was used already, to use a deposit that is not there or for nothing
# that is owed, to dispatch what is not paid ahead, and a batch of nothing.
REFUSALS = {
    "reverse_payment": {"wrong_state"},
    "reverse_deposit_use": {"wrong_state"},
    "use_deposit": {"deposit_short", "invalid_value"},
    "dispatch_delivery": {"deposit_short"},
    "make_payout_batch": {"invalid_value"},
}

GRAMS_MAX = 60_000
FEN_MAX = 400_000


@dataclass
class Request:
    """One step: what is sent, and what became of it."""

    operation: str
    person: object
    path: str
    body: object = None
    method: str = "POST"
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: object = None
    unanswered: int = 0

    @property
    def is_write(self):
        return self.method != "GET"

    @property
    def is_done(self):
        """It was answered, and took effect."""
        return self.answer is not None and self.answer.status in (200, 201)

    @property
    def is_expected(self):
        if self.is_done:
            return True
        return self.answer.status in (409, 422) and self.answer.body["code"] in REFUSALS.get(self.operation, ())


class Client:
    """Takes one step after the other; `journal` keeps every write that was ever sent."""

    def __init__(self, name, steps, journal):
        self.name, self.steps, self.journal = name, steps, journal
        self.pending = None
        self.next(None)

    def next(self, answered):
        self.pending = self.steps.send(answered)
        if self.pending.is_write:
            self.journal.append(self.pending)

    def take(self, answer):
        self.pending.answer = answer
        if self.pending.is_expected:
            self.next(self.pending)


def all_clients(county, dice, journal):
    """Two that trade, two that pay and take back, two that pay out, two that bring statements of the bank."""
    steps = {}
    for number, buyer in enumerate(county.buyers):
        steps[f"trade {number}"] = trade(county, buyer, dice.fork())
        steps[f"money in {number}"] = money_in(county, county.finance[0], dice.fork())
        steps[f"money out {number}"] = money_out(county.finance[1], county.finance[2], dice.fork())
        steps[f"bank {number}"] = bank(county, county.finance[0], dice.fork())
    return [Client(name, client, journal) for name, client in steps.items()]


def trade(county, buyer, dice):
    """Orders, confirms, has it dispatched, and accepts some of it: what settles."""
    while True:
        order = yield Request("place_order", buyer.buyer, "/v1/orders", {
            "institution_id": buyer.institution,
            "policy": dice.choice(["max_min", "proportional", "cheapest", "income_levelling"]),
            "payment_mode": "prepaid" if dice.happens(25) else "goods_first",
            "lines": [{
                "product_id": county.product,
                "quantity": kilos(dice.between(1_000, GRAMS_MAX)),
                "max_price": {"amount": "500.00", "per": "kg"},
                "needed_by": county.needed_by,
                "max_households": dice.between(1, 10),
            }],
        })
        order_path = f"/v1/orders/{order.answer.body['id']}"
        yield Request("confirm_order", buyer.approver, f"{order_path}/confirm")
        parts = order.answer.body["lines"][0]["allocations"]
        delivery = yield Request("dispatch_delivery", county.officer, f"{order_path}/deliveries", {
            "lines": [{"allocation_id": part["id"], "quantity": part["quantity"]} for part in parts],
        })
        if not delivery.is_done:
            continue
        yield Request("accept_delivery", buyer.buyer, f"/v1/deliveries/{delivery.answer.body['id']}/acceptance", {
            "lines": [weighed(line, dice) for line in delivery.answer.body["lines"]],
            "witness_account": buyer.approver.account,
            "replace_missing": False,
        })


def weighed(line, dice):
    """Mostly all of it; sometimes a part is refused, but never everything."""
    dispatched = grams(line["dispatched"])
    refused = dice.between(1, dispatched - 1) if dispatched > 1 and dice.happens(20) else 0
    told = {"delivery_line_id": line["id"], "accepted": kilos(dispatched - refused)}
    return {**told, "refused": kilos(refused), "refusal_reason": "规格不符"} if refused else told


def money_in(county, finance, dice):
    """Records what was received, too little as often as too much or ahead, uses deposits, and takes some of it back."""
    while True:
        institution = dice.choice(county.buyers).institution
        payment = yield Request("record_payment", finance, "/v1/payments", {
            "institution_id": institution,
            "amount": yuan(dice.between(1, FEN_MAX)),
            "received_on": str(today()),
            "reference": f"transfer {uuid.uuid4()}",
            "as_deposit": dice.happens(25),
        })
        if dice.happens(30):
            path = f"/v1/payments/{payment.answer.body['id']}/reverse"
            yield Request("reverse_payment", finance, path, {"reason": "booked twice"})
        if dice.happens(30):
            amount = {"amount": yuan(dice.between(1, FEN_MAX // 4))} if dice.happens(50) else {}
            used = yield Request("use_deposit", finance, f"/v1/institutions/{institution}/deposit/uses", amount)
            if used.is_done and dice.happens(30):
                path = f"/v1/deposit_uses/{used.answer.body['id']}/reverse"
                yield Request("reverse_deposit_use", finance, path, {"reason": "used for another"})


def money_out(maker, approver, dice):
    """Makes batches of what is payable; the bank pays some payouts, returns others and does not say of some, told in one
    go or in two. Money that came back because of the account may go out again."""
    while True:
        batch = yield Request("make_payout_batch", maker, "/v1/payout_batches", {"up_to": str(today())})
        if not batch.is_done:
            continue
        path = f"/v1/payout_batches/{batch.answer.body['id']}"
        yield Request("approve_payout_batch", approver, f"{path}/approve")
        # A county has fewer households than a page has places.
        page = yield Request("list_payouts", maker, f"{path}/payouts?limit=200", method="GET")
        payouts = [payout["id"] for payout in page.answer.body["items"]]
        if dice.happens(30):
            yield Request("mark_payouts_unknown", maker, f"{path}/mark_unknown", {"payout_ids": [dice.choice(payouts)]})
        results = [result_of(payout, dice) for payout in payouts]
        cut = dice.between(0, len(results) - 1)
        for part in filter(None, (results[:cut], results[cut:])):
            yield Request("record_payout_results", maker, f"{path}/results", {"results": part})
        bounced = [told["payout_id"] for told in results if told.get("return_code") == "closed_account"]
        if bounced:
            again = {"payout_ids": bounced, "reason": "the account is right"}
            yield Request("allow_payout_retry", maker, f"{path}/allow_retry", again)


def bank(county, finance, dice):
    """Brings statements of the bank and says of every line that came in whose payment it is, or that it is none."""
    while True:
        statement = yield Request("import_bank_statement", finance, "/v1/bank_statements", statement_of(dice))
        statement_id = statement.answer.body["statements"][0]["id"]
        path = f"/v1/bank_statements/{statement_id}/lines?limit=200"
        page = yield Request("list_bank_statement_lines", finance, path, method="GET")
        for line in page.answer.body["items"]:
            path = f"/v1/bank_statement_lines/{line['id']}"
            if line["state"] == "open" and dice.happens(70):
                yield Request("match_bank_statement_line", finance, f"{path}/match", {
                    "institution_id": dice.choice(county.buyers).institution,
                    "as_deposit": dice.happens(25),
                })
            elif line["state"] == "open":
                yield Request("explain_bank_statement_line", finance, f"{path}/explain", {"note": "interest"})


def statement_of(dice):
    """A table as any bank has it: some lines that came in and name nothing, and one that went out."""
    lines = ["日期,收支,金额,对方户名,摘要"]
    for side in ["收入"] * dice.between(1, 4) + ["支出"]:
        lines.append(f"{today()},{side},{yuan(dice.between(1, FEN_MAX))},示范单位,货款 {uuid.UUID(int=dice.getrandbits(128))}")
    return "\n".join(lines).encode()


def result_of(payout, dice):
    if dice.happens(20):
        code = dice.choice(["closed_account", "other"])
        return {"payout_id": payout, "result": "returned", "reason": "sent back", "return_code": code}
    return {"payout_id": payout, "result": "paid"}


def today():
    """The day in Shanghai."""
    return datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()


def yuan(fen):
    return f"{fen // 100}.{fen % 100:02}"


def kilos(base):
    return {"amount": f"{base // 1000}.{base % 1000:03}", "unit": "kg"}


def grams(amount):
    whole, _, part = amount["amount"].partition(".")
    return int(whole) * 1000 + int(f"{part:0<3}")
