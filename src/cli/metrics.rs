//! The Prometheus page. One recorder per process, installed when it is first asked for.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Renders what has been counted so far.
#[derive(Clone, Debug)]
pub struct Recorder(Option<PrometheusHandle>);

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Buckets of request times, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

impl Recorder {
    /// The recorder of this process; a page without figures when another library installed its own first.
    #[must_use]
    pub fn install() -> Self {
        let handle = HANDLE.get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets(&SECONDS).ok()?;
            builder.install_recorder().inspect_err(|error| tracing::warn!(%error, "no metrics")).ok()
        });
        Self(handle.clone())
    }

    /// The page in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        metrics::gauge!("zhuxiao_database_statements").set(approximate(crate::db::statements_sent()));
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }
}

/// Gauges are floats; above 2^32 statements the figure stands still rather than lie.
fn approximate(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
