"""Kills the service with SIGKILL at random moments while clients sell, pay and pay out, starts it again, lets every
client say again what was not answered, and proves after each kill that what was acknowledged is there, that nothing is
there twice, and that the audit finds nothing. Exit 0: all of that held.

usage: crash.py PROGRAM PORT (--sqlite | --postgres URL) [--kills N] [--seed N]
"""

import argparse
import collections
import datetime
import random
import shutil
import sys
import tempfile
import threading
import time

import books
from clients import all_clients
from county import County
from service import Connection, Gone, Postgres, Service, Sqlite

KILLS_MAX = 10_000
# A round is killed so many answers after it began, as far as they come in time, and so many seconds after the last.
ANSWERS_MAX = 40
ANSWER_SECONDS_MAX = 5
PAUSE_SECONDS_MAX = 0.03
# Answers of the whole run that are asked for once more at its end.
REPLAYS = 100
TRIES_MAX = 200
DIFFERENCES_SHOWN = 20
KILLS_PER_NOTE = 25


class Dice(random.Random):
    """Chance with a seed; each client has its own, as they run at the same time."""

    def between(self, least, most):
        return self.randint(least, most)

    def happens(self, percent):
        return self.randrange(100) < percent

    def fork(self):
        return Dice(self.getrandbits(64))


class Run:
    """One engine, from an empty database to the last kill."""

    def __init__(self, program, database, port, seed, folder):
        self.database, self.dice, self.journal = database, Dice(seed), []
        self.service = Service(program, folder, database.url, port)
        self.audits, self.difference, self.since_of_last = 0, [], None
        self.answered = threading.Semaphore(0)
        self.service.start()
        county = County(self.service, folder)
        self.clients = all_clients(county, self.dice, self.journal)

    def kill_once(self, number):
        """A round: work, kill, restart, audit, say again, compare."""
        since = moment()
        answers, pause = self.dice.between(0, ANSWERS_MAX), self.dice.uniform(0, PAUSE_SECONDS_MAX)
        self.answered = threading.Semaphore(0)
        threads = [threading.Thread(target=self.work, args=(client,)) for client in self.clients]
        for thread in threads:
            thread.start()
        for _ in range(answers):
            if not self.answered.acquire(timeout=ANSWER_SECONDS_MAX):
                break
        time.sleep(pause)
        self.service.kill()
        for thread in threads:
            thread.join()
        self.service.start()
        self.audit("--since", self.since_of_last or since)
        self.since_of_last = since
        self.say_again()
        self.compare()
        if self.difference:
            print(f"kill {number}, {pause * 1000:.0f} ms after answer {answers} of its round")

    def work(self, client):
        """One step after the other until the service is gone or answers what it must not."""
        connection = Connection(self.service.port)
        try:
            while client.pending.answer is None:
                self.step(client, connection)
        except Gone:
            client.pending.unanswered += 1

    def step(self, client, connection):
        request = client.pending
        key = request.key if request.is_write else None
        answer = connection.send(request.method, request.path, request.person, key, request.body)
        client.take(answer)
        self.answered.release()

    def say_again(self):
        """Everything that was not answered, until it is."""
        connection = Connection(self.service.port)
        for client in self.clients:
            request = client.pending
            if request.unanswered:
                self.step(client, connection)
            if request.answer is not None and not request.is_expected:
                told = request.answer.text.decode(errors="replace")
                self.difference.append(f"ANSWERED {request.operation} {request.answer.status}: {told}")

    def compare(self):
        self.difference += books.differences([request for request in self.journal if request.answer], self.database)

    def audit(self, *flags):
        code, told = self.service.run("audit", *flags)
        self.audits += 1
        if code != 0:
            self.difference.append(f"AUDIT    ended with {code}: {told.strip()}")

    def finish(self):
        """The whole audit, no entry unbalanced, and old keys still answer what they answered."""
        self.audit()
        unbalanced = "select entry_id from ledger_posting group by entry_id having sum(amount_fen) <> 0"
        self.difference += [f"UNBALANCED entry {row[0]}" for row in self.database.rows(unbalanced)]
        done = [request for request in self.journal if request.is_done and request.operation not in books.KEYLESS]
        connection = Connection(self.service.port)
        for old in self.dice.sample(done, min(REPLAYS, len(done))):
            answer = connection.send(old.method, old.path, old.person, old.key, old.body)
            if not answer.is_replay or answer.body != old.answer.body:
                self.difference.append(f"REPLAY   {old.operation} {old.key}: {answer.text.decode(errors='replace')}")
        self.compare()

    def tell(self, kills, seconds):
        """The closing table: how often each operation was answered, and what had become of it when it was not."""
        print(f"\n{self.database.name}: {kills} kills in {seconds:.0f} s, {self.audits} audits")
        heads = ("operation", "done", "refused", "unanswered", "had taken effect", "had not")
        rows = [heads, *self.figures()]
        widths = [max(len(str(row[at])) for row in rows) for at in range(len(heads))]
        for row in rows:
            cells = [str(row[0]).ljust(widths[0])] + [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
            print("  ".join(cells))
        for line in self.difference[:DIFFERENCES_SHOWN]:
            print(line)
        verdict = "nothing lost, nothing doubled, every audit clean"
        print(f"{len(self.difference)} differences" if self.difference else verdict)

    def figures(self):
        total = collections.Counter()
        for operation in books.WRITES:
            own = [request for request in self.journal if request.operation == operation and request.answer]
            interrupted = [request for request in own if request.unanswered]
            replayed = sum(request.answer.is_replay for request in interrupted)
            figures = {
                "done": sum(request.is_done for request in own),
                "refused": sum(not request.is_done for request in own),
                "unanswered": len(interrupted),
                "replayed": replayed,
                "fresh": len(interrupted) - replayed,
            }
            total.update(figures)
            yield (operation, *figures.values())
        yield ("together", *total.values())


def moment():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("port", type=int)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--postgres")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=341823)
    told = parser.parse_args()
    if bool(told.postgres) == told.sqlite or not 1 <= told.kills <= KILLS_MAX:
        parser.error("name one engine, and 1 to 10000 kills")
    folder = tempfile.mkdtemp(prefix="zhuxiao-crash.")
    begun = time.monotonic()
    database = Postgres(told.postgres) if told.postgres else Sqlite(folder)
    print(f"{database.name}: {told.kills} kills, seed {told.seed}", flush=True)
    run = Run(told.program, database, told.port, told.seed, folder)
    killed = 0
    try:
        while killed < told.kills and not run.difference:
            killed += 1
            run.kill_once(killed)
            if killed % KILLS_PER_NOTE == 0:
                print(f"{killed} kills, {len(run.journal)} writes sent", flush=True)
        if not run.difference:
            run.finish()
    finally:
        run.service.kill()
    run.tell(killed, time.monotonic() - begun)
    if not run.difference:
        database.drop()
        shutil.rmtree(folder)
        sys.exit(0)
    print(f"the log is kept in {folder}, the database at {database.url}")
    sys.exit(1)


if __name__ == "__main__":
    main()
