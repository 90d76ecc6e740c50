//! A county for one sequence: households with more tea than a sequence can sell, two institutions, and the people who
//! act. Made through the operations that the service itself uses, so that the audit has nothing to forgive.

use std::collections::BTreeMap;

use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::lots::{self, NewLot};
use zhuxiao::members::access::{Caller, Reach, RegionScope, Role, Scope};
use zhuxiao::members::households::{self, NewHousehold, Status};
use zhuxiao::members::institutions::{self, Kind, NewInstitution, is_credit_code};
use zhuxiao::members::principals::{self, NewPrincipal, Place, Start};
use zhuxiao::money::{Fen, Price};
use zhuxiao::products::{self, NewProduct};
use zhuxiao::quantity::{Measure, Unit};
use zhuxiao::trail::Actor;

use super::Dice;
use crate::support::World;

const HOUSEHOLDS: usize = 4;
const INSTITUTIONS: usize = 2;

/// Grams of each lot.
const OFFERED: i64 = 1_000_000_000;

/// An institution with somebody who buys and the account of somebody who looks on.
pub struct Institution {
    pub id: Uuid,
    pub buyer: Caller,
    pub approver: Caller,
}

pub struct County {
    pub code: String,
    pub product: Uuid,
    /// Fen per kilo of each lot.
    pub prices: BTreeMap<Uuid, i64>,
    pub institutions: Vec<Institution>,
    pub officer: Caller,
    pub finance: [Caller; 2],
}

/// The regions of a county that no other sequence has, below the API as they have no events.
pub async fn regions(world: &World, codes: &[String]) {
    for code in codes {
        let day: chrono::NaiveDate = "2020-02-25".parse().unwrap();
        let sql = "insert into region (code, level, name, parent_code, valid_from) values
                   ($1 || '000000', 'county', '示范县', '341800000000', $2),
                   ($1 || '100000', 'township', '示范镇', $1 || '000000', $2),
                   ($1 || '100001', 'village', '示范村', $1 || '100000', $2)";
        world.execute(sql, vec![code.clone().into(), day.into()]).await;
    }
}

impl County {
    pub async fn make(app: &App, code: &str, password_hash: &str, dice: &mut Dice) -> Self {
        let actor = Actor::service("test");
        let today = app.clock.today();
        let txn = app.db.begin().await.unwrap();
        let villages = (0..HOUSEHOLDS).map(|number| new_household(code, number, today)).collect();
        let homes = households::insert_many(&txn, app, &actor, villages).await.unwrap();
        let product = products::insert_many(&txn, app, &actor, vec![tea(code)]).await.unwrap()[0];
        let prices: Vec<i64> = homes.iter().map(|_| dice.between(1, 9_999)).collect();
        let offered = homes.iter().zip(&prices).map(|(home, fen)| new_lot(code, *home, product, *fen, today));
        let lots = lots::insert_many(&txn, app, &actor, offered.collect()).await.unwrap();
        let new = (0..INSTITUTIONS).map(|number| new_institution(code, number)).collect();
        let ids = institutions::insert_many(&txn, app, &actor, new).await.unwrap();
        let mut bought_by = Vec::new();
        for id in ids {
            let mut people = Vec::new();
            for role in [Role::Buyer, Role::Approver] {
                let new = new_principal(code, role, id);
                let principal =
                    principals::insert(app, &txn, &actor, &new, Some(password_hash), Start::Active)
                        .await
                        .unwrap();
                people.push(caller(principal, &new.account, role, code, Scope::Institution(id)));
            }
            let [buyer, approver] = people.try_into().unwrap();
            bought_by.push(Institution { id, buyer, approver });
        }
        let _ = txn.commit(()).await.unwrap();
        let official =
            |role| caller(Uuid::now_v7(), "official", role, code, Scope::Region(RegionScope::of(code)));
        Self {
            code: code.to_owned(),
            product,
            prices: lots.into_iter().zip(prices).collect(),
            institutions: bought_by,
            officer: official(Role::Officer),
            finance: [official(Role::Finance), official(Role::Finance)],
        }
    }
}

fn caller(principal_id: Uuid, account: &str, role: Role, county: &str, scope: Scope) -> Caller {
    Caller {
        principal_id,
        session_id: Uuid::nil(),
        account: account.to_owned(),
        display_name: account.to_owned(),
        role,
        scope,
        county_code: Some(county.to_owned()),
        reach: Reach::Whole,
    }
}

fn village(county: &str) -> String {
    format!("{county}100001")
}

fn new_household(county: &str, number: usize, today: chrono::NaiveDate) -> NewHousehold {
    NewHousehold {
        id: None,
        village_code: village(county),
        head_name: "示范户".to_owned(),
        status: Status::Registered,
        status_from: today,
        identity_number: None,
        phone: None,
        bank_account: Some(format!("0000000000{number:09}")),
        address: None,
        external_ref: None,
        consent_on: None,
    }
}

fn tea(county: &str) -> NewProduct {
    NewProduct {
        county_code: county.to_owned(),
        code: "tea".to_owned(),
        name: "茶".to_owned(),
        category: "tea".to_owned(),
        measure: Measure::Mass,
        pricing_unit: Unit::Kg,
        grades: Vec::new(),
        shelf_life_days: None,
        pack_base: 1,
        certificates: Vec::new(),
        catalogue_code: "A07060303".to_owned(),
        tax_code: "1010116010000000000".to_owned(),
    }
}

fn new_lot(county: &str, household: Uuid, product_id: Uuid, fen: i64, today: chrono::NaiveDate) -> NewLot {
    NewLot {
        place: lots::Place {
            county_code: county.to_owned(),
            household_id: household,
            village_code: village(county),
        },
        product_id,
        external_ref: None,
        grade: None,
        price: Price::new(Fen::new(fen), Unit::Kg).unwrap(),
        offered_base: OFFERED,
        ready_from: today,
        sell_by: today + chrono::Days::new(300),
        certificates: Vec::new(),
        certified_until: "9999-12-31".parse().ok(),
    }
}

fn new_institution(county: &str, number: usize) -> NewInstitution {
    let body = format!("12{county}MB{:07}", number + 1);
    let digits = "0123456789ABCDEFGHJKLMNPQRTUWXY".chars();
    let code = digits.map(|digit| format!("{body}{digit}")).find(|code| is_credit_code(code)).unwrap();
    NewInstitution {
        id: None,
        region_code: format!("{county}100000"),
        name: format!("示范学校{number}"),
        kind: Kind::School,
        credit_code: code,
    }
}

fn new_principal(county: &str, role: Role, institution: Uuid) -> NewPrincipal {
    NewPrincipal {
        account: format!("{}-{institution}", role.as_str()),
        password: None,
        phone: None,
        display_name: role.as_str().to_owned(),
        role,
        place: Place::Institution(institution),
        county_code: Some(county.to_owned()),
    }
}
