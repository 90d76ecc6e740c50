//! The specification of imports, over HTTP and on the command line.

use std::path::PathBuf;
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::households::Cast;
use crate::support::{Answer, Person, World};

const GOOD: &str = "编号,户主姓名,村代码,户类型,认定日期,联系电话,银行账号,同意日期\n\
    001,仲雅妮,341823100001,脱贫户,2014-12-31,13812345678,6228480402564890018,2020-03-01\n\
    002,李四,341823101202,脱贫不稳定户,2021/5/1,,,\n";

const BAD: &str = "编号,户主姓名,村代码,户类型,联系电话\n\
    001,仲雅妮,341823100001,脱贫户,13812345678\n\
    002,,341823109999,富户,1.38E+10\n\
    001,王五,341823100002,一般农户,\n";

async fn upload(world: &World, by: Option<&Person>, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    let request = world
        .request(Method::POST, by, &format!("/v1/households/import{query}"))
        .header("content-type", "application/octet-stream")
        .body(file.into());
    Answer::of(request).await
}

async fn households(world: &World, by: &Person) -> usize {
    world.get(by, "/v1/households?limit=200").await.ok()["items"].as_array().unwrap().len()
}

fn result(created: u64, existing: u64) -> Value {
    json!({
        "is_dry_run": false, "rows": 2, "created": created, "existing": existing, "refused": 0, "cells": [],
    })
}

#[tokio::test]
async fn a_file_is_imported_once_however_often_it_is_sent() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    assert_eq!(upload(&world, Some(&officer), "", GOOD).await.ok(), result(2, 0));
    assert_eq!(upload(&world, Some(&officer), "", GOOD).await.ok(), result(0, 2));
    let items = world.get(&officer, "/v1/households").await.ok()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    let one = items.as_array().unwrap().iter().find(|item| item["external_ref"] == "001").unwrap();
    assert_eq!((&one["phone"], &one["bank_account"]), (&json!("138****5678"), &json!("****0018")));
    let detail = world.get(&officer, &format!("/v1/households/{}", one["id"].as_str().unwrap())).await.ok();
    assert_eq!(detail["statuses"], json!([{"status": "registered", "from_on": "2014-12-31"}]));
}

#[tokio::test]
async fn a_trial_says_what_would_happen_and_writes_nothing() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let trial = upload(&world, Some(&officer), "?dry_run=true", GOOD).await.ok();
    assert_eq!((&trial["created"], &trial["is_dry_run"]), (&json!(2), &json!(true)));
    let trial = upload(&world, Some(&officer), "?dry_run=true", BAD).await.ok();
    assert_eq!((&trial["created"], &trial["refused"]), (&json!(0), &json!(5)));
    assert_eq!(households(&world, &officer).await, 0);
}

#[tokio::test]
async fn one_bad_cell_refuses_the_file_and_every_bad_cell_is_named() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let refused = upload(&world, Some(&officer), "", BAD).await.refused(422, "cells_refused");
    let cells: Vec<(u64, &str)> = refused["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| (cell["row"].as_u64().unwrap(), cell["column"].as_str().unwrap()))
        .collect();
    assert_eq!(cells, [(3, "户主姓名"), (3, "村代码"), (3, "户类型"), (3, "联系电话"), (4, "编号")]);
    assert_eq!(households(&world, &officer).await, 0);
}

#[tokio::test]
async fn villages_outside_the_officers_region_and_revoked_ones_are_bad_cells() {
    let world = World::new().await.with_regions().await;
    let officer = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let refused = upload(&world, Some(&officer), "", GOOD).await.refused(422, "cells_refused");
    assert_eq!(refused["cells"][0]["value"], "341823100001");
    let day: chrono::NaiveDate = "2027-02-28".parse().unwrap();
    world.execute("update region set valid_to = $1", vec![day.into()]).await;
    let refused = upload(&world, Some(&officer), "", GOOD).await.refused(422, "cells_refused");
    assert_eq!(refused["cells"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_is_no_table_or_lacks_a_column_is_refused_with_what_to_do() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for file in ["", "姓名,电话\n仲雅妮,1\n"] {
        upload(&world, Some(&officer), "", file).await.refused(422, "invalid_value");
    }
    upload(&world, Some(&officer), "", vec![0xD0, 0xCF, 0x11, 0xE0]).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn only_officers_import_households() {
    let cast = Cast::new().await;
    upload(&cast.world, None, "", GOOD).await.refused(401, "not_signed_in");
    for person in &cast.people {
        let answer = upload(&cast.world, Some(person), "", GOOD).await;
        match person.role {
            Role::Officer => drop(answer.ok()),
            _ => drop(answer.refused(403, "not_allowed")),
        }
    }
}

/// A file that is gone when the test ends.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}-{name}", Uuid::now_v7().simple()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn import(world: &World, kind: &str, file: &Scratch, flags: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_zhuxiao"))
        .args(["import", kind, file.0.to_str().unwrap()])
        .args(flags)
        .env_remove("ZHUXIAO_TEST_DATABASE_URL")
        .env_remove("ZHUXIAO_TEST_REDIS_URL")
        .env("ZHUXIAO_DATABASE_URL", world.database_url())
        .env("ZHUXIAO_KEYS", world.app.settings.keys.as_ref().unwrap())
        .output()
        .unwrap()
}

pub fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_line_imports_households_once() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let file = Scratch::new("households.csv", GOOD);
    let flags = ["--region", "341823"];
    let trial = import(&world, "households", &file, &["--region", "341823", "--dry-run"]);
    assert_eq!(outcome(&trial).2.trim(), "2 rows: 2 would be made, 0 there already");
    assert_eq!(households(&world, &officer).await, 0);
    let told = outcome(&import(&world, "households", &file, &flags));
    assert_eq!((told.0, told.1.as_str(), told.2.trim()), (0, "", "2 rows: 2 made, 0 there already"));
    let told = outcome(&import(&world, "households", &file, &flags));
    assert_eq!((told.0, told.2.trim()), (0, "2 rows: 0 made, 2 there already"));
    assert_eq!(households(&world, &officer).await, 2);
}

#[tokio::test]
async fn the_command_line_tells_bad_cells_on_stdout_and_exits_with_two() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let file = Scratch::new("households.csv", BAD);
    let (code, csv, message) = outcome(&import(&world, "households", &file, &["--region", "341823"]));
    assert_eq!((code, csv.lines().count()), (2, 6));
    assert!(
        csv.starts_with("\u{feff}sheet,row,column,value,reason") && message.contains("nothing was imported")
    );
    let flags = ["--region", "341823", "--json"];
    let (code, lines, _) = outcome(&import(&world, "households", &file, &flags));
    let cells: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, cells.len(), &cells[4]["row"]), (2, 5, &json!(4)));
    assert_eq!(households(&world, &officer).await, 0);
    let (code, _, message) = outcome(&import(&world, "households", &file, &["--region", "泾县"]));
    assert_eq!((code, message.contains("--region")), (2, true));
    assert_eq!(outcome(&import(&world, "households", &file, &[])).0, 2);
}

