//! The JSON Schemas of `attributes` and `app_attributes`.

use denizen_proto::v1;
use prost_types::value::Kind;
use prost_types::{FieldMask, Struct};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, field_problem, fields_problem, on_both};
use crate::process::run_on;

const OWN: &str = r#"{"type":"object","properties":{"theme":{"enum":["light","dark"]},"size":{"type":"integer","maximum":40}},"additionalProperties":false}"#;
const APP: &str = r#"{"type":"object","required":["plan"],"properties":{"plan":{"enum":["free","pro"]},"seats":{"type":"integer","minimum":1}}}"#;

on_both! {
    async fn violations_are_reported_by_place(world: World) {
        let app = world.serve(&[("users.attributes_schema", OWN), ("users.app_attributes_schema", APP)]).await;
        let sign_up = |attributes: Value| json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "attributes": attributes});
        let refused = app.post("/api/v1/users", &sign_up(json!({"theme": "hunter2", "size": 41, "x": 1}))).await;
        let text = refused.text().await.unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let refused = app.post("/api/v1/users", &sign_up(json!({"theme": "hunter2", "size": 41, "x": 1}))).await;
        fields_problem(refused, &[("attributes.size", "out_of_range"), ("attributes.theme", "invalid_value"), ("attributes.x", "unknown_field")]).await;
        assert_eq!(app.post("/api/v1/users", &sign_up(json!({"theme": "dark"}))).await.status(), 201);

        let (admin, ada) = (app.admin().await, app.sign_in("ada@example.com").await);
        field_problem(app.patch(&ada.path(), &ada.token, &json!({"attributes": {"size": "big"}})).await, "attributes.size", "wrong_type").await;
        let merged = app.patch(&ada.path(), &ada.token, &json!({"attributes": {"size": 12}})).await;
        assert_eq!(merged.json::<Value>().await.unwrap()["attributes"], json!({"theme": "dark", "size": 12}), "the result is validated");
        let both = json!({"attributes": {"theme": 1}, "app_attributes": {"seats": 0}});
        fields_problem(app.patch(&ada.path(), &admin.token, &both).await, &[("attributes.theme", "invalid_value"), ("app_attributes.plan", "required"), ("app_attributes.seats", "out_of_range")]).await;
        let set = app.patch(&ada.path(), &admin.token, &json!({"app_attributes": {"plan": "pro", "seats": 2}})).await;
        assert_eq!(set.status(), 200);
        field_problem(app.patch(&ada.path(), &admin.token, &json!({"app_attributes": {"plan": null}})).await, "app_attributes.plan", "required").await;
        let whole = json!({"email": "ada@example.com", "name": "Ada", "attributes": {"x": 1}});
        field_problem(app.put(&ada.path(), &ada.token, &whole).await, "attributes.x", "unknown_field").await;
        assert_eq!(app.patch(&ada.path(), &admin.token, &json!({"app_attributes": null, "attributes": null})).await.status(), 200, "empty is valid");
    }

    async fn an_import_is_validated(world: World) {
        let app = world.serve(&[("users.attributes_schema", OWN), ("users.app_attributes_schema", APP)]).await;
        let admin = app.admin().await;
        let lines = [
            json!({"email": "a@example.com", "name": "A", "attributes": {"size": 99}, "app_attributes": {"seats": 1}}),
            json!({"email": "b@example.com", "name": "B", "attributes": {"size": 9}, "app_attributes": {"plan": "pro"}}),
            json!({"email": "c@example.com", "name": "C"}),
        ];
        let report = app.import(&admin, lines.map(|line| line.to_string()).join("\n")).await;
        assert_eq!(report["created"], 2);
        let fields: Vec<_> = report["errors"][0]["fields"].as_array().unwrap().iter().map(|at| at["field"].as_str().unwrap()).collect();
        assert_eq!((&report["errors"][0]["line"], fields), (&json!(1), vec!["attributes.size", "app_attributes.plan"]));
    }

    async fn what_is_stored_is_not_validated_until_it_is_written(world: World) {
        let before = world.serve(&[]).await;
        let user = before.user().await;
        assert_eq!(before.patch(&user.path(), &user.token, &json!({"attributes": {"old": 1}})).await.status(), 200);
        drop(before);
        let app = world.serve(&[("users.attributes_schema", OWN)]).await;
        let user = app.sign_in(&user.email).await;
        let renamed = app.patch(&user.path(), &user.token, &json!({"name": "Renamed"})).await;
        assert_eq!(renamed.json::<Value>().await.unwrap()["attributes"], json!({"old": 1}));
        field_problem(app.patch(&user.path(), &user.token, &json!({"attributes": {"size": 1}})).await, "attributes.old", "unknown_field").await;
        assert_eq!(app.patch(&user.path(), &user.token, &json!({"attributes": {"size": 1, "old": null}})).await.status(), 200);
    }

    async fn grpc_reports_the_same(world: World) {
        let app = world.serve(&[("users.attributes_schema", OWN)]).await;
        let user = app.user().await;
        let size = prost_types::Value { kind: Some(Kind::NumberValue(41.0)) };
        let attributes = Some(Struct { fields: [("size".to_owned(), size)].into() });
        let request = v1::UpdateUserRequest {
            user: Some(v1::User { id: user.id.clone(), attributes, ..v1::User::default() }),
            update_mask: Some(FieldMask { paths: vec!["attributes".to_owned()] }),
        };
        let status = refused(Rpc::to(&app).by(&user.token).users().update_user(request).await, Code::InvalidArgument, "invalid_input");
        let fields: Vec<_> = status.get_error_details().bad_request().unwrap().field_violations.iter().map(|at| (at.field.clone(), at.reason.clone())).collect();
        assert_eq!(fields, [("attributes.size".to_owned(), "out_of_range".to_owned())]);
    }

    async fn an_invalid_schema_stops_the_start(world: World) {
        let file = world.folder().join("schema.json");
        std::fs::write(&file, r#"{"properties":{"plan":{"type":"strin"}}}"#).unwrap();
        let missing = world.folder().join("missing.json");
        for (value, expected) in [
            ("{\"type\":", "line 1, column 8"),
            ("{\"type\":7}", "/type"),
            ("{\"$ref\":\"https://example.com/schema.json\"}", "same schema"),
            (file.to_str().unwrap(), "/properties/plan/type"),
            (missing.to_str().unwrap(), "cannot be read"),
        ] {
            for command in [&["serve"][..], &["config", "check"]] {
                let done = run_on(&world, &[("users.app_attributes_schema", value)], command, "").await;
                let line = done.only_line(2);
                assert!(line.starts_with("users.app_attributes_schema from environment ") && line.contains(expected), "{line}");
            }
        }
    }
}
