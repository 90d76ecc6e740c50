//! What a link is made of: every field of every event in one form on every engine, and the link before it. Pure.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The digest before the first link.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An event as it is chained.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFields {
    pub id: Uuid,
    pub county_code: Option<String>,
    pub at: DateTime<Utc>,
    pub actor_id: Option<Uuid>,
    pub actor_role: String,
    pub household_id: Option<Uuid>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub before: Option<Json>,
    pub after: Option<Json>,
    pub request_id: Option<String>,
    pub peer: Option<String>,
}

/// A place in the chain: the number of a link and its digest. What is printed, kept elsewhere and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub number: i64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

impl Head {
    /// Before the first link.
    #[must_use]
    pub fn beginning() -> Self {
        Self { number: 0, digest: BEGINNING.to_owned() }
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.number, self.digest)
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a head as it was printed: number:digest, such as 12:9f86…".to_owned();
        let (number, digest) = text.trim().split_once(':').ok_or_else(wrong)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        let is_digest =
            digest.len() == BEGINNING.len() && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest { Ok(Self { number, digest: digest.to_ascii_lowercase() }) } else { Err(wrong()) }
    }
}

/// A link as it is stored.
#[derive(Clone, Debug)]
pub struct Link {
    pub head: Head,
    pub event_count: i64,
}

/// What a link says of an event, and the event.
#[derive(Clone, Debug)]
pub struct Held {
    pub event_id: Uuid,
    pub link_number: i64,
    pub position: i64,
    pub digest: String,
    /// Nothing when there is no such event any more.
    pub event: Option<EventFields>,
}

/// Something in the trail that is not as it was chained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub table: &'static str,
    pub row_id: String,
    pub column: &'static str,
    pub stored: Option<String>,
    pub recomputed: Option<String>,
    /// The statement that does not hold.
    pub what: &'static str,
}

/// What is not as it was chained in one link, which follows `before` and holds `held` in the order of their positions.
#[must_use]
pub fn breaks(before: &Head, link: &Link, held: &[Held]) -> Vec<Break> {
    let number = link.head.number;
    let of_link = |column, stored: String, recomputed: String, what| Break {
        table: "trail_link",
        row_id: number.to_string(),
        column,
        stored: Some(stored),
        recomputed: Some(recomputed),
        what,
    };
    let mut breaks: Vec<Break> = held.iter().filter_map(break_of_event).collect();
    let next = before.number.saturating_add(1);
    if number != next {
        breaks.push(of_link(
            "number",
            number.to_string(),
            next.to_string(),
            "links are numbered without a gap",
        ));
    }
    let in_place = held.iter().zip(1_i64..).take_while(|(held, place)| held.position == *place).count();
    if in_place != held.len() || i64::try_from(held.len()) != Ok(link.event_count) {
        let (stored, counted) = (link.event_count.to_string(), in_place.to_string());
        breaks.push(of_link("event_count", stored, counted, "a link holds as many events as it says"));
    }
    let digest = link_digest(&before.digest, number, held.iter().map(|held| held.digest.as_str()));
    if digest != link.head.digest {
        let what = "a link is made of its events and of the link before it";
        breaks.push(of_link("digest", link.head.digest.clone(), digest, what));
    }
    breaks
}

fn break_of_event(held: &Held) -> Option<Break> {
    let broken = |column, stored, recomputed, what| Break {
        table: "audit_event",
        row_id: held.event_id.to_string(),
        column,
        stored,
        recomputed: Some(recomputed),
        what,
    };
    let Some(event) = &held.event else {
        return Some(broken("id", None, held.event_id.to_string(), "no chained event is gone"));
    };
    let digest = event_digest(event);
    (digest != held.digest).then(|| {
        broken("digest", Some(digest), held.digest.clone(), "no event is another than when it was chained")
    })
}

/// SHA-256 over all fields, each preceded by whether it is there and by its length, so that no two events look alike.
#[must_use]
pub fn event_digest(event: &EventFields) -> String {
    let mut digest = Sha256::new();
    let mut add = |field: Option<&[u8]>| match field {
        None => digest.update([0]),
        Some(bytes) => {
            digest.update([1]);
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(bytes);
        }
    };
    let json = |value: &Option<Json>| value.as_ref().map(canonical);
    add(Some(b"zhuxiao event 1"));
    add(Some(event.id.as_bytes()));
    add(event.county_code.as_ref().map(String::as_bytes));
    add(Some(&event.at.timestamp_micros().to_be_bytes()));
    add(event.actor_id.as_ref().map(|id| id.as_bytes().as_slice()));
    add(Some(event.actor_role.as_bytes()));
    add(event.household_id.as_ref().map(|id| id.as_bytes().as_slice()));
    add(Some(event.action.as_bytes()));
    add(Some(event.subject_kind.as_bytes()));
    add(Some(event.subject_id.as_bytes()));
    add(json(&event.before).as_ref().map(String::as_bytes));
    add(json(&event.after).as_ref().map(String::as_bytes));
    add(event.request_id.as_ref().map(String::as_bytes));
    // An event from before addresses were kept has the digest it was chained with.
    if event.peer.is_some() {
        add(event.peer.as_ref().map(String::as_bytes));
    }
    hex::encode(digest.finalize())
}

