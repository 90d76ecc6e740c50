//! The specification of payment terms: dated, per institution, within what the norm allows.

use serde_json::json;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::purse::Purse;

#[tokio::test]
async fn an_institution_without_a_term_pays_within_thirty_days_and_one_with_a_term_within_that() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let path = format!("/v1/institutions/{}/payment_terms", purse.school);
    let term = json!({ "from_on": "2027-03-02", "days": 45, "source": "采购合同第5条" });
    let made = purse.world.post(&purse.finance, &path, term).await.created();
    assert_eq!((&made["days"], &made["institution_id"]), (&json!(45), &json!(purse.school)));
    let today = purse.sold(&[(home, 100)]).await;
    purse.later(1).await;
    let tomorrow = purse.sold(&[(home, 100)]).await;
    let other = purse.world.institution("示范医院", "hospital").await;
    let of_other = purse.sold_to(other, &[(home, 100)]).await;
    for (settlement, due_on) in [(today, "2027-03-31"), (tomorrow, "2027-04-16"), (of_other, "2027-04-01")] {
        assert_eq!(purse.settlement(settlement).await["due_on"], due_on);
    }
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    assert_eq!(purse.world.get(&buyer, &path).await.ok()["items"], json!([made]));
    let stranger = purse.world.person(Role::Buyer, Place::Institution(other)).await;
    purse.world.get(&stranger, &path).await.refused(404, "not_found");
    purse.audited().await;
}

#[tokio::test]
async fn a_term_beyond_sixty_days_or_of_a_day_that_has_begun_is_refused() {
    let purse = Purse::open().await;
    let path = format!("/v1/institutions/{}/payment_terms", purse.school);
    let sent = |from_on: &str, days: u8| json!({ "from_on": from_on, "days": days, "source": "合同" });
    for (from_on, days) in [("2027-03-02", 0), ("2027-03-02", 61), ("2027-03-01", 30)] {
        purse.world.post(&purse.finance, &path, sent(from_on, days)).await.refused(422, "invalid_value");
    }
    purse.world.post(&purse.finance, &path, sent("2027-03-02", 60)).await.created();
    let township = purse.finance_of_the_other_township().await;
    purse.world.post(&township, &path, sent("2027-03-02", 60)).await.refused(404, "not_found");
}
