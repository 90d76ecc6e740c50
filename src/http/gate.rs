//! The last layer before the operations: query parameters that nobody published are refused, more requests than the
//! service can work on are turned away at once, and every one that got in has a time by which it is answered.

use std::sync::Arc;
use std::time::Duration;

use poem::{Endpoint, Error, IntoResponse, Middleware, Request, Response, Result};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http::problem::Problem;
use crate::http::published::{Operation, Published};
use crate::refusal::Refusal;

/// Characters of an unknown parameter's name that are repeated to the caller.
const NAME_CHARS_SHOWN: usize = 40;

/// The layer.
#[derive(Clone, Debug)]
pub struct Gate {
    published: Arc<Published>,
    room: Arc<Room>,
    patience: Duration,
}

impl Gate {
    /// `requests_max` bounds the operations under way, `patience` the time of each.
    #[must_use]
    pub fn new(published: Arc<Published>, requests_max: usize, patience: Duration) -> Self {
        Self { published, room: Arc::new(Room::new(requests_max)), patience }
    }
}

impl<E: Endpoint> Middleware<E> for Gate {
    type Output = GateEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GateEndpoint { inner, gate: self.clone() }
    }
}

/// The endpoint that [`Gate`] makes.
#[derive(Debug)]
pub struct GateEndpoint<E> {
    inner: E,
    gate: Gate,
}

impl<E: Endpoint> Endpoint for GateEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let gate = &self.gate;
        let operation = gate.published.operation(request.method(), request.uri().path());
        // What is not in the contract is a page for machines or nothing at all; neither makes any work.
        let _place = match operation {
            Some(operation) => {
                check_query(operation, &request)?;
                Some(gate.room.enter(operation)?)
            }
            None => None,
        };
        match tokio::time::timeout(gate.patience, self.inner.call(request)).await {
            Ok(answered) => Ok(answered?.into_response()),
            Err(_) => Err(busy(5)),
        }
    }
}

fn check_query(operation: &Operation, request: &Request) -> Result<()> {
    let refuse = |detail: String| Err(Problem::from(Refusal::Malformed { detail }).into());
    let Ok(given) = request.params::<Vec<(String, String)>>() else {
        return refuse("The query cannot be read.".to_owned());
    };
    match operation.fault_of_query(&given) {
        Some((name, fault)) => {
            let name: String = name.chars().take(NAME_CHARS_SHOWN).collect();
            refuse(format!("{name}: {fault}."))
        }
        None => Ok(()),
    }
}

fn busy(retry_after_seconds: u64) -> Error {
    Problem::from(Refusal::Busy { retry_after_seconds }).into()
}

/// The operations that may be under way at once. A quarter is kept for those that move stock or money, as a page can be
/// asked for again and a payment should not have to be.
#[derive(Debug)]
struct Room {
    shared: Semaphore,
    kept: Semaphore,
}

impl Room {
    fn new(requests_max: usize) -> Self {
        let kept = (requests_max / 4).max(1);
        Self { shared: Semaphore::new(requests_max.saturating_sub(kept).max(1)), kept: Semaphore::new(kept) }
    }

    fn enter(&self, operation: &Operation) -> Result<SemaphorePermit<'_>> {
        let place = self.shared.try_acquire();
        let place =
            if operation.moves_stock_or_money() { place.or_else(|_| self.kept.try_acquire()) } else { place };
        place.map_err(|_| busy(1))
    }
}
