//! Who signs in: officers, finance, auditor, administrator, helpers, and a buyer and an approver per institution.
//! Their passwords are public: a demo is never to hold anything real.

use uuid::Uuid;

use super::county::Household;
use super::data;
use super::dice::Dice;
use super::stage::{COUNTY, COUNTY_REGION, Stage};
use crate::cli::Ended;
use crate::db::WriteTxn;
use crate::members::access::{Caller, Reach, RegionScope, Role, Scope};
use crate::members::cooperatives::{self, NewCooperative};
use crate::members::institutions::{self, NewInstitution};
use crate::members::pairings::{self, NewPairing};
use crate::members::principals::{self, NewPrincipal, Place, Start};

/// Households that are members of a cooperative, in a thousand of those of its township.
const MEMBERS_PER_MILLE: i64 = 300;

/// Everybody who acts in the demo.
#[derive(Clone, Debug)]
pub struct People {
    pub officer: Caller,
    pub finance: Caller,
    /// Approves what `finance` prepares.
    pub second_finance: Caller,
    pub buyers: Vec<Purchasing>,
}

/// An institution and the two people who buy for it.
#[derive(Clone, Debug)]
pub struct Purchasing {
    pub institution_id: Uuid,
    pub buyer: Caller,
    pub approver: Caller,
}

/// The account of a role. Further people of the role have a number behind it.
pub fn account_of(role: Role, number: usize) -> String {
    if number == 0 {
        format!("demo-{}", role.as_str())
    } else {
        format!("demo-{}-{number:03}", role.as_str())
    }
}

/// The password of everybody of a role.
pub fn password_of(role: Role) -> String {
    format!("demo-{}-zhuxiao", role.as_str())
}

/// Password hashes, one per role: hashing is slow on purpose, and these passwords are printed anyway.
struct Hashes(Vec<(Role, String)>);

/// Those of the county who act in the demo, and whoever confirms what they did.
pub struct Officials {
    pub officer: Caller,
    pub second_officer: Caller,
    pub finance: Caller,
    pub second_finance: Caller,
}

/// Makes everybody who belongs to the county as a whole.
pub async fn make_officials(stage: &Stage) -> Result<Officials, Ended> {
    let roles = [Role::Officer, Role::Finance, Role::Auditor, Role::Security, Role::Admin];
    let hashes = Hashes::of(stage, &roles).await?;
    let county = || Place::Region(COUNTY_REGION.to_owned());
    let txn = stage.app.db.begin().await?;
    let officer = sign_up(stage, &txn, &hashes, Role::Officer, 0, "示范商务局工作人员", county()).await?;
    let finance = sign_up(stage, &txn, &hashes, Role::Finance, 0, "示范财务制单", county()).await?;
    let second_finance = sign_up(stage, &txn, &hashes, Role::Finance, 1, "示范财务复核", county()).await?;
    sign_up(stage, &txn, &hashes, Role::Auditor, 0, "示范审计", county()).await?;
    sign_up(stage, &txn, &hashes, Role::Security, 0, "示范安全管理员", county()).await?;
    sign_up(stage, &txn, &hashes, Role::Admin, 0, "示范系统管理员", county()).await?;
    let townships = stage.data.regions.iter().filter(|region| region.level == data::RegionLevel::Township);
    let last = townships.clone().count() + 1;
    let second_officer =
        sign_up(stage, &txn, &hashes, Role::Officer, last, "示范商务局复核", county()).await?;
    for (number, township) in townships.enumerate() {
        let place = Place::Region(township.code.clone());
        let name = format!("示范{}工作人员", township.name);
        sign_up(stage, &txn, &hashes, Role::Officer, number + 1, &name, place).await?;
    }
    let officials = Officials { officer, second_officer, finance, second_finance };
    txn.commit(officials).await.map(crate::db::Committed::into_inner).map_err(Ended::from)
}

/// A helper per village, paired with its households, and the sign-in of one household.
pub async fn make_helpers(stage: &Stage, households: &[Household]) -> Result<(), Ended> {
    let hashes = Hashes::of(stage, &[Role::Helper, Role::Household]).await?;
    let villages = villages_of(households);
    let mut dice = Dice::new(stage.seed, 3);
    let mut paired = Vec::with_capacity(households.len());
    let txn = stage.app.db.begin().await?;
    for (number, village) in villages.iter().enumerate() {
        let name = stage.data.person(&mut dice);
        let helper = sign_up(stage, &txn, &hashes, Role::Helper, number, &name, Place::Pairings).await?;
        let theirs = households.iter().filter(|household| household.village_code == **village);
        paired.extend(theirs.map(|household| NewPairing {
            county_code: COUNTY.to_owned(),
            helper_id: helper.principal_id,
            household_id: household.id,
            from_on: stage.calendar.start(),
        }));
        stage.progress.done(1);
    }
    pairings::insert_many(&txn, &stage.app, &stage.actor, paired).await?;
    if let Some(first) = households.first() {
        sign_up(stage, &txn, &hashes, Role::Household, 0, "示范农户", Place::Household(first.id)).await?;
    }
    txn.commit(()).await?;
    Ok(())
}

