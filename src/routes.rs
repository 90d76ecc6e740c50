//! Every endpoint in one place: the API, its contract, its documentation page, and the pages for machines.

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::middleware::Compression;
use poem::web::Data;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler};
use poem_openapi::{LicenseObject, OpenApiService, ServerObject, Tags};

use crate::app::App;
use crate::cli::metrics::Recorder;
use crate::http::edge::{BodyLimit, Edge};
use crate::http::problem::Problem;
use crate::{
    audit, bank_statements, deliveries, ledger, lots, members, orders, papers, payments, payouts, problems,
    products, regions, reports, settlement, webhooks,
};

/// The parts of the contract.
#[derive(Debug, Tags)]
pub enum Tag {
    /// Signing in and out.
    Sessions,
    /// The region tree.
    Regions,
    /// Families that offer produce, their statuses and survey visits.
    Households,
    /// Buyers.
    Institutions,
    /// Entities that bundle member households.
    Cooperatives,
    /// Helpers paired with households.
    Pairings,
    /// The catalogue and its reference prices.
    Products,
    /// What households offer.
    Lots,
    /// Bulk orders and how they are shared.
    Orders,
    /// Goods handed over and accepted.
    Deliveries,
    /// What acceptances make owed.
    Settlements,
    /// Money in.
    Payments,
    /// Money out to households.
    Payouts,
    /// Statements and slips that are issued once and never changed.
    Papers,
    /// Double-entry accounts.
    Ledger,
    /// Figures for the bureau.
    Reports,
    /// What does not match, and who closes it by when.
    Problems,
    /// Addresses of institutions' own systems that are told what happens.
    Webhooks,
    /// Without sign-in.
    Public,
    /// Who wrote what.
    Audit,
}

/// The API with its contract.
#[must_use]
pub fn service(app: &App) -> OpenApiService<Apis, ()> {
    let license = LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0");
    OpenApiService::new(apis(app), "Zhuxiao 助销", "1")
        .description("Backend of a consumption-aid marketplace: fair bulk orders over many small farm lots, settled to the fen.")
        .license(license)
        .server(ServerObject::new("/").description("The service that this document came from."))
}

/// All endpoint groups of the contract, in its order.
pub type Apis = (
    members::sessions::api::Api,
    regions::api::Api,
    (
        members::households::api::Api,
        members::institutions::api::Api,
        members::cooperatives::api::Api,
        members::pairings::api::Api,
    ),
    (products::api::Api, lots::api::Api, orders::api::Api, deliveries::api::Api),
    (
        settlement::api::Api,
        settlement::fees::api::Api,
        settlement::terms::api::Api,
        settlement::reminders::api::Api,
    ),
    (
        payments::api::Api,
        bank_statements::api::Api,
        payouts::api::Api,
        ledger::api::Api,
        payments::deposits::api::Api,
        bank_statements::matching::api::Api,
    ),
    (papers::api::Api, papers::invoice::api::Api, reports::api::Api, problems::api::Api, audit::api::Api),
    (webhooks::api::Api, payouts::callback::api::Api),
);

fn apis(app: &App) -> Apis {
    (
        members::sessions::api::Api(app.clone()),
        regions::api::Api(app.clone()),
        (
            members::households::api::Api(app.clone()),
            members::institutions::api::Api(app.clone()),
            members::cooperatives::api::Api(app.clone()),
            members::pairings::api::Api(app.clone()),
        ),
        (
            products::api::Api(app.clone()),
            lots::api::Api(app.clone()),
            orders::api::Api(app.clone()),
            deliveries::api::Api(app.clone()),
        ),
        (
            settlement::api::Api(app.clone()),
            settlement::fees::api::Api(app.clone()),
            settlement::terms::api::Api(app.clone()),
            settlement::reminders::api::Api(app.clone()),
        ),
        (
            payments::api::Api(app.clone()),
            bank_statements::api::Api(app.clone()),
            payouts::api::Api(app.clone()),
            ledger::api::Api(app.clone()),
            payments::deposits::api::Api(app.clone()),
            bank_statements::matching::api::Api(app.clone()),
        ),
        (
            papers::api::Api(app.clone()),
            papers::invoice::api::Api(app.clone()),
            reports::api::Api(app.clone()),
            problems::api::Api(app.clone()),
            audit::api::Api(app.clone()),
        ),
        (webhooks::api::Api(app.clone()), payouts::callback::api::Api(app.clone())),
    )
}

/// Everything that is served.
#[must_use]
pub fn routes(app: &App, recorder: Recorder) -> BoxEndpoint<'static, Response> {
    let settings = &app.settings;
    let service = service(app);
    let contract = crate::cli::openapi::document(&service).unwrap_or_default();
    let docs = service.swagger_ui();
    Route::new()
        .nest("/", service.around(drop_cached_answers))
        .nest("/docs", docs)
        .at("/openapi.json", get(openapi_json).data(Contract(contract)))
        .at("/healthz", get(healthz))
        .at("/readyz", get(readyz))
        .at("/metrics", get(metrics_page).data(recorder))
        .data(app.clone())
        .with(BodyLimit { bytes: settings.body_bytes_max, upload_bytes: settings.upload_bytes_max })
        .with(Compression::new())
        .with(Edge { request_seconds_max: settings.request_seconds_max })
        .boxed()
}

/// A write may change what any cached answer shows, so every one that succeeds drops them all: here, once, where no
/// operation can forget it. Signing in and previewing change nothing that is shown.
async fn drop_cached_answers<E: Endpoint>(endpoint: Arc<E>, request: Request) -> poem::Result<Response> {
    let path = request.uri().path();
    let shows_nothing = path.starts_with("/v1/sessions") || path.ends_with("/preview");
    let is_write = !request.method().is_safe() && !shows_nothing;
    let app = request.data::<App>().cloned();
    let response = endpoint.call(request).await?.into_response();
    if let Some(app) = app.filter(|_| is_write && response.status().is_success()) {
        app.cache.drop_all().await;
    }
    Ok(response)
}

#[derive(Clone, Debug)]
struct Contract(String);

#[handler]
fn openapi_json(contract: Data<&Contract>) -> Response {
    contract.0.0.clone().with_content_type("application/json").into_response()
}

/// The process runs.
#[handler]
fn healthz() -> &'static str {
    "alive\n"
}

/// The process can serve: the database answers and has every migration.
#[handler]
async fn readyz(app: Data<&App>) -> Response {
    match app.0.db.is_current().await {
        Ok(true) => "ready\n".into_response(),
        Ok(false) => Problem::of(503, "not_migrated", "Run `zhuxiao migrate` first.").into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Problem::of(503, "database_away", "The database does not answer.").into_response()
        }
    }
}

#[handler]
fn metrics_page(recorder: Data<&Recorder>) -> Response {
    recorder.0.render().with_content_type("text/plain; version=0.0.4").into_response()
}
