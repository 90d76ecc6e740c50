//! Every endpoint in one place: the API, its contract, its documentation page, and the pages for machines.

use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::BoxEndpoint;
use poem::http::header::CONTENT_SECURITY_POLICY;
use poem::middleware::Compression;
use poem::web::Data;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler};
use poem_openapi::{LicenseObject, OpenApiService, ServerObject, Tags};

use crate::app::App;
use crate::cli::metrics::Recorder;
use crate::http::edge::Edge;
use crate::http::gate::Gate;
use crate::http::headers::{HeaderRules, policy_of_page};
use crate::http::intake::Intake;
use crate::http::peer::Peers;
use crate::http::problem::Problem;
use crate::http::published::Published;
use crate::{
    audit, bank_statements, deliveries, ledger, lots, members, orders, papers, payments, payouts,
    personal_data, problems, products, regions, reports, settlement, webhooks,
};

/// The parts of the contract.
#[derive(Debug, Tags)]
pub enum Tag {
    /// Signing in and out.
    Sessions,
    /// Those who sign in.
    People,
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
    /// What is stored about you, and to be erased.
    PersonalData,
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
    (
        members::sessions::api::Api,
        members::one_time_codes::api::Api,
        members::second_factors::api::Api,
        members::api_keys::api::Api,
        members::principals::api::Api,
    ),
    regions::api::Api,
    (
        members::households::api::Api,
        members::institutions::api::Api,
        members::cooperatives::api::Api,
        members::pairings::api::Api,
        members::reveals::api::Api,
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
    (personal_data::export::api::Api, personal_data::erasure::api::Api),
    (webhooks::api::Api, payouts::callback::api::Api),
);

fn apis(app: &App) -> Apis {
    (
        (
            members::sessions::api::Api(app.clone()),
            members::one_time_codes::api::Api(app.clone()),
            members::second_factors::api::Api(app.clone()),
            members::api_keys::api::Api(app.clone()),
            members::principals::api::Api(app.clone()),
        ),
        regions::api::Api(app.clone()),
        (
            members::households::api::Api(app.clone()),
            members::institutions::api::Api(app.clone()),
            members::cooperatives::api::Api(app.clone()),
            members::pairings::api::Api(app.clone()),
            members::reveals::api::Api(app.clone()),
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
        (personal_data::export::api::Api(app.clone()), personal_data::erasure::api::Api(app.clone())),
        (webhooks::api::Api(app.clone()), payouts::callback::api::Api(app.clone())),
    )
}

/// Everything that is served.
pub fn routes(app: &App) -> serde_json::Result<BoxEndpoint<'static, Response>> {
    let settings = &app.settings;
    let service = service(app);
    let contract = crate::cli::openapi::document(&service)?;
    let published = Arc::new(Published::read(&contract)?);
    let docs = Docs::new(service.swagger_ui_html());
    let seconds = Duration::from_secs;
    Ok(Route::new()
        .nest("/", service.around(drop_cached_answers))
        .at("/docs", get(docs_page).data(docs.clone()))
        .at("/docs/", get(docs_page).data(docs))
        .at("/openapi.json", get(openapi_json).data(Contract(contract)))
        .at("/healthz", get(healthz))
        .at("/readyz", get(readyz))
        .data(app.clone())
        .with(Gate::new(Arc::clone(&published), settings.requests_max, seconds(settings.request_seconds_max)))
        .with(Intake::new(
            settings.body_bytes_max,
            settings.upload_bytes_max,
            seconds(settings.body_seconds_max),
        ))
        .with(Compression::new())
        .with(Edge { rules: HeaderRules::from(&**settings), published })
        .with(Peers { proxies: settings.trusted_proxies.clone() })
        .boxed())
}

/// What whoever runs the service may see and nobody else: served on a listener of its own.
#[must_use]
pub fn admin_routes(recorder: Recorder) -> BoxEndpoint<'static, Response> {
    let edge = Edge { rules: HeaderRules::default(), published: Arc::default() };
    Route::new().at("/metrics", get(metrics_page).data(recorder)).with(edge).boxed()
}

/// A write may change what any cached answer shows, so every one that succeeds drops them all: here, once, where no
/// operation can forget it. Signing in, previewing and looking up change nothing that is shown.
async fn drop_cached_answers<E: Endpoint>(endpoint: Arc<E>, request: Request) -> poem::Result<Response> {
    let path = request.uri().path();
    let own = ["/v1/sessions", "/v1/one_time_codes", "/v1/me", "/v1/api_keys", "/v1/principals"];
    let looks_only = ["/preview", "/find", "/reveal"];
    let shows_nothing =
        own.iter().any(|start| path.starts_with(start)) || looks_only.iter().any(|end| path.ends_with(end));
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

/// The page of the contract, with the policy that lets its own scripts run.
#[derive(Clone, Debug)]
struct Docs {
    html: Arc<str>,
    policy: Arc<str>,
}

impl Docs {
    fn new(html: String) -> Self {
        Self { policy: policy_of_page(&html).into(), html: html.into() }
    }
}

#[handler]
fn docs_page(docs: Data<&Docs>) -> Response {
    let Docs { html, policy } = docs.0;
    let page = html.to_string().with_content_type("text/html; charset=utf-8");
    page.with_header(CONTENT_SECURITY_POLICY, &**policy).into_response()
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
