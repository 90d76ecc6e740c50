"""A small county where everything can be sold and paid: made through the command line and the API, no row by hand."""

import datetime
import os

from service import Connection, Person

COUNTY = "341823"
VILLAGES = ("341823100001", "341823100002")
HOUSEHOLDS = 12
LOTS_EACH = 2
BUYERS = 2

CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"

REGIONS = f"""code,level,name,parent
340000000000,province,安徽省,
341800000000,city,宣城市,340000000000
341823000000,county,泾县,341800000000
341823100000,township,泾川镇,341823000000
{VILLAGES[0]},village,示范一村,341823100000
{VILLAGES[1]},village,示范二村,341823100000
"""


class County:
    """Who acts, and what there is."""

    def __init__(self, service, folder):
        today = datetime.date.today()
        file = os.path.join(folder, "regions.csv")
        with open(file, "w", encoding="utf-8") as regions:
            regions.write(REGIONS)
        service.must("import", "regions", file, "--valid-from", "2020-01-01")
        self.officer = Person(service, "officer", "--region", COUNTY)
        self.finance = [Person(service, "finance", "--region", COUNTY) for _ in range(3)]
        connection = Connection(service.port)
        self.product = connection.must("POST", "/v1/products", self.officer, body=tea())["id"]
        connection.must("POST", "/v1/households/import", self.officer, body=households().encode())
        connection.must("POST", "/v1/lots/import", self.officer, body=lots(today).encode())
        self.buyers = [Buyer(service, connection, self.officer, number) for number in range(BUYERS)]
        self.needed_by = str(today + datetime.timedelta(days=30))


class Buyer:
    """A school with a buyer and an approver."""

    def __init__(self, service, connection, officer, number):
        school = {"region": "341823100000", "name": f"示范学校{number}", "kind": "school", "credit_code": code(number)}
        self.institution = connection.must("POST", "/v1/institutions", officer, body=school)["id"]
        place = ("--institution", self.institution, "--county", COUNTY)
        self.buyer = Person(service, "buyer", *place)
        self.approver = Person(service, "approver", *place)


def tea():
    return {
        "code": "tea", "name": "茶", "category": "tea", "measure": "mass", "pricing_unit": "kg", "grades": [],
        "pack": {"amount": "0.001", "unit": "kg"}, "certificates": [], "catalogue_code": "A07060303",
        "tax_code": "1010116010000000000", "shelf_life_days": 540,
    }


def households():
    lines = ["编号,户主姓名,村代码,户类型,银行账号"]
    for number in range(HOUSEHOLDS):
        lines.append(f"H{number},示范户{number},{VILLAGES[number % 2]},registered,62284804025648{number:05}")
    return "\n".join(lines) + "\n"


def lots(today):
    """More than all orders of a run can take."""
    ready, sell_by = today, today + datetime.timedelta(days=365)
    lines = ["编号,农户编号,产品,数量,单位,单价,计价单位,可供日期,截止日期"]
    for number in range(HOUSEHOLDS * LOTS_EACH):
        price = f"{30 + number}.{number * 7 % 100:02}"
        lines.append(f"L{number},H{number % HOUSEHOLDS},tea,90000,公斤,{price},公斤,{ready},{sell_by}")
    return "\n".join(lines) + "\n"


def code(number):
    """A made-up unified social credit code with its check digit (GB 32100)."""
    body = f"12341823MB{number:07}"
    weighed = sum(CREDIT_DIGITS.index(digit) * pow(3, place, 31) for place, digit in enumerate(body))
    return body + CREDIT_DIGITS[-weighed % 31]