/// The villages that have households, each once.
pub fn villages_of(households: &[Household]) -> Vec<&str> {
    let mut villages: Vec<&str> =
        households.iter().map(|household| household.village_code.as_str()).collect();
    villages.sort_unstable();
    villages.dedup();
    villages
}

/// Cooperatives, with some of the households of their townships as members.
pub async fn make_cooperatives(stage: &Stage, households: &[Household]) -> Result<(), Ended> {
    let mut dice = Dice::new(stage.seed, 4);
    let txn = stage.app.db.begin().await?;
    for cooperative in &stage.data.cooperatives {
        let new = NewCooperative {
            region_code: cooperative.township_code.clone(),
            name: cooperative.name.clone(),
            kind: kind_of_cooperative(cooperative.kind),
        };
        let id = cooperatives::insert(&txn, &stage.app, &stage.actor, &new).await?;
        let township = RegionScope::of(&cooperative.township_code);
        let mut members = Vec::new();
        for household in households.iter().filter(|household| township.contains(&household.village_code)) {
            if dice.happens(MEMBERS_PER_MILLE) {
                members.push(household.id);
            }
        }
        cooperatives::add_members(&txn, &stage.app, &stage.actor, id, COUNTY, &members).await?;
        stage.progress.done(1);
    }
    txn.commit(()).await?;
    Ok(())
}

/// Institutions with a buyer and an approver each.
pub async fn make_buyers(stage: &Stage) -> Result<Vec<Purchasing>, Ended> {
    let hashes = Hashes::of(stage, &[Role::Buyer, Role::Approver]).await?;
    let new = stage.data.institutions.iter().map(|institution| NewInstitution {
        id: None,
        region_code: institution.township_code.clone(),
        name: institution.name.clone(),
        kind: kind_of_institution(institution.kind),
        credit_code: institution.credit_code.clone(),
    });
    let txn = stage.app.db.begin().await?;
    let ids = institutions::insert_many(&txn, &stage.app, &stage.actor, new.collect()).await?;
    let mut buyers = Vec::with_capacity(ids.len());
    for (number, (id, data)) in ids.into_iter().zip(&stage.data.institutions).enumerate() {
        let name = |duty: &str| format!("{}{duty}", data.name);
        let place = || Place::Institution(id);
        let buyer = sign_up(stage, &txn, &hashes, Role::Buyer, number, &name("采购员"), place()).await?;
        let approver =
            sign_up(stage, &txn, &hashes, Role::Approver, number, &name("审批人"), place()).await?;
        buyers.push(Purchasing { institution_id: id, buyer, approver });
        stage.progress.done(1);
    }
    txn.commit(()).await?;
    Ok(buyers)
}

impl Hashes {
    async fn of(stage: &Stage, roles: &[Role]) -> Result<Self, Ended> {
        let mut hashes = Vec::with_capacity(roles.len());
        for role in roles {
            hashes.push((*role, stage.app.hashing.hash(&password_of(*role)).await?));
        }
        Ok(Self(hashes))
    }

    fn get(&self, role: Role) -> &str {
        self.0.iter().find(|(of, _)| *of == role).map_or("", |(_, hash)| hash)
    }
}

/// Makes somebody who can sign in, and acts in the demo as the service would see them.
async fn sign_up(
    stage: &Stage,
    txn: &WriteTxn,
    hashes: &Hashes,
    role: Role,
    number: usize,
    name: &str,
    place: Place,
) -> Result<Caller, Ended> {
    let new = NewPrincipal {
        account: account_of(role, number),
        password: Some(password_of(role)),
        phone: None,
        display_name: name.to_owned(),
        role,
        place,
        county_code: Some(COUNTY.to_owned()),
    };
    let hash = Some(hashes.get(role));
    let id = principals::insert(&stage.app, txn, &stage.actor, &new, hash, Start::Active).await?;
    let scope = match new.place {
        Place::Household(id) => Scope::Household(id),
        Place::Institution(id) => Scope::Institution(id),
        Place::Region(code) => Scope::Region(RegionScope::of(&code)),
        Place::Pairings => Scope::Helper(id),
    };
    Ok(Caller {
        principal_id: id,
        session_id: Uuid::nil(),
        account: new.account,
        display_name: new.display_name,
        role,
        scope,
        county_code: new.county_code,
        reach: Reach::Whole,
    })
}

fn kind_of_institution(kind: data::InstitutionKind) -> institutions::Kind {
    match kind {
        data::InstitutionKind::Agency => institutions::Kind::Agency,
        data::InstitutionKind::School => institutions::Kind::School,
        data::InstitutionKind::Hospital => institutions::Kind::Hospital,
        data::InstitutionKind::PublicInstitution => institutions::Kind::PublicInstitution,
        data::InstitutionKind::Enterprise => institutions::Kind::Enterprise,
        data::InstitutionKind::Union => institutions::Kind::Union,
    }
}

fn kind_of_cooperative(kind: data::CooperativeKind) -> cooperatives::Kind {
    match kind {
        data::CooperativeKind::Park => cooperatives::Kind::Park,
        data::CooperativeKind::LeadingEnterprise => cooperatives::Kind::LeadingEnterprise,
        data::CooperativeKind::Cooperative => cooperatives::Kind::Cooperative,
        data::CooperativeKind::FamilyFarm => cooperatives::Kind::FamilyFarm,
    }
}
