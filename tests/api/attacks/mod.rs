//! Attacks, each under its id (AT-…): what somebody tries, what they get for it, and what is so afterwards.
//! A test that asks or answers otherwise than the attack says, says why.

mod access;
mod edges;
mod edges_load;
mod edges_process;
mod edges_wire;
mod files;
mod injection;
mod money;
mod pages;
mod replay;
mod served;
mod sign_in;
mod trail;
mod webhooks;

use sea_orm::FromQueryResult;
use serde_json::Value;

use crate::support::World;

#[derive(FromQueryResult)]
struct Counted {
    counted: i64,
}

/// Rows that there are, below the API: `count(&world, "lot where held_base > 0")`.
pub async fn count(world: &World, of: &str) -> i64 {
    let sql = format!("select count(*) as counted from {of}");
    let found: Option<Counted> = zhuxiao::db::row(world.app.db.reader(), &sql, []).await.unwrap();
    found.unwrap().counted
}

/// Entries of the ledger whose postings do not sum to zero.
pub async fn unbalanced(world: &World) -> i64 {
    count(
        world,
        "(select entry_id from ledger_posting group by entry_id having sum(amount_fen) <> 0) as unbalanced",
    )
    .await
}

/// A problem without what is different in each of them.
pub fn without_request_id(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

/// The id of what an answer is about.
pub fn id_of(answer: &Value) -> &str {
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}"))
}
