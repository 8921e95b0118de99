//! The signatures that others made: `fixtures/sigv4.json`.

use serde_json::Value;

use crate::{
    auth::{Key, Keyring},
    request::Head,
};

const VECTORS: &str = include_str!("../../../fixtures/sigv4.json");

/// A signed request of the fixture, as it would be received, and who may send it.
pub struct Vector {
    pub name: String,
    pub head: Head,
    pub body: Vec<u8>,
    pub keyring: Keyring,
    pub now: i64,
    pub json: Value,
}

/// All of them.
pub fn vectors() -> Vec<Vector> {
    let json: Value = serde_json::from_str(VECTORS).unwrap();
    json["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(vector)
        .collect()
}

fn vector(v: &Value) -> Vector {
    let text = |name: &str| v[name].as_str().unwrap().to_owned();
    let url = text("url");
    let (host, target) = url.split_once("://").unwrap().1.split_once('/').unwrap();
    let token = v["session_token"].as_str().map(str::to_owned);
    let mut headers = vec![("Host".to_owned(), host.as_bytes().to_vec())];
    for (name, value) in v["headers_in"].as_object().unwrap() {
        headers.push((name.clone(), value.as_str().unwrap().as_bytes().to_vec()));
    }
    headers.push(("X-Amz-Date".to_owned(), text("x_amz_date").into_bytes()));
    if let Some(token) = &token {
        headers.push((
            "X-Amz-Security-Token".to_owned(),
            token.clone().into_bytes(),
        ));
    }
    headers.push((
        "Authorization".to_owned(),
        text("authorization").into_bytes(),
    ));
    let key = Key {
        id: text("access_key_id"),
        secret: text("secret_access_key"),
        token,
    };
    Vector {
        name: text("name"),
        head: Head {
            method: text("method"),
            target: format!("/{target}"),
            headers,
        },
        body: text("body").into_bytes(),
        keyring: Keyring {
            keys: vec![key],
            ..Keyring::default()
        },
        now: v["epoch"].as_i64().unwrap(),
        json: v.clone(),
    }
}

/// One with a session token.
pub fn first() -> Vector {
    vectors().remove(1)
}