#[tokio::test]
async fn regions_are_read_in_both_layouts_and_once() {
    let world = World::new().await;
    let tree = "code,level,name,parent\n340000000000,province,安徽省,\n341800000000,city,宣城市,340000000000\n\
        341823000000,county,泾县,341800000000\n341823100000,township,泾川镇,341823000000\n";
    let villages = "code12,level,name,township_code,township_name,village_kind\n\
        341823100001,village,示范一村,341823100,泾川镇,村\n";
    let flags = ["--valid-from", "2019-10-31", "--region", "341823"];
    let (tree, villages) = (Scratch::new("tree.csv", tree), Scratch::new("villages.csv", villages));
    let early = outcome(&import(&world, "regions", &villages, &flags));
    assert_eq!(early.0, 2, "a village whose township is missing: {}", early.1);
    for (file, told) in [
        (&tree, "4 rows: 4 made, 0 there already"),
        (&villages, "1 rows: 1 made, 0 there already"),
        (&tree, "4 rows: 0 made, 4 there already"),
    ] {
        let (code, _, message) = outcome(&import(&world, "regions", file, &flags));
        assert_eq!((code, message.trim()), (0, told));
    }
    let officer = world.official(Role::Officer).await;
    let village = world.get(&officer, "/v1/regions/341823100001").await.ok();
    assert_eq!((&village["parent"], &village["valid_from"]), (&json!("341823100000"), &json!("2019-10-31")));
}

#[tokio::test]
async fn a_region_that_is_elsewhere_twice_of_the_wrong_level_or_below_nothing_is_a_bad_cell() {
    let world = World::new().await.with_regions().await;
    let table = "code,level,name,parent\n341824000000,county,绩溪县,\n341823102000,village,桃花潭镇,341823000000\n\
        341823103000,township,,341823000000\n341823104000,township,云岭镇,341823999000\nx,county,甲,\n\
        341823105000,township,蔡村镇,\n341823105000,township,蔡村镇,\n";
    let file = Scratch::new("regions.csv", table);
    let flags = ["--region", "341823", "--json"];
    let (code, lines, _) = outcome(&import(&world, "regions", &file, &flags));
    let cells = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: Vec<u64> = cells.map(|cell| cell["row"].as_u64().unwrap()).collect();
    assert_eq!((code, rows), (2, vec![2, 3, 4, 5, 6, 8]));
    let officer = world.official(Role::Officer).await;
    world.get(&officer, "/v1/regions/341823105").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_last_day_in_the_table_revokes_a_region() {
    let world = World::new().await.with_regions().await;
    let table = "code,name,valid_to\n341823100002,示范二村,2023-06-30\n";
    let file = Scratch::new("revoked.csv", table);
    assert_eq!(outcome(&import(&world, "regions", &file, &[])).0, 0);
    let officer = world.official(Role::Officer).await;
    let body = json!({"village": "341823100002", "head_name": "李四", "status": "general"});
    world.post(&officer, "/v1/households", body).await.refused(422, "region_revoked");
}

#[tokio::test]
async fn lots_are_imported_for_a_county_or_lower_only() {
    let world = World::new().await.with_regions().await;
    let file = Scratch::new("lots.csv", "甲,乙\n1,2\n");
    for (region, told) in [("3418", "county"), ("341823", "header")] {
        let (code, _, message) = outcome(&import(&world, "lots", &file, &["--region", region]));
        assert_eq!((code, message.contains(told)), (2, true), "{message}");
    }
    assert_eq!(outcome(&import(&world, "lots", &file, &[])).0, 2);
}