/// SHA-256 over the link before, the number, and the digests of the events in their order.
#[must_use]
pub fn link_digest<'a>(before: &str, number: i64, events: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    digest.update(b"zhuxiao link 1\n");
    digest.update(before);
    digest.update(format!("\n{number}"));
    for event in events {
        digest.update("\n");
        digest.update(event);
    }
    hex::encode(digest.finalize())
}

/// JSON with its members by name and without blanks, however the engine keeps it.
fn canonical(value: &Json) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Json, text: &mut String) {
    match value {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (position, (name, value)) in members.into_iter().enumerate() {
                text.push_str(if position > 0 { "," } else { "" });
                // A string is written without fail.
                let _ = write!(text, "{}:", Json::from(name.as_str()));
                write_canonical(value, text);
            }
            text.push('}');
        }
        Json::Array(items) => {
            text.push('[');
            for (position, value) in items.iter().enumerate() {
                text.push_str(if position > 0 { "," } else { "" });
                write_canonical(value, text);
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> EventFields {
        EventFields {
            id: Uuid::from_u128(1),
            county_code: Some("341823".to_owned()),
            at: "2027-03-20T00:00:00.000001Z".parse().unwrap(),
            actor_id: None,
            actor_role: "finance".to_owned(),
            household_id: Some(Uuid::from_u128(2)),
            action: "record_payment".to_owned(),
            subject_kind: "payment".to_owned(),
            subject_id: Uuid::from_u128(3),
            before: None,
            after: Some(json!({ "state": "recorded", "parts": [{ "b": 1, "a": "茶" }], "amount_fen": 5 })),
            request_id: None,
            peer: None,
        }
    }

    #[test]
    fn members_stand_by_name_and_nothing_else_moves() {
        let value = json!({ "b": [2, { "d": null, "c": "\"" }], "a": { "z": true, "y": 1 } });
        assert_eq!(canonical(&value), r#"{"a":{"y":1,"z":true},"b":[2,{"c":"\"","d":null}]}"#);
    }

    #[test]
    fn every_field_counts() {
        let digest = event_digest(&event());
        let edits: [fn(&mut EventFields); 13] = [
            |event| event.id = Uuid::from_u128(9),
            |event| event.county_code = None,
            |event| event.at += chrono::TimeDelta::microseconds(1),
            |event| event.actor_id = Some(Uuid::from_u128(9)),
            |event| event.actor_role = "officer".to_owned(),
            |event| event.household_id = None,
            |event| event.action = "reverse_payment".to_owned(),
            |event| event.subject_kind = "payout".to_owned(),
            |event| event.subject_id = Uuid::from_u128(9),
            |event| event.before = Some(Json::Null),
            |event| event.after = Some(json!({ "state": "recorded", "parts": [], "amount_fen": 5 })),
            |event| event.request_id = Some(String::new()),
            |event| event.peer = Some(String::new()),
        ];
        for (field, edit) in edits.into_iter().enumerate() {
            let mut edited = event();
            edit(&mut edited);
            assert_ne!(event_digest(&edited), digest, "field {field}");
        }
    }

    #[test]
    fn a_text_may_not_move_from_one_field_to_the_next() {
        let (mut one, mut other) = (event(), event());
        (one.action, one.subject_kind) = ("ab".to_owned(), "c".to_owned());
        (other.action, other.subject_kind) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(event_digest(&one), event_digest(&other));
    }

    #[test]
    fn a_link_depends_on_the_one_before_on_its_number_and_on_the_order_of_its_events() {
        let digest = link_digest(BEGINNING, 1, ["a", "b"]);
        assert_ne!(link_digest(&digest, 1, ["a", "b"]), digest);
        assert_ne!(link_digest(BEGINNING, 2, ["a", "b"]), digest);
        assert_ne!(link_digest(BEGINNING, 1, ["b", "a"]), digest);
        assert_ne!(link_digest(BEGINNING, 1, ["a"]), digest);
    }

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = Head { number: 12, digest: link_digest(BEGINNING, 12, ["a"]) };
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in
            ["", "12", "12:", "0:00", "x:9f86", &format!("0:{BEGINNING}"), &format!("1:{BEGINNING}0")]
        {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
