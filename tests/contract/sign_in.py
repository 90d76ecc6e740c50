"""Waits until the service can serve, signs in every role of the demo and prints one line "role token" for each.

Usage: sign_in.py BASE_URL DEMO_JSON, where DEMO_JSON is what `zhuxiao demo --json` printed. It changes nothing but
sessions, and gives up after thirty seconds.
"""

import json
import sys
import time

import httpx

READY_SECONDS_MAX = 30
ROLES = {"household", "helper", "buyer", "approver", "officer", "finance", "auditor", "security", "admin"}


def wait_until_ready(client: httpx.Client) -> None:
    last = "no answer yet"
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            answer = client.get("/readyz")
            if answer.is_success:
                return
            last = f"{answer.status_code} {answer.text}"
        except httpx.TransportError as error:
            last = str(error)
        time.sleep(0.1)
    sys.exit(f"the service is not ready after {READY_SECONDS_MAX} s: {last}")


def main() -> None:
    base_url, demo_path = sys.argv[1:]
    with open(demo_path, encoding="utf-8") as file:
        sign_ins = json.load(file)["sign_ins"]
    missing = ROLES - {sign_in["role"] for sign_in in sign_ins}
    if missing:
        sys.exit(f"the demo names no sign-in for: {', '.join(sorted(missing))}")
    with httpx.Client(base_url=base_url, timeout=10) as client:
        wait_until_ready(client)
        for sign_in in sign_ins:
            answer = client.post(
                "/v1/sessions", json={"account": sign_in["account"], "password": sign_in["password"]}
            )
            if answer.status_code != 201:
                sys.exit(f"{sign_in['role']} cannot sign in: {answer.status_code} {answer.text}")
            print(sign_in["role"], answer.json()["token"])


if __name__ == "__main__":
    main()
