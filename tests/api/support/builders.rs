//! Builders of what tests arrange: a county, its households, products, lots and institutions. Written straight into the
//! database where the API is not what is tested.

use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;
use zhuxiao::members::sealed::Sealed;

use super::World;

/// The villages every test has: two townships with two villages each, one village revoked.
pub const REGIONS: [(&str, &str, &str, Option<&str>); 9] = [
    ("340000000000", "province", "安徽省", None),
    ("341800000000", "city", "宣城市", Some("340000000000")),
    ("341823000000", "county", "泾县", Some("341800000000")),
    ("341823100000", "township", "泾川镇", Some("341823000000")),
    ("341823101000", "township", "茂林镇", Some("341823000000")),
    ("341823100001", "village", "示范一村", Some("341823100000")),
    ("341823100002", "village", "示范二村", Some("341823100000")),
    ("341823101201", "village", "示范三村", Some("341823101000")),
    ("341823101202", "village", "示范四村", Some("341823101000")),
];

pub const VILLAGES: [&str; 4] = ["341823100001", "341823100002", "341823101201", "341823101202"];

/// The tables whose rows are only added.
pub const ONLY_ADDED: [&str; 5] =
    ["audit_event", "trail_link", "chained_event", "ledger_entry", "ledger_posting"];

/// Takes away what guards rows that are only added, as whoever owns the tables can.
pub async fn drop_guards(connection: &sea_orm::DatabaseConnection) {
    for table in ONLY_ADDED {
        let guards = match connection.get_database_backend() {
            sea_orm::DbBackend::Postgres => vec![format!("{table}_only_added on {table}")],
            _ => ["update", "delete"].map(|verb| format!("{table}_only_added_{verb}")).to_vec(),
        };
        for guard in guards {
            connection.execute_unprepared(&format!("drop trigger if exists {guard}")).await.unwrap();
        }
    }
}

impl World {
    /// Runs a statement below the API.
    pub async fn execute(&self, sql: &str, values: Vec<sea_orm::Value>) -> u64 {
        let connection = sea_orm::Database::connect(self.database_url()).await.unwrap();
        let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
        let changed = connection.execute_raw(statement).await.unwrap().rows_affected();
        connection.close().await.unwrap();
        changed
    }

    /// The same as the owner of the tables, who takes away what guards rows that are only added.
    pub async fn tamper(&self, sql: &str, values: Vec<sea_orm::Value>) -> u64 {
        let connection = sea_orm::Database::connect(self.database_url()).await.unwrap();
        drop_guards(&connection).await;
        connection.close().await.unwrap();
        self.execute(sql, values).await
    }

    /// Whoever is signed in now stays it for a year of the clock that tests move.
    pub async fn stay_signed_in(&self) {
        let until = self.clock.now() + chrono::TimeDelta::days(366);
        self.execute("update session set expires_at = $1, last_used_at = $1", vec![until.into()]).await;
    }

    /// The regions of [`REGIONS`], valid since 2020.
    pub async fn with_regions(self) -> Self {
        for (code, level, name, parent) in REGIONS {
            let sql =
                "insert into region (code, level, name, parent_code, valid_from) values ($1, $2, $3, $4, $5)";
            let day: chrono::NaiveDate = "2020-02-25".parse().unwrap();
            self.execute(sql, vec![code.into(), level.into(), name.into(), parent.into(), day.into()]).await;
        }
        self
    }

    /// A household in a village, with a status.
    pub async fn household(&self, village: &str, status: &str) -> Uuid {
        let id = Uuid::now_v7();
        let now = self.clock.now();
        let sql = "insert into household (id, county_code, village_code, head_name, status, created_at, updated_at, version)
                   values ($1, $2, $3, $4, $5, $6, $6, 1)";
        let values =
            vec![id.into(), super::COUNTY.into(), village.into(), "示范户".into(), status.into(), now.into()];
        self.execute(sql, values).await;
        let sql = "insert into household_status (id, household_id, status, from_on) values ($1, $2, $3, $4)";
        let from: chrono::NaiveDate = "2020-01-01".parse().unwrap();
        self.execute(sql, vec![Uuid::now_v7().into(), id.into(), status.into(), from.into()]).await;
        id
    }

    /// The one text that a query answers.
    pub async fn text(&self, sql: &str) -> String {
        let reader = self.app.db.reader();
        let statement = Statement::from_string(reader.get_database_backend(), sql);
        reader.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// A made-up bank account of a household, sealed for it.
    pub fn sealed_account(&self, household: Uuid) -> String {
        let account = format!("0000000{:012}", household.as_u128() % 1_000_000_000_000);
        self.app.keys.seal(Sealed::HouseholdBankAccount, household, &account).unwrap()
    }

    /// Gives a household a bank account.
    pub async fn with_account(&self, household: Uuid) -> Uuid {
        let sql = "update household set bank_account_sealed = $2 where id = $1";
        self.execute(sql, vec![household.into(), self.sealed_account(household).into()]).await;
        household
    }

    /// A product sold by mass in kilos, without grades, packs or certificates.
    pub async fn product(&self, code: &str) -> Uuid {
        let id = Uuid::now_v7();
        let now = self.clock.now();
        let json = if self.database_url().starts_with("postgres") { "::jsonb" } else { "" };
        let sql = format!(
            "insert into product (id, county_code, code, name, category, measure, pricing_unit, grades, pack_base,
                                  certificates, catalogue_code, tax_code, is_active, created_at, updated_at, version)
             values ($1, $2, $3, $4, 'tea', 'mass', 'kg', '[]'{json}, 1, '[]'{json}, 'A07031301',
                     '1010116010000000000', true, $5, $5, 1)"
        );
        self.execute(&sql, vec![id.into(), super::COUNTY.into(), code.into(), code.into(), now.into()]).await;
        id
    }

    /// A lot of a household: `kilos` at `yuan_per_kg`, ready now, good until the end of 2027.
    pub async fn lot(
        &self,
        household: Uuid,
        product: Uuid,
        village: &str,
        kilos: i64,
        yuan_per_kg: i64,
    ) -> Uuid {
        let id = Uuid::now_v7();
        let now = self.clock.now();
        let json = if self.database_url().starts_with("postgres") { "::jsonb" } else { "" };
        let sql = format!(
            "insert into lot (id, county_code, household_id, product_id, village_code, price_fen, pricing_unit,
                              offered_base, ready_from, sell_by, certificates, certified_until, state, created_at,
                              updated_at, version)
             values ($1, $2, $3, $4, $5, $6, 'kg', $7, $8, $9, '[]'{json}, $11, 'on_sale', $10, $10, 1)"
        );
        let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
        let values = vec![
            id.into(),
            super::COUNTY.into(),
            household.into(),
            product.into(),
            village.into(),
            (yuan_per_kg * 100).into(),
            (kilos * 1000).into(),
            day("2027-01-01").into(),
            day("2027-12-31").into(),
            now.into(),
            day("9999-12-31").into(),
        ];
        self.execute(&sql, values).await;
        id
    }

    /// An institution of a kind in the county.
    pub async fn institution(&self, name: &str, kind: &str) -> Uuid {
        let id = Uuid::now_v7();
        let now = self.clock.now();
        let sql = "insert into institution (id, county_code, region_code, name, kind, credit_code, created_at, updated_at, version)
                   values ($1, $2, '341823100000', $3, $4, $5, $6, $6, 1)";
        let credit_code = format!("TEST{}", &id.simple().to_string()[18..]);
        let values =
            vec![id.into(), super::COUNTY.into(), name.into(), kind.into(), credit_code.into(), now.into()];
        self.execute(sql, values).await;
        id
    }
}
