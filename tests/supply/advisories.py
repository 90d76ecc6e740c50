"""Known advisories about crates, as a table of facts that is kept here, so that a machine without a way to the database
can still be told what was known on the day of the table; and the comparison of what an audit found with what deny.toml
excuses. It reads and writes local files only."""

import csv
import datetime
import json
import pathlib
import sys
import tomllib

COLUMNS = ["id", "package", "date", "informational", "patched", "unaffected", "arch", "os"]
HERE = pathlib.Path(__file__).parent
TABLE = HERE / "advisories.tsv"
# Older than this the table says too little to be worth asking.
DAYS_MAX = 365


def facts_of(text):
    """An advisory's facts; its prose is left where it is."""
    front = tomllib.loads(text.split("```toml", 1)[1].split("```", 1)[0])
    advisory, versions, affected = front["advisory"], front.get("versions", {}), front.get("affected", {})
    if "withdrawn" in advisory:
        return None
    return {
        "id": advisory["id"],
        "package": advisory["package"],
        "date": str(advisory["date"]),
        "informational": advisory.get("informational", ""),
        "patched": as_text(versions.get("patched")),
        "unaffected": as_text(versions.get("unaffected")),
        "arch": as_text(affected.get("arch")),
        "os": as_text(affected.get("os")),
    }


def as_text(value):
    return json.dumps(value, separators=(",", ":")) if value else ""


def keep(folder, day):
    """Writes the table from a copy of the database that is of a day."""
    advisories = (path.read_text(encoding="utf-8") for path in pathlib.Path(folder, "crates").rglob("RUSTSEC-*.md"))
    rows = sorted((row for row in map(facts_of, advisories) if row), key=lambda row: row["id"])
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# known on {datetime.date.fromisoformat(day)}\n")
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} advisories kept")


def read():
    """The day of the table and its rows."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    day = datetime.date.fromisoformat(lines[0].removeprefix("# known on "))
    return day, list(csv.DictReader(lines[1:], delimiter="\t", quoting=csv.QUOTE_NONE))


def unfold(folder):
    """Writes the table as the files that cargo-audit reads."""
    day, rows = read()
    for row in rows:
        target = pathlib.Path(folder, "crates", row["package"])
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{row['id']}.md").write_text(file_of(row), encoding="utf-8")
    age = (datetime.date.today() - day).days
    print(f"{len(rows)} advisories, known on {day}, {age} days ago")
    if age > DAYS_MAX:
        raise SystemExit(f"the table of advisories is older than {DAYS_MAX} days: bring it up to date, see tests/supply/check")


def file_of(row):
    lines = ["```toml", "[advisory]"]
    for name in ("id", "package", "date"):
        lines.append(f"{name} = {json.dumps(row[name])}")
    if row["informational"]:
        lines.append(f"informational = {json.dumps(row['informational'])}")
    lines += ["[versions]", f"patched = {row['patched'] or '[]'}"]
    if row["unaffected"]:
        lines.append(f"unaffected = {row['unaffected']}")
    affected = [f"{name} = {row[name]}" for name in ("arch", "os") if row[name]]
    lines += ["[affected]", *affected] if affected else []
    return "\n".join([*lines, "```", "", f"# About {row['package']}", "", "The database says what it is.", ""])


def found_in(report):
    """What an audit of one lock file found: what it is called, with the crate it is about."""
    warnings = (warning for kind in report["warnings"].values() for warning in kind)
    found = {}
    for one in [*report["vulnerabilities"]["list"], *warnings]:
        crate = f"{one['package']['name']} {one['package']['version']}"
        # A version that was taken back has no advisory.
        found[one["advisory"]["id"] if one.get("advisory") else f"{one['kind']} {crate}"] = crate
    return found


def compare(configuration, *reports):
    """Fails for what is found and not excused, and for what is excused and not found any more."""
    with open(configuration, "rb") as file:
        excused = {entry["id"]: entry["reason"] for entry in tomllib.load(file)["advisories"]["ignore"]}
    found = {}
    for report in reports:
        found |= found_in(json.loads(pathlib.Path(report).read_text(encoding="utf-8")))
    wrong = [f"{id} is about {crate}, which we use" for id, crate in found.items() if id not in excused]
    wrong += [f"{id} is excused and does not concern us any more" for id in excused if id not in found]
    for id in sorted(excused.keys() & found.keys()):
        print(f"{id} ({found[id]}) is excused: {excused[id]}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    {"keep": keep, "unfold": unfold, "compare": compare}[sys.argv[1]](*sys.argv[2:])
