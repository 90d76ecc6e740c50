//! What prepaid orders (先款后货) need of the deposit of their institution. Money is spoken for from the first dispatch of
//! an order until all of it is accepted: for what is on its way or still to be sent. Nothing here moves money.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::store;
use crate::money::Fen;
use crate::refusal::Outcome;

/// What the prepaid orders of an institution that are under way still need, but for one of them.
pub async fn reserved(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    except: Option<Uuid>,
) -> Outcome<Fen> {
    Ok(store::reserved(connection, institution_id, except).await?)
}

/// What an order still needs: its allocations that are neither accepted nor released.
pub async fn needed(connection: &impl ConnectionTrait, order_id: Uuid) -> Outcome<Fen> {
    Ok(store::open_amount(connection, order_id).await?)
}
